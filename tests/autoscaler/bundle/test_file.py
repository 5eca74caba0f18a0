import contextlib
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.bundle.file import MAGIC, VERSION, load_bundle, save_bundle
from autoscaler.core.prediction.dependencies import COLUMNS, KINDS, Edges, Origin
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.errors import PermanentError
from autoscaler.refusals import LimitError


@pytest.fixture
def bundle() -> ForecastBundle:
    exceedance = np.array([[[0.9, 0.5, 0.0], [0.95, 0.7, 0.1]], np.full((2, 3), np.nan)])
    return ForecastBundle(
        services=("shop/cart", "shop/ünïcode"),
        made_at_s=1_700_000_060.0,
        fitted_at_s=1_700_000_000.0,
        window_edges_s=np.array([0.0, 60.0, 300.0]),
        demand_edges=np.array([[0.0, 1.0, 2.0, 3.0], [0.0, 10.0, 10.0, 10.0]]),
        exceedance=exceedance,
        model=("pooled", ""),
        reason=("", "too short: 3 steps"),
        edges=Edges(
            services=("shop/browse", "shop/cart"),
            upstream=np.array([0]),
            downstream=np.array([1]),
            lag_s=np.array([2.5]),
            gain=np.array([np.nan]),
            probability=np.array([0.9]),
            confidence=np.array([0.99]),
            evidence=np.array([40.0]),
            seen_at_s=np.array([1_700_000_000.0]),
            direct=np.array([True]),
            origin=np.array([int(Origin.LEARNED_STARTS)]),
        ),
    )


def same(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray):
        return np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
    if is_dataclass(left):
        return all(same(getattr(left, f.name), getattr(right, f.name)) for f in fields(right))
    return bool(left == right)


def rewritten(path: Path, **changes: Any) -> Path:
    """The same archive with arrays changed, or left out where the change is None."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    kept = {name: array for name, array in (arrays | changes).items() if array is not None}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=True, **kept)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(PermanentError) as caught:
        load_bundle(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_what_is_saved_is_what_is_loaded(bundle: ForecastBundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "bundle.npz")
    assert same(load_bundle(tmp_path / "bundle.npz"), bundle)


def test_a_service_may_have_a_forecast_for_some_windows_only(
    bundle: ForecastBundle, tmp_path: Path
) -> None:
    exceedance = bundle.exceedance.copy()
    exceedance[0, 1] = np.nan
    partial = replace(bundle, exceedance=exceedance)
    save_bundle(partial, tmp_path / "bundle.npz")
    assert same(load_bundle(tmp_path / "bundle.npz"), partial)


def test_a_bundle_of_no_services_survives(bundle: ForecastBundle, tmp_path: Path) -> None:
    empty = replace(
        bundle,
        services=(),
        demand_edges=np.zeros((0, 4)),
        exceedance=np.zeros((0, 2, 3)),
        model=(),
        reason=(),
    )
    save_bundle(empty, tmp_path / "bundle.npz")
    assert same(load_bundle(tmp_path / "bundle.npz"), empty)


def test_the_file_is_replaced_and_no_draft_is_left(bundle: ForecastBundle, tmp_path: Path) -> None:
    path = tmp_path / "bundle"  # the name is taken as given, no suffix is added
    save_bundle(bundle, path)
    save_bundle(replace(bundle, made_at_s=1_700_000_120.0), path)
    assert load_bundle(path).made_at_s == 1_700_000_120.0
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named_and_left_clean(
    bundle: ForecastBundle, tmp_path: Path
) -> None:
    with pytest.raises(PermanentError, match=r"nowhere/bundle\.npz cannot be written: No such"):
        save_bundle(bundle, tmp_path / "nowhere" / "bundle.npz")
    (tmp_path / "taken").mkdir()
    with pytest.raises(PermanentError, match=r"taken cannot be written: Is a directory"):
        save_bundle(bundle, tmp_path / "taken")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(tmp_path / "bundle.npz")


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x93NUMPY\x01\x00", b"PK"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bundle.npz"
    path.write_bytes(content)
    assert "no npz archive" in refusal(path)


def test_an_npz_of_something_else_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "bundle.npz"
    np.savez(path, counts=np.zeros(3), ids=np.array(["a"]))
    assert "holds counts, ids" in refusal(path)


def test_another_version_is_refused_with_both_versions(
    bundle: ForecastBundle, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.npz"
    save_bundle(bundle, path)
    message = refusal(rewritten(path, version=np.array(VERSION + 1)))
    assert f"{MAGIC} of version {VERSION + 1}; allowed: {VERSION}" in message
    assert "of version none" in refusal(rewritten(path, version=None))


def test_objects_are_never_unpickled(bundle: ForecastBundle, tmp_path: Path) -> None:
    path = tmp_path / "bundle.npz"
    save_bundle(bundle, path)
    assert "objects" in refusal(rewritten(path, model=np.array([{}, []], dtype=object)))


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"exceedance": None}, "lacks the array exceedance"),
        ({"services": np.zeros(2)}, "services is float64 of 1 dimensions; allowed: text of 1"),
        ({"made_at_s": np.zeros(2)}, "made_at_s is float64 of 1 dimensions"),
        ({"model": np.array(["a"])}, "model has shape (1,); allowed: (2,)"),
        ({"demand_edges": np.zeros((2, 3))}, "demand_edges has shape (2, 3); allowed: (2, 4)"),
        ({"window_edges_s": np.array([0.0, 9.0, 9.0])}, "window_edges_s is out of range"),
        ({"made_at_s": np.array(np.inf)}, "made_at_s and fitted_at_s is out of range"),
        ({"exceedance": np.zeros((2, 2, 0)), "demand_edges": np.zeros((2, 1))}, "no cells"),
        ({"exceedance": np.zeros((2, 2, 3), np.longdouble)}, "exceedance is float128"),
        ({"services": np.array(["a", "b"]).astype(">U1")}, "services is >U1"),
        ({"edge_upstream": np.array([0.0])}, "edge_upstream is float64 of 1 dimensions"),
        ({"edge_lag_s": np.array([1.0, 2.0])}, "edge_lag_s has shape (2,); allowed: (1,)"),
        ({"edge_direct": None}, "lacks the array edge_direct"),
        ({"edge_origin": np.array([[3]])}, "edge_origin is int64 of 2 dimensions"),
    ],
)
def test_what_is_wrong_with_the_whole_is_refused_whole(
    bundle: ForecastBundle, tmp_path: Path, changes: dict[str, Any], part: str
) -> None:
    path = tmp_path / "bundle.npz"
    save_bundle(bundle, path)
    assert part in refusal(rewritten(path, **changes))


def test_a_file_cut_anywhere_is_refused(bundle: ForecastBundle, tmp_path: Path) -> None:
    path = tmp_path / "bundle.npz"
    save_bundle(bundle, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        refusal(path)


def test_a_flipped_byte_is_refused_or_harmless(bundle: ForecastBundle, tmp_path: Path) -> None:
    path = tmp_path / "bundle.npz"
    save_bundle(bundle, path)
    whole = path.read_bytes()
    rng = np.random.default_rng(7)
    for position in rng.choice(len(whole), 400, replace=False):
        damaged = bytearray(whole)
        damaged[position] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        with contextlib.suppress(PermanentError):
            assert same(load_bundle(path), bundle)


KEY, OTHER = b"k" * 32, b"o" * 32


def test_a_signed_bundle_is_loaded_with_its_key_and_with_no_other(
    bundle: ForecastBundle, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.npz"
    save_bundle(bundle, path, KEY)
    assert same(load_bundle(path, KEY), bundle)
    with pytest.raises(PermanentError, match=r"bundle\.npz: its signature is wrong"):
        load_bundle(path, OTHER)
    assert "it is signed" in refusal(path)
    assert "(--key)" in refusal(path)


def test_with_a_key_an_unsigned_bundle_is_refused(bundle: ForecastBundle, tmp_path: Path) -> None:
    path = tmp_path / "bundle.npz"
    save_bundle(bundle, path)
    with pytest.raises(PermanentError, match=r"bundle\.npz: it is not signed"):
        load_bundle(path, KEY)


@pytest.mark.parametrize(
    ("limit", "changes"),
    [
        (
            "bundle_cells",
            {"exceedance": np.zeros((2, 2, 257)), "demand_edges": np.zeros((2, 258))},
        ),
        (
            "bundle_windows",
            {"exceedance": np.zeros((2, 65, 3)), "window_edges_s": np.arange(66.0)},
        ),
        (
            "bundle_services",
            {
                "services": np.tile("a/b", 50_001),
                "model": np.tile("", 50_001),
                "reason": np.tile("", 50_001),
                "exceedance": np.zeros((50_001, 1, 1)),
                "demand_edges": np.zeros((50_001, 2)),
                "window_edges_s": np.arange(2.0),
            },
        ),
        ("bundle_services", {"edge_services": np.tile("a/b", 50_001)}),
        ("bundle_edges", {"edge_upstream": np.zeros(100_001, np.int64)}),
    ],
)
def test_more_than_a_limit_allows_is_refused_whole_with_the_limit(
    bundle: ForecastBundle, tmp_path: Path, limit: str, changes: dict[str, Any]
) -> None:
    path = tmp_path / "bundle.npz"
    save_bundle(bundle, path)
    with pytest.raises(LimitError) as caught:
        load_bundle(rewritten(path, **changes))
    assert caught.value.limit.name == limit


def test_of_more_edges_than_a_reader_takes_the_surest_are_saved(
    bundle: ForecastBundle, tmp_path: Path
) -> None:
    n = 400  # services, each of which pulls all others
    upstream, downstream = (ends.ravel() for ends in np.divmod(np.arange(n * n), n))
    apart = upstream != downstream
    many = {"upstream": upstream[apart], "downstream": downstream[apart]}
    m = int(apart.sum())
    confidence = np.random.default_rng(1).random(m)
    edges = Edges(
        services=tuple(f"shop/s{i}" for i in range(n)),
        **many,
        **{
            name: np.ones(m, dtype=KINDS[name])
            for name in COLUMNS
            if name not in {*many, "confidence"}
        },
        confidence=confidence,
    )
    save_bundle(replace(bundle, edges=edges), tmp_path / "bundle.npz")
    kept = load_bundle(tmp_path / "bundle.npz").edges
    assert len(kept) == 100_000
    assert kept.confidence.min() == np.sort(confidence)[-100_000]
