"""Evidence comes back as it was; what is not whole is refused in one line, never half believed."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from learner.dependencies.busy_periods import busy_periods_of
from learner.dependencies.starts.evidence import TABLES, Evidence, gather
from learner.dependencies.starts.evidence_file import load_evidence, save_evidence


def evidence() -> Evidence:
    rng = np.random.default_rng(1)
    a = np.sort(rng.uniform(0.0, 40_000.0, 100))
    at, who = np.concatenate([a, a + 2.0, a + 500.0]), np.repeat([0, 1, 2], 100)
    names = ("shop/a", "shop/b", "shop/c")
    return gather(busy_periods_of(names, who, at, since_s=0.0, until_s=40_000.0))


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = evidence()
    save_evidence(kept, tmp_path / "evidence.npz")
    read = load_evidence(tmp_path / "evidence.npz")
    assert (read.services, read.until_s) == (kept.services, kept.until_s)
    for each in fields(Evidence):
        there, here = getattr(read, each.name), getattr(kept, each.name)
        if each.name in TABLES:
            np.testing.assert_allclose(there, here, rtol=1e-6)
        else:
            np.testing.assert_array_equal(there, here)


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The file with its arrays changed."""
    save_evidence(evidence(), path)
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.update(magic="a bundle"), "is something else"),
        (lambda a: a.update(version=99), "is something else"),
        (lambda a: a.pop("trials"), "lacks the array trials"),
        (lambda a: a.update(trials=a["trials"][:2]), "trials has shape"),
        (lambda a: a.update(followed=a["followed"][:-1]), "followed has shape"),
        (lambda a: a.update(trials=-a["trials"]), "trials holds a number that cannot be"),
        (
            lambda a: a.update(expected=a["expected"] * np.nan),
            "expected holds a number that cannot be",
        ),
        (lambda a: a.update(starts=-a["starts"]), "starts holds a number that cannot be"),
        (lambda a: a.update(lag_s=a["lag_s"] + np.inf), "lag_s holds a number that cannot be"),
        (lambda a: a.update(seen_at_s=a["seen_at_s"] * np.nan), "seen_at_s holds a number"),
        (lambda a: a.update(until_s=np.inf), "until_s holds a number that cannot be"),
        (lambda a: a.update(pair=a["pair"][::-1]), "its pairs are not in order"),
        (lambda a: a.update(pair=a["pair"] + 9), "its pairs are not in order"),
        (lambda a: a.update(services=np.array(["x", "x", "y"])), "holds a service twice"),
        (lambda a: a.update(trials=np.array("many")), "could not convert"),
        (lambda a: a.update(followed=np.array([None])), "damaged or holds objects"),
    ],
)
def test_what_is_not_whole_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    path = changed(tmp_path / "evidence.npz", change)
    with pytest.raises(PermanentError) as caught:
        load_evidence(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_cut_of_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evidence.npz"
    save_evidence(evidence(), path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(PermanentError):
            load_evidence(path)
