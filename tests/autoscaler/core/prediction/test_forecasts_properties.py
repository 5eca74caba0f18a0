"""Laws of reading curves: a lower threshold asks for more, no forecast stays none."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.prediction.forecasts import ForecastBundle, demand_at
from autoscaler.core.types import FloatArray
from tests.autoscaler.core.stories import LAW

probability = st.floats(0.0, 1.0)


@st.composite
def bundles(draw: st.DrawFn) -> ForecastBundle:
    n, n_windows, n_cells = (draw(st.integers(1, 3)) for _ in range(3))
    edges = draw(st.lists(st.floats(0.1, 9.0), min_size=n_cells, max_size=n_cells))
    falling = st.lists(probability, min_size=n_cells, max_size=n_cells)
    rows = [sorted(draw(falling), reverse=True) for _ in range(n * n_windows)]
    return ForecastBundle(
        services=tuple(f"shop/s{i}" for i in range(n)),
        made_at_s=0.0,
        fitted_at_s=0.0,
        window_edges_s=np.linspace(0.0, 60.0 * n_windows, n_windows + 1),
        demand_edges=np.tile(np.concatenate([[0.0], np.cumsum(edges)]), (n, 1)),
        exceedance=np.array(rows).reshape(n, n_windows, n_cells),
        model=("made",) * n,
        reason=("",) * n,
    )


def flat(threshold: float) -> FloatArray:
    return np.array([[threshold]])


@LAW
@given(bundle=bundles(), low=probability, high=probability)
def test_a_lower_threshold_never_reads_less_demand(
    bundle: ForecastBundle, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    assert (bundle.demand_at(flat(low)) >= bundle.demand_at(flat(high))).all()


@LAW
@given(bundle=bundles(), threshold=probability)
def test_what_is_read_is_the_quantile(bundle: ForecastBundle, threshold: float) -> None:
    demand = bundle.demand_at(flat(threshold))
    passing = (bundle.exceedance > threshold).sum(axis=2)
    edges = bundle.demand_edges[0]
    assert np.array_equal(demand, edges[passing])


@LAW
@given(bundle=bundles(), threshold=probability, data=st.data())
def test_one_missing_cell_is_no_forecast_for_that_window_alone(
    bundle: ForecastBundle, threshold: float, data: st.DataObject
) -> None:
    cell = tuple(data.draw(st.integers(0, size - 1)) for size in bundle.exceedance.shape)
    holed = bundle.exceedance.copy()
    holed[cell] = np.nan
    missing = np.isnan(replace(bundle, exceedance=holed).demand_at(flat(threshold)))
    assert missing[cell[:2]]
    assert missing.sum() == 1


@LAW
@given(bundle=bundles(), threshold=probability, data=st.data())
def test_chosen_curves_read_as_they_do_in_the_bundle(
    bundle: ForecastBundle, threshold: float, data: st.DataObject
) -> None:
    which = st.lists(st.integers(0, len(bundle.services) - 1), max_size=5)
    rows = np.array(data.draw(which), dtype=np.int64)
    chosen = demand_at(bundle.exceedance[rows], bundle.demand_edges[rows], flat(threshold))
    assert np.array_equal(chosen, bundle.demand_at(flat(threshold))[rows])
