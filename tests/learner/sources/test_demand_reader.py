"""Samples of counters and gauges become demand by step."""

import itertools

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from learner.sources.demand_reader import PrometheusReader
from tests.learner.sources.fake_prometheus import (
    CART,
    PAY,
    FakePrometheus,
    always,
    matrix,
    points,
    read,
    series_by_query,
)


def test_arrivals_are_the_growth_of_the_counter(server: FakePrometheus) -> None:
    server.answer = series_by_query(
        matrix((CART, points(5, 7, 7, 12))), matrix((CART, points(9, 1, 0, 3)))
    )
    demand = read(server.url)
    assert demand.services == ("shop/cart",)
    assert demand.arrivals.tolist() == [[2.0, 0.0, 5.0]]
    assert demand.peak.tolist() == [[1.0, 0.0, 3.0]]
    assert (demand.start_s, demand.step_s, demand.capacity.tolist()) == (600, 60, [1.0])


def test_a_counter_that_falls_has_restarted_from_zero(server: FakePrometheus) -> None:
    server.answer = series_by_query(
        matrix((CART, points(5, 7, 3, 4))), matrix((CART, points(0, 1, 1, 1)))
    )
    assert read(server.url).arrivals.tolist() == [[2.0, 3.0, 1.0]]


def test_a_missing_sample_is_a_gap(server: FakePrometheus) -> None:
    server.answer = series_by_query(
        matrix((CART, points(5, 7, None, 12, 13))), matrix((CART, points(0, 1, None, 3, 2)))
    )
    demand = read(server.url, n_steps=4)
    np.testing.assert_array_equal(demand.arrivals, [[2.0, np.nan, np.nan, 1.0]])
    np.testing.assert_array_equal(demand.peak, [[1.0, np.nan, 3.0, 2.0]])


def test_a_step_without_a_peak_was_not_watched(server: FakePrometheus) -> None:
    server.answer = series_by_query(
        matrix((CART, points(5, 5, 5, 6))), matrix((CART, points(0, 1, None, 3)))
    )
    np.testing.assert_array_equal(read(server.url).arrivals, [[0.0, np.nan, 1.0]])


def test_instances_are_differenced_one_by_one_and_added_up(server: FakePrometheus) -> None:
    first, second = CART | {"instance": "a"}, CART | {"instance": "b"}
    server.answer = series_by_query(
        matrix((first, points(100, 101, 102, None)), (second, points(50, 60, 0, 5))),
        matrix((first, points(1, 1, 1, None)), (second, points(2, 2, 2, 2))),
    )
    demand = read(server.url)
    assert demand.arrivals.tolist() == [[11.0, 1.0, 5.0]]
    assert demand.peak.tolist() == [[3.0, 3.0, 2.0]]


def test_a_gap_in_one_instance_is_a_gap_in_the_sum(server: FakePrometheus) -> None:
    first, second = CART | {"instance": "a"}, CART | {"instance": "b"}
    gauges = matrix((first, points(1, 1, None, 1)), (second, points(2, 2, 2, 2)))
    counters = matrix((first, points(0, 1, 1, 1)), (second, points(0, 0, 0, 0)))
    server.answer = series_by_query(counters, gauges)
    np.testing.assert_array_equal(read(server.url).peak, [[3.0, np.nan, 3.0]])


def test_pieces_cover_the_range_once_and_grow_when_few_series_answer(
    server: FakePrometheus,
) -> None:
    server.answer = lambda asked: matrix((CART, points(1, start_s=int(asked["start"]))))
    read(server.url, n_steps=1000, min_steps=1, max_points_per_series=500)
    counters = [asked for asked in server.asked if "requests_total" in asked["query"]]
    spans = [(int(asked["start"]), int(asked["end"])) for asked in counters]
    sizes = [(end - start) // 60 + 1 for start, end in spans]
    assert sizes == [64, 500, 437]
    assert spans[0][0] == 600
    assert spans[-1][1] == 600 + 1000 * 60
    assert all(later[0] == earlier[1] + 60 for earlier, later in itertools.pairwise(spans))


def test_windows_are_a_millisecond_short_of_a_step(server: FakePrometheus) -> None:
    server.answer = always(matrix((CART, points(1, 1, 1, 1))))
    read(server.url)
    assert {asked["query"] for asked in server.asked} == {
        "last_over_time(kn_ahead_requests_total[59999ms] offset -2s)",
        "max_over_time(kn_ahead_peak_in_flight[59999ms] offset -2s)",
    }


def test_a_request_that_no_scrape_saw_in_flight_needed_a_pod_all_the_same(
    server: FakePrometheus,
) -> None:
    server.answer = series_by_query(
        matrix((CART, points(0, 3, 3, 3.5))), matrix((CART, points(0, 0, 0, 0)))
    )
    assert read(server.url).peak.tolist() == [[1.0, 0.0, 0.5]]


def test_short_steps_are_read_from_what_is_shown_for_as_short(server: FakePrometheus) -> None:
    server.answer = always(matrix((CART, [(600.0 + 5 * i, "1") for i in range(4)])))
    PrometheusReader(server.url, capacity=1.0).read(start_s=600, end_s=615, step_s=5)
    assert "max_over_time(kn_ahead_short_peak_in_flight[4999ms] offset -4s)" in {
        asked["query"] for asked in server.asked
    }


def test_what_a_pod_takes_is_what_was_said_of_it_most_recently(server: FakePrometheus) -> None:
    server.answer = always(matrix((CART, points(1, 1, 1, 1)), (PAY, points(1, 1, 1, 1))))
    old, new = CART | {"instance": "a"}, CART | {"instance": "b"}
    server.capacity = matrix((old, points(1, 1, 1, None)), (new, points(None, None, 50, 50)))
    demand = read(server.url)
    assert dict(zip(demand.services, demand.capacity, strict=True)) == {
        "shop/cart": 50.0,
        "till/pay": 1.0,  # as the reader was told
    }


def test_what_a_pod_takes_is_remembered_while_nobody_says_it(server: FakePrometheus) -> None:
    server.answer = always(matrix((CART, points(1, 1, 1, 1))))
    reader = PrometheusReader(server.url, capacity=1.0)
    for said in (matrix((CART, points(10, 10, 10, 10))), matrix()):
        server.capacity = said
        assert reader.read(start_s=600, end_s=780, step_s=60).capacity.tolist() == [10.0]


@pytest.mark.parametrize(
    ("said", "capacity"),
    [("NaN", 3.0), ("-1", 3.0), ("0", 3.0), ("+Inf", 1000.0), ("2e9", 1000.0), ("1e-9", 0.01)],
)
def test_what_no_pod_takes_is_not_believed(
    server: FakePrometheus, said: str, capacity: float
) -> None:
    server.answer = always(matrix((CART, points(1, 1, 1, 1))))
    server.capacity = matrix((CART, [(780.0, said)]))
    reader = PrometheusReader(server.url, capacity=3.0)
    assert reader.read(start_s=600, end_s=780, step_s=60).capacity.tolist() == [capacity]


def test_more_of_the_past_than_memory_can_take_is_refused(server: FakePrometheus) -> None:
    many = [({"namespace": "shop", "service": f"s{i}"}, points(1)) for i in range(50)]
    server.answer = always(matrix(*many))
    with pytest.raises(PermanentError, match=r"the past of 50 services .* more than 83886080"):
        PrometheusReader(server.url, capacity=1.0).read(start_s=0, end_s=1.2e8, step_s=60)


@pytest.mark.parametrize(
    ("start_s", "end_s", "step_s", "part"),
    [
        (0, 600, 0.5, "step_s is 0.5; allowed: whole seconds >= 1"),
        (0, 600, 0, "step_s is 0; allowed"),
        (0, 600, float("nan"), "step_s is nan; allowed"),
        (600, 600, 60, "the range is 600 to 600; allowed"),
        (
            0,
            601,
            60,
            "the range is 0 to 601; allowed: whole seconds since 1970, a multiple of 60 s",
        ),
        (0.5, 60.5, 60, "the range is 0.5 to 60.5; allowed"),
        (-60, 600, 60, "the range is -60 to 600; allowed"),
        (0, 6e13, 60, "the range is 0 to 60000000000000.0; allowed"),
        (float("nan"), 600, 60, "the range is nan to 600; allowed"),
    ],
)
def test_a_range_that_is_none_is_refused(
    start_s: float, end_s: float, step_s: float, part: str
) -> None:
    with pytest.raises(PermanentError) as caught:
        PrometheusReader("http://localhost", capacity=1.0).read(
            start_s=start_s, end_s=end_s, step_s=step_s
        )
    assert part in str(caught.value)
