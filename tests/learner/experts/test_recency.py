"""What was counted after pauses of each length is what is said after the next one."""

from dataclasses import replace

import numpy as np

from autoscaler.core.types import FloatArray
from learner.demand import Demand
from learner.experts.recency import COUNTED_STEPS, MOST_CELLS, PAUSES, Recency
from learner.models import RECENT_STEPS
from learner.models.known_rows import KnownRows
from learner.state.carried import CarriedState
from tests.learner.state.oracle import demand_of, mixed_need

WINDOWS = (0, 1, 5)


def said(recency: Recency, demand: Demand, origin: int) -> FloatArray:
    """(n, n_windows, n_cells) at one origin."""
    return np.asarray(recency.predict(demand, np.array([origin])).exceedance[:, 0], np.float64)


def named(need: FloatArray, *names: str) -> Demand:
    demand = demand_of(need)
    return Demand(
        services=names, start_s=demand.start_s, step_s=demand.step_s, arrivals=need, peak=need,
        capacity=np.ones(len(need)),
    )  # fmt: skip


def pairs_of_calls(n_steps: int) -> FloatArray:
    """Two calls, three steps apart, every two hours."""
    return np.isin(np.arange(n_steps) % 120, (0, 3))[None].astype(np.float64)


def test_a_call_soon_after_the_first_one_is_expected_and_none_after_the_second() -> None:
    need = pairs_of_calls(COUNTED_STEPS)
    recency = Recency(WINDOWS).fit(demand_of(need))
    # Of the pauses of 1 to 4 steps a third is that between the two calls.
    after_one, quiet = said(recency, demand_of(need), 1), said(recency, demand_of(need), 100)
    assert 0.3 < after_one[0, 1, 0] < 0.8
    assert quiet[0, :, 0].max() < 0.1


def test_nothing_later_than_the_origin_has_a_part_in_it() -> None:
    need = mixed_need(700, seed=1)
    recency = Recency(WINDOWS).fit(demand_of(need))
    changed = need.copy()
    changed[:, 500:] = 0.0
    for origin in (0, 1, 300, 500):
        before, after = (said(recency, demand_of(each), origin) for each in (need, changed))
        np.testing.assert_array_equal(before, after)


def test_the_last_steps_are_enough_where_rows_are_known() -> None:
    need = mixed_need(700, seed=2)
    need[:, 700 - PAUSES[-1] + 5 :] = 0.0  # for nearly as long as is told apart
    demand = demand_of(need)
    recency = Recency(WINDOWS).fit(demand)
    rows = CarriedState().newest_rows(demand, WINDOWS)
    at_end = replace(rows.rows, origin=np.full(len(rows.rows), RECENT_STEPS))
    found = recency.predict(
        demand.last(RECENT_STEPS), np.array([RECENT_STEPS]), replace(rows, rows=at_end)
    )
    expected = recency.predict(demand, np.array([700]), rows)
    np.testing.assert_array_equal(found.exceedance, expected.exceedance)


def test_the_newest_rows_are_answered_as_the_series_are() -> None:
    need = mixed_need(700, seed=2)
    demand = demand_of(need)
    recency = Recency(WINDOWS).fit(demand)
    rows: KnownRows = CarriedState().newest_rows(demand, WINDOWS)
    newest = recency.predict(demand, np.array([700]), rows).exceedance
    np.testing.assert_array_equal(newest, recency.predict(demand, np.array([700])).exceedance)


def test_of_a_service_that_it_does_not_know_it_says_what_holds_for_all() -> None:
    need = pairs_of_calls(COUNTED_STEPS)
    recency = Recency(WINDOWS).fit(named(np.repeat(need, 30, axis=0), *map(str, range(30))))
    known, unknown = (said(recency, named(need, name), 100) for name in ("7", "new"))
    np.testing.assert_allclose(unknown, known, atol=0.01)


def test_of_levels_above_its_last_one_it_says_what_it_does_of_that() -> None:
    need = np.full((1, 300), 40.0)
    recency = Recency(WINDOWS).fit(demand_of(need))
    assert recency.shares_.shape[1] == MOST_CELLS
    exceedance = said(recency, demand_of(need), 300)
    assert exceedance.shape[2] > MOST_CELLS
    np.testing.assert_array_equal(exceedance[0, :, MOST_CELLS], exceedance[0, :, MOST_CELLS - 1])


def test_what_came_in_gaps_is_not_counted() -> None:
    need = pairs_of_calls(COUNTED_STEPS)
    gaps = need.copy()
    gaps[0, 2_000:4_000] = np.nan
    whole, some = (said(Recency(WINDOWS).fit(demand_of(each)), demand_of(need), 1)
                   for each in (need, gaps))  # fmt: skip
    np.testing.assert_allclose(some, whole, atol=0.03)


def test_a_past_of_nothing_is_answered() -> None:
    nothing = demand_of(np.full((2, 10), np.nan))
    exceedance = said(Recency(WINDOWS).fit(nothing), nothing, 10)
    assert np.isfinite(exceedance).all()
    assert ((exceedance >= 0) & (exceedance <= 1)).all()
