"""Spans beside each other give what simulations of each of them do."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.state.revision import Mode
from benchmarks.simulator.simulation import Policy, Simulation, World
from benchmarks.simulator.spans import SideBySide, Spans
from tests.benchmarks.simulator.test_simulation import BASE, KPA, table, world

FULL = Policy(
    name="full", revision=replace(BASE, mode=Mode.FULL, cold_price_s=60.0), forecasts="model"
)
POLICIES = [KPA, FULL]
WHOLE = ("requests", "cold_from_zero", "cold_scale_out", "started", "waits")
NAMES = (*WHOLE, "allocated_s", "busy_s", "wait_s")
SPANS = Spans(begin_s=600.0, length_s=600.0, number=3, warm_up_s=300.0)


@pytest.fixture(scope="module")
def given() -> World:
    """Called at random for forty minutes, under forecasts of each minute."""
    random = np.random.default_rng(2)
    calls = [np.sort(random.uniform(0, 2400, random.poisson(50))) for _ in range(5)]
    forecasts = table(random.uniform(0, 1, (40, 2)).tolist(), services=5)
    each = random.uniform(0, 1, forecasts.exceedance.shape).astype(np.float32)
    return world(*calls, table=replace(forecasts, exceedance=each), service_s=1.5)


def side_by_side(given: World, spans: Spans, processes: int = 1) -> SideBySide:
    made = SideBySide(given, POLICIES, spans, processes=processes)
    made.warm_up()
    return made


@pytest.mark.parametrize("first_s", [0.0, SPANS.begin_s])
def test_each_span_is_what_a_simulation_of_it_alone_is(given: World, first_s: float) -> None:
    """first_s: of all forecasts; before that there are none."""
    made_at_s = given.tables["model"].made_at_s + first_s
    given = replace(given, tables={"model": replace(given.tables["model"], made_at_s=made_at_s)})
    made = side_by_side(given, SPANS)
    found = made.run_through([60.0, SPANS.length_s], NAMES)
    for span in range(SPANS.number):
        begin_s = SPANS.begin_s + span * SPANS.length_s
        alone = Simulation(given, POLICIES, start_s=begin_s - SPANS.warm_up_s)
        alone.run(begin_s)
        alone.reset_counts()
        for end_s, counts in zip([60.0, SPANS.length_s], found, strict=True):
            alone.run(begin_s + end_s)
            expected = alone.counts(NAMES)
            for name in WHOLE:
                np.testing.assert_array_equal(counts[name][:, span], expected[name])
            for name in NAMES:
                np.testing.assert_allclose(counts[name][:, span], expected[name], rtol=1e-9)
    assert made.now == SPANS.begin_s + SPANS.number * SPANS.length_s


def test_together_they_count_each_request_once(given: World) -> None:
    made = side_by_side(given, SPANS)
    by_span = made.run_through([SPANS.length_s], NAMES)[0]
    together = made.counts(NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(together[name], by_span[name].sum(axis=1))
    at = given.requests.arrival_s
    assert abs(together["requests"][0].sum() - ((at >= 600) & (at < 2400)).sum()) <= 5


def test_a_single_span_is_the_simulation_itself(given: World) -> None:
    made = side_by_side(given, Spans(begin_s=600.0, length_s=1800.0, number=1, warm_up_s=600.0))
    alone = Simulation(given, POLICIES, start_s=0.0)
    alone.run(600.0)
    alone.reset_counts()
    alone.run(2400.0)
    (counts,) = made.run_through([1800.0], NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(counts[name][:, 0], alone.counts(NAMES)[name])
