"""A service or an edge that is wrong concerns itself alone; all others are used as they are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.bundle.file import load_bundle, save_bundle
from autoscaler.core.prediction.dependencies import COLUMNS, Edges, Origin
from autoscaler.core.prediction.forecasts import MOST_NAMED, ForecastBundle
from tests.autoscaler.bundle.test_file import rewritten

CURVE = [[0.9, 0.5, 0.0], [0.95, 0.7, 0.1]]


def edges(**columns: Any) -> Edges:
    return Edges(
        services=("shop/browse", "shop/cart", "till/pay"),
        upstream=np.array([0, 1]),
        downstream=np.array([1, 2]),
        lag_s=np.array([2.5, np.nan]),
        gain=np.array([np.nan, 1.0]),
        probability=np.array([0.9, 0.8]),
        confidence=np.array([0.99, 0.9]),
        evidence=np.array([40.0, 50.0]),
        seen_at_s=np.array([1.7e9, 1.7e9]),
        direct=np.array([True, False]),
        origin=np.array([int(Origin.LEARNED_STARTS), int(Origin.ISTIO)]),
    )


def whole() -> ForecastBundle:
    """Three services and two edges."""
    return ForecastBundle(
        services=("shop/browse", "shop/cart", "till/pay"),
        made_at_s=1_700_000_060.0,
        fitted_at_s=1_700_000_000.0,
        window_edges_s=np.array([0.0, 60.0, 300.0]),
        demand_edges=np.tile([0.0, 1.0, 2.0, 3.0], (3, 1)),
        exceedance=np.tile(CURVE, (3, 1, 1)),
        model=("pooled",) * 3,
        reason=("",) * 3,
        edges=edges(),
    )


def loaded(path: Path, **changes: Any) -> ForecastBundle:
    save_bundle(whole(), path)
    return load_bundle(rewritten(path, **changes))


def with_middle(name: str, value: Any) -> Any:
    """The array of that name, with the second service's part changed."""
    array = np.array(getattr(whole(), name))
    array[1] = value
    return array


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("exceedance", 1.5, "a curve that is no probability"),
        ("exceedance", -0.5, "a curve that is no probability"),
        ("exceedance", np.inf, "a curve that is no probability"),
        ("exceedance", -1e300, "a curve that is no probability"),
        ("exceedance", [0.1, 0.2, 0.3], "a curve that rises along demand"),
        ("exceedance", [0.9, np.nan, 0.0], "NaN in the midst of a curve"),
        ("demand_edges", -1.0, "demand that does not ascend from 0"),
        ("demand_edges", [0.0, 2.0, 1.0, 3.0], "demand that does not ascend from 0"),
        ("demand_edges", [0.0, 1.0, np.nan, 3.0], "demand that does not ascend from 0"),
        ("demand_edges", [0.0, 1.0, 2.0, 1e300], "demand that does not ascend from 0"),
        ("demand_edges", [0.0, 1.0, 2.0, np.inf], "demand that does not ascend from 0"),
        ("demand_edges", [0.0, 1.0, 2.0, 1.6e8], "or beyond 1.5e+08"),
    ],
)
def test_a_service_out_of_range_loses_its_curve_and_nobody_else_does(
    tmp_path: Path, name: str, value: Any, why: str
) -> None:
    bundle = loaded(tmp_path / "bundle.npz", **{name: with_middle(name, value)})
    assert bundle.services == whole().services
    assert bundle.reason[1].startswith("quarantined: ")
    assert why in bundle.reason[1]
    assert bundle.model == ("pooled", "", "pooled")
    assert np.isnan(bundle.exceedance[1]).all()
    assert bundle.demand_edges[1].tolist() == [0, 1, 1, 1]
    np.testing.assert_array_equal(bundle.exceedance[::2], [CURVE] * 2)
    assert bundle.demand_edges[::2].tolist() == [[0, 1, 2, 3]] * 2
    assert len(bundle.edges) == 2
    assert (bundle.refused.services, bundle.refused.edges) == (1, 0)
    assert bundle.refused.which[0].startswith("shop/cart: ")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cart", "no namespace/name"),
        ("/cart", "no namespace/name"),
        ("shop/", "no namespace/name"),
        ("a/b/c", "no namespace/name"),
        ("", "no namespace/name"),
        ("shop/\x1b[2Jcart", "no namespace/name"),
        ("shop/two words", "no namespace/name"),
        ("shop/\ud800", "no namespace/name"),
        ("shop/" + "x" * 400, "a name of 405 characters; allowed: up to 317"),
    ],
)
def test_a_name_that_is_none_is_left_out_with_its_edges(
    tmp_path: Path, name: str, why: str
) -> None:
    names = np.array(["shop/browse", name, "till/pay"])
    bundle = loaded(tmp_path / "bundle.npz", services=names, edge_services=names)
    assert bundle.services == bundle.edges.services == ("shop/browse", "till/pay")
    assert bundle.exceedance.shape == (2, 2, 3)
    assert len(bundle.edges) == 0
    assert (bundle.refused.services, bundle.refused.edges) == (1, 2)
    said = str(bundle.refused)
    assert why in said
    assert said.isprintable()
    assert len(said) < 500


def test_characters_that_do_not_exist_are_a_name_that_is_none(tmp_path: Path) -> None:
    names = np.array(["shop/browse", "shop/cart", "till/pay"])
    names.view(np.uint32).reshape(3, -1)[1, 2] = 0x110000
    bundle = loaded(tmp_path / "bundle.npz", services=names)
    assert bundle.services == ("shop/browse", "till/pay")


def test_of_a_name_that_is_there_twice_neither_has_a_curve(tmp_path: Path) -> None:
    names = np.array(["shop/browse", "shop/browse", "till/pay"])
    bundle = loaded(tmp_path / "bundle.npz", services=names)
    assert bundle.services == ("shop/browse", "till/pay")
    assert bundle.reason == ("quarantined: named twice", "")
    assert np.isnan(bundle.exceedance[0]).all()


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("origin", -5, "of no known origin"),
        ("origin", 99, "of no known origin"),
        ("origin", 2**31, "of no known origin"),
        ("seen_at_s", 1e300, "seen_at_s out of range; allowed: 0 to 1e+11"),
        ("seen_at_s", np.inf, "seen_at_s out of range"),
        ("seen_at_s", -1.0, "seen_at_s out of range"),
        ("gain", 1e30, "gain out of range; allowed: 0 to 1e+06"),
        ("gain", np.inf, "gain out of range"),
        ("lag_s", 1e308, "lag_s out of range; allowed: 0 to 86400"),
        ("lag_s", 86_401.0, "lag_s out of range"),
        ("lag_s", -1.0, "lag_s out of range"),
        ("probability", 1.5, "probability out of range; allowed: 0 to 1"),
        ("confidence", 1.5, "confidence out of range"),
        ("evidence", 1e300, "evidence out of range"),
        ("upstream", 7, "an end that is no service"),
        ("downstream", -1, "an end that is no service"),
        ("downstream", 2**62, "an end that is no service"),
        ("upstream", 1, "leads to itself"),
    ],
)
def test_an_edge_out_of_range_is_left_out_and_no_other(
    tmp_path: Path, column: str, value: Any, why: str
) -> None:
    values = getattr(edges(), column).copy()
    values[0] = value
    bundle = loaded(tmp_path / "bundle.npz", **{f"edge_{column}": values})
    kept = edges().where(np.array([1]))
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(bundle.edges, name), getattr(kept, name))
    assert (bundle.refused.services, bundle.refused.edges) == (0, 1)
    assert why in bundle.refused.which[0]
    assert set(bundle.reason) == {""}


def test_what_is_refused_is_counted_whole_and_named_in_part(tmp_path: Path) -> None:
    n = 500
    bundle = replace(
        whole(),
        services=tuple(f"shop/s{i}" for i in range(n)),
        demand_edges=np.full((n, 4), np.nan),
        exceedance=np.tile(CURVE, (n, 1, 1)),
        model=("pooled",) * n,
        reason=("",) * n,
    )
    save_bundle(bundle, tmp_path / "bundle.npz")
    refused = load_bundle(tmp_path / "bundle.npz").refused
    assert (refused.services, len(refused.which)) == (n, MOST_NAMED)
    assert str(refused).startswith("500 services and 0 edges were refused: shop/s0: demand")
    assert str(refused).endswith("; and 490 more")


def test_a_text_for_people_is_cut_and_cannot_forge_a_line(tmp_path: Path) -> None:
    reason = np.array(["x" * 10_000, "a\nb\x1b[2J", ""])
    bundle = loaded(tmp_path / "bundle.npz", reason=reason)
    assert len(bundle.reason[0]) == 300
    assert bundle.reason[1] == ascii("a\nb\x1b[2J")
