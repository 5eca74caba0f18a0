from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.state.services import LOAD_S
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.simulator.arrivals import SHORTEST_S, Requests, draw, measure
from benchmarks.traces.trace import Trace

GAP = np.nan
START_S = 1_612_051_200.0


def trace(counts: list[list[float]] | FloatArray, **changes: Any) -> Trace:
    array = np.asarray(counts, dtype=np.float64)
    fields: dict[str, Any] = {
        "services": tuple(f"shop/{i}" for i in range(len(array))),
        "start_s": START_S,
        "step_s": 60.0,
        "counts": array,
        "duration_s": np.full(array.shape, np.nan),
        "kind": "counts",
    }
    return Trace(**fields | changes)


def steps_of(requests: Requests, service: int, step_s: float = 60.0) -> list[int]:
    own = slice(*requests.offset[service : service + 2])
    return list(np.floor((requests.arrival_s[own] - START_S) / step_s).astype(int))


@pytest.mark.parametrize("kind", ["counts", "in_flight"])
@pytest.mark.parametrize("count", [1e9, 1e300, np.finfo(np.float64).max])
def test_more_requests_than_memory_holds_are_refused(kind: str, count: float) -> None:
    with pytest.raises(PermanentError, match=r"requests; allowed: 300,000,000, as each is drawn"):
        draw(trace([[count, 0], [1, count]], kind=kind), service_s=0.2, seed=1)


def test_every_request_of_the_trace_comes_inside_its_step() -> None:
    requests = draw(trace([[2, 0, 3], [0, 1, 0]]), service_s=0.2, seed=1)
    assert steps_of(requests, 0) == [0, 0, 2, 2, 2]
    assert steps_of(requests, 1) == [1]
    assert requests.offset.tolist() == [0, 5, 6]


def test_requests_of_a_service_come_in_order() -> None:
    requests = draw(trace([[50, 40], [30, 20]]), service_s=0.2, seed=1)
    for begin, end in zip(requests.offset[:-1], requests.offset[1:], strict=True):
        assert (np.diff(requests.arrival_s[begin:end]) >= 0).all()


def test_a_gap_has_no_requests() -> None:
    assert steps_of(draw(trace([[1, GAP, 1]]), service_s=0.2, seed=0), 0) == [0, 2]


@pytest.mark.parametrize("kind", ["counts", "in_flight"])
def test_the_same_seed_draws_the_same_instants_and_another_seed_others(kind: str) -> None:
    drawn = [
        draw(trace([[3, 0, 5]], kind=kind), service_s=0.2, seed=seed).arrival_s
        for seed in (4, 4, 5)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_requests_take_their_steps_mean_duration_where_the_trace_has_it() -> None:
    given = trace([[1, 1, 1]], duration_s=np.array([[1.5, np.nan, 0.25]]))
    assert draw(given, service_s=0.2, seed=0).service_s.tolist() == [1.5, 0.2, 0.25]


def test_a_fractional_count_is_right_on_average() -> None:
    requests = draw(trace(np.full((1, 10_000), 1.25)), service_s=0.2, seed=0)
    counts = np.bincount(steps_of(requests, 0))
    assert set(counts.tolist()) == {1, 2}
    assert abs(counts.mean() - 1.25) < 0.02


def test_a_run_of_a_level_in_flight_is_one_request_that_lasts_until_its_end() -> None:
    requests = draw(trace([[0, 2, 1, 1, 0, 1]], kind="in_flight"), service_s=0.2, seed=3)
    ends = requests.arrival_s + requests.service_s - START_S
    assert sorted(zip(steps_of(requests, 0), np.round(ends, 3).tolist(), strict=True)) == [
        (1, 120.0),
        (1, 240.0),
        (5, 360.0),
    ]


def test_a_gap_ends_a_run_in_flight() -> None:
    requests = draw(trace([[1, GAP, 1]], kind="in_flight"), service_s=0.2, seed=3)
    assert steps_of(requests, 0) == [0, 2]
    assert (requests.service_s <= 60.0).all()


def made(arrivals_s: list[float], service_s: list[float]) -> Requests:
    order = np.argsort(arrivals_s, kind="stable")
    return Requests(
        arrival_s=START_S + np.array(arrivals_s, dtype=np.float64)[order],
        service_s=np.array(service_s, dtype=np.float64)[order],
        offset=np.array([0, len(arrivals_s)]),
    )


@st.composite
def calls(draw: st.DrawFn) -> Requests:
    """Requests in four minutes, on whole milliseconds, some longer than what is left."""
    n = draw(st.integers(0, 12))
    arrivals = draw(st.lists(st.integers(0, 239_999), min_size=n, max_size=n))
    service = draw(st.lists(st.integers(0, 100_000), min_size=n, max_size=n))
    return made([a / 1000 for a in arrivals], [s / 1000 for s in service])


def crest(requests: Requests, first: float, seconds: int) -> float:
    """The greatest load, second by second, request by request."""

    def mean(begin: float, end: float) -> float:
        until = requests.arrival_s + np.maximum(requests.service_s, SHORTEST_S)
        pairs = zip(requests.arrival_s, until, strict=True)
        shared = sum(max(0.0, min(b, end) - max(a, begin)) for a, b in pairs)
        return float(shared / (end - begin))

    return max(
        min(mean(at, at + 1), mean(at + 1 - LOAD_S, at + 1)) for at in first + np.arange(seconds)
    )


@settings(max_examples=40, deadline=None)
@given(calls())
def test_the_peak_is_the_greatest_load(requests: Requests) -> None:
    demand = measure(requests, trace(np.zeros((1, 4))), step_s=60.0, capacity=1.0)
    slow = [crest(requests, START_S + 60.0 * step, 60) for step in range(4)]
    np.testing.assert_allclose(demand.peak[0], slow, atol=2e-6)


@settings(max_examples=40, deadline=None)
@given(calls(), st.sampled_from([1.0, 15.0, 60.0, 120.0]))
def test_a_step_with_a_request_never_has_a_peak_of_nothing(
    requests: Requests, step_s: float
) -> None:
    demand = measure(requests, trace(np.zeros((1, 4))), step_s=step_s, capacity=1.0)
    assert demand.arrivals.sum() == len(requests.arrival_s)
    assert (demand.peak[demand.arrivals > 0] > 0).all()


def test_one_long_request_is_in_flight_in_every_second_that_it_lasts() -> None:
    demand = measure(made([59.5], [61.0]), trace([[0, 0, 0]]), step_s=60.0, capacity=1.0)
    assert demand.arrivals.tolist() == [[1, 0, 0]]
    assert demand.peak.tolist() == [[0.1, 1.0, 0.5]]


def test_what_the_trace_does_not_know_stays_a_gap() -> None:
    known = trace([[0, GAP, 0]])
    demand = measure(made([30.0], [90.0]), known, step_s=60.0, capacity=2.0)
    assert np.isnan(demand.arrivals).tolist() == [[False, True, False]]
    assert np.isnan(demand.peak).tolist() == [[False, True, False]]
    assert demand.capacity.tolist() == [2.0]


def test_a_finer_step_than_the_traces_keeps_its_gaps() -> None:
    demand = measure(made([], []), trace([[0, GAP]]), step_s=30.0, capacity=1.0)
    assert np.isnan(demand.peak).tolist() == [[False, False, True, True]]


@pytest.mark.parametrize("counts", [[[0, GAP, 0, 0]], [[GAP, 0, 0, 0]]])
def test_a_coarser_step_with_a_gap_inside_is_a_gap(counts: list[list[float]]) -> None:
    demand = measure(made([], []), trace(counts), step_s=120.0, capacity=1.0)
    assert np.isnan(demand.peak).tolist() == [[True, False]]


def test_a_rest_shorter_than_a_step_is_left_out() -> None:
    demand = measure(made([], []), trace([[0] * 5]), step_s=120.0, capacity=1.0)
    assert demand.n_steps == 2
