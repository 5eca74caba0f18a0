"""What becomes of every kind of file at the bundle's path, with real files and the real loader."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.advisor.bundles import RETRY_S, Bundles
from autoscaler.bundle.file import load_bundle, save_bundle
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.limits import BUNDLE_UNPACKED
from autoscaler.refusals import Refusals
from tests.autoscaler.advisor.forecasts import NOW_S, a_bundle

NOBODY = 65_534
SERVICE = "shop/cart-service"


def whole() -> ForecastBundle:
    return a_bundle(250.0)


def rewritten(path: Path, **changes: Any) -> None:
    """The same archive with some arrays changed."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **(arrays | changes))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def huge(path: Path) -> None:
    """A kilobyte that unpacks to a gigabyte."""
    rewritten(path)
    with path.open("r+b") as file:
        data = bytearray(path.read_bytes())
        at = data.rindex(b"PK\x01\x02")  # the last member, in the archive's directory
        data[at + 24 : at + 28] = (2**30).to_bytes(4, "little")
        file.write(data)


def garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(1).bytes(4096))


def foreign(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, weights=np.ones(3))


def changed(**arrays: Any) -> Callable[[Path], None]:
    return lambda path: rewritten(path, **arrays)


def repeated(path: Path) -> None:
    """The same service twice."""
    bundle = whole()
    twice = replace(
        bundle,
        services=bundle.services * 2,
        demand_edges=np.repeat(bundle.demand_edges, 2, axis=0),
        exceedance=np.repeat(bundle.exceedance, 2, axis=0),
        model=bundle.model * 2,
        reason=bundle.reason * 2,
    )
    save_bundle(twice, path)


FALLING = {"exceedance": np.array([[[0.1, 0.9]]]), "demand_edges": np.array([[0.0, 1.0, 2.0]])}

DAMAGE: dict[str, Callable[[Path], None]] = {
    "gone": Path.unlink,
    "empty": empty,
    "truncated": truncated,
    "garbage": garbage,
    "another version": changed(version=np.array(99)),
    "an npz of something else": foreign,
    "a folder": a_folder,
    "a pipe": a_pipe,
    "huge": huge,
    "no curve at all": changed(exceedance=np.ones((1, 1, 0)), demand_edges=np.zeros((1, 1))),
    "a horizon without end": changed(window_edges_s=np.array([0.0, 1e300])),
    "a horizon that is no number": changed(window_edges_s=np.array([0.0, np.nan])),
    "made at no time": changed(made_at_s=np.array(np.nan)),
    "made at 1e300": changed(made_at_s=np.array(1e300)),
}

# What is wrong with a service concerns that service alone.
QUARANTINE: dict[str, Callable[[Path], None]] = {
    "a service twice": repeated,
    "probability above one": changed(exceedance=np.full((1, 1, 1), 1.5)),
    "probability below zero": changed(exceedance=np.full((1, 1, 1), -0.5)),
    "rising probabilities": changed(**FALLING),
    "half a curve": changed(**FALLING | {"exceedance": np.array([[[0.9, np.nan]]])}),
    "demand of 1e300": changed(demand_edges=np.array([[0.0, 1e300]])),
    "negative demand": changed(demand_edges=np.array([[0.0, -5.0]])),
    "demand that is no number": changed(demand_edges=np.array([[0.0, np.nan]])),
    "infinite demand": changed(demand_edges=np.array([[0.0, np.inf]])),
}

SAYS: dict[Callable[[Path], None], str] = {
    a_folder: "is no file",
    a_pipe: "is no file",
    huge: "more than 134217728 bytes unpacked",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "forecasts.npz"
    save_bundle(whole(), path)
    return path


def poll(bundles: Bundles, now: float = NOW_S) -> bool:
    return asyncio.run(bundles.poll(now))


def test_a_good_bundle_is_in_force_and_read_once(path: Path) -> None:
    bundles = Bundles(path, load_bundle)
    assert poll(bundles)
    assert bundles.bundle is not None
    assert bundles.bundle.services == (SERVICE,)
    assert bundles.fault(NOW_S) == ""
    assert not poll(bundles, NOW_S + 3600.0)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_bundle_that_is_spoiled_is_out_of_force_at_once_and_back_with_a_good_one(
    path: Path, damage: Callable[[Path], None]
) -> None:
    bundles = Bundles(path, load_bundle)
    poll(bundles)
    damage(path)
    assert poll(bundles, NOW_S + 1.0)
    assert bundles.bundle is None
    why = bundles.fault(NOW_S + 1.0)
    assert str(path) in why
    assert "\n" not in why
    assert SAYS.get(damage, "") in why
    assert why.endswith("deciding as Knative alone would")
    assert not poll(bundles, NOW_S + 2.0)
    if path.is_dir():
        path.rmdir()
    save_bundle(whole(), path)
    assert poll(bundles, NOW_S + 3.0)
    assert bundles.bundle is not None
    assert bundles.fault(NOW_S + 3.0) == ""


@pytest.mark.parametrize("damage", QUARANTINE.values(), ids=QUARANTINE.keys())
def test_a_service_that_is_spoiled_loses_its_curve_and_the_bundle_stays_in_force(
    path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="autoscaler.advisor.bundles")
    bundles = Bundles(path, load_bundle)
    poll(bundles)
    assert not bundles.refused
    damage(path)
    assert poll(bundles, NOW_S + 1.0)
    assert bundles.fault(NOW_S + 1.0) == ""
    assert bundles.bundle is not None
    assert np.isnan(bundles.bundle.exceedance).all()
    assert bundles.bundle.reason[0].startswith("quarantined: ")
    assert bundles.refused.services >= 1
    os.utime(path, (NOW_S, NOW_S))
    assert poll(bundles, NOW_S + 2.0)  # another file with the same in it
    (said,) = [record.message for record in caplog.records]
    assert f"{SERVICE}: " in said
    save_bundle(whole(), path)
    assert poll(bundles, NOW_S + 3.0)
    assert not bundles.refused
    assert caplog.records[-1].message.startswith("nothing of the bundle refused any more")


def test_a_bundle_over_a_limit_is_counted(path: Path) -> None:
    refusals = Refusals()
    bundles = Bundles(path, load_bundle, refusals)
    huge(path)
    poll(bundles)
    assert bundles.bundle is None
    assert refusals.counts == {BUNDLE_UNPACKED.name: 1}


def test_a_bundle_written_in_place_is_in_force_once_it_is_whole(path: Path) -> None:
    data = path.read_bytes()
    bundles = Bundles(path, load_bundle)
    with path.open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        poll(bundles)
        assert bundles.bundle is None
        file.write(data[len(data) // 2 :])
    assert poll(bundles, NOW_S + 1.0)
    assert bundles.bundle is not None


@contextmanager
def without_rights(path: Path, *, again: int = 0o644) -> Iterator[None]:
    """Nobody may read what is there, and we are nobody. again: the mode that it has then."""
    path.chmod(0)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(NOBODY)
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(again)


def test_a_bundle_that_may_not_be_read_is_taken_up_when_it_may(path: Path) -> None:
    bundles = Bundles(path, load_bundle)
    with without_rights(path):
        poll(bundles)
        assert "Permission denied" in bundles.fault(NOW_S)
    assert poll(bundles, NOW_S + 1.0)
    assert bundles.bundle is not None


def test_a_bundle_past_its_horizon_is_stale_and_says_since_when(path: Path) -> None:
    bundles = Bundles(path, load_bundle)
    poll(bundles)
    end_s = whole().made_at_s + 660.0
    assert bundles.fault(end_s - 0.1) == ""
    assert bundles.fault(end_s).startswith("the newest ended at 2023-11-14T22:23:20Z; ")


def test_a_bundle_from_the_future_is_not_in_force_and_says_when_it_will_be(path: Path) -> None:
    save_bundle(replace(whole(), made_at_s=NOW_S + 86_400.0), path)
    bundles = Bundles(path, load_bundle)
    poll(bundles)
    assert bundles.fault(NOW_S).startswith("the newest begin at 2023-11-15T22:13:20Z, ")
    assert bundles.fault(NOW_S + 86_400.0) == ""


def test_a_folder_that_may_not_be_looked_into_hides_no_bundle_for_long(path: Path) -> None:
    bundles = Bundles(path, load_bundle)
    poll(bundles)
    with without_rights(path.parent, again=0o700):
        poll(bundles, NOW_S + 1.0)
        assert "Permission denied" in bundles.fault(NOW_S)
    assert poll(bundles, NOW_S + 2.0)  # the file itself is as it was
    assert bundles.bundle is not None


class Loader:
    """Fails as told; remembers in which thread it was asked."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.asked = 0
        self.threads: set[int] = set()

    def __call__(self, path: Path) -> ForecastBundle:
        self.asked += 1
        self.threads.add(threading.get_ident())
        if self.faults:
            raise self.faults.pop(0)
        return whole()


def test_a_file_is_read_in_a_thread_of_its_own(path: Path) -> None:
    loader = Loader()
    poll(Bundles(path, loader))
    assert loader.threads
    assert threading.get_ident() not in loader.threads


def test_an_equal_time_and_size_hide_no_other_file(path: Path) -> None:
    loader, stat = Loader(), path.stat()
    bundles = Bundles(path, loader)
    poll(bundles)
    other = path.with_name("other.npz")
    other.write_bytes(bytes(stat.st_size))
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (stat.st_mtime_ns, stat.st_size)
    assert poll(bundles, NOW_S + 1.0)
    assert loader.asked == 2


def test_a_fault_of_ours_in_reading_is_no_bundle_and_ends_nothing(path: Path) -> None:
    loader = Loader()
    loader.faults = [TypeError("a fault of ours")]
    bundles = Bundles(path, loader)
    poll(bundles)
    assert "a fault of ours" in bundles.fault(NOW_S)


def test_what_failed_though_it_looks_the_same_is_read_again_now_and_then(path: Path) -> None:
    loader = Loader()
    loader.faults = [MemoryError(), MemoryError()]
    bundles = Bundles(path, loader)
    for second in range(int(2 * RETRY_S) + 2):
        poll(bundles, NOW_S + second)
    assert loader.asked == 3
    assert bundles.bundle is not None
