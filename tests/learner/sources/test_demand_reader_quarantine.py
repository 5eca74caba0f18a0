"""Impossible series and samples are gaps of their service, and of no other."""

from typing import Any

import numpy as np
import pytest

from learner.sources.demand_reader import PrometheusReader
from learner.status import LearnerStatus
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


@pytest.mark.parametrize(
    ("series", "why"),
    [
        ([(CART, points(1, 1, 1, 1))] * 2, "a series twice; allowed: once"),
        ([(CART, [(660, "1"), (600, "1")])], "times out of order or twice"),
        ([(CART, [(600, "1"), (600, "1")])], "times out of order or twice"),
        ([(CART, [(601, "1")])], "times off the grid of 60 s"),
        ([(CART, points(1, start_s=0))], "times outside the range"),
        ([(CART, [(1e300, "1")])], "times outside the range"),
        ([(CART, [(600, "many")])], "could not convert"),
        ([(CART, [(600, ["1"])])], "no pairs of numbers"),
        ([(CART, [(float("inf"), "1")])], "times that are no numbers"),
        ([(CART, [(600,)])], "index out of range"),
        ([(CART, [(int("9" * 400), "1")])], "int too large"),
        ([(CART | {"pod": str(i)}, points(1)) for i in range(201)], "201 series"),
    ],
)
def test_a_service_whose_series_is_none_is_a_gap_and_named_and_no_other_is(
    server: FakePrometheus, series: Any, why: str
) -> None:
    server.answer = always(matrix(*series, (PAY, points(1, 2, 4, 8))))
    demand = read(server.url)
    assert demand.services == ("shop/cart", "till/pay")
    assert list(demand.quarantined) == ["shop/cart"]
    assert why in demand.quarantined["shop/cart"]
    np.testing.assert_array_equal(demand.arrivals, [[np.nan] * 3, [1, 2, 4]])
    np.testing.assert_array_equal(demand.peak, [[np.nan] * 3, [2, 4, 8]])


@pytest.mark.parametrize(
    ("value", "shown", "limit"),
    [
        ("+Inf", "inf", "count"),
        ("-Inf", "-inf", "count"),
        ("-1", "-1", "count"),
        ("NaN", "nan", "count"),
        ("1e300", "1e+300", "count"),
        ("1e9", "1e+09", "service_pods"),
        ("150001", "150001", "service_pods"),
    ],
)
def test_a_peak_that_cannot_be_is_a_gap_of_its_service_counted_and_named(
    server: FakePrometheus, value: str, shown: str, limit: str
) -> None:
    peaks = [*points(1, 2), (720, value), *points(3, start_s=780)]
    server.answer = series_by_query(
        matrix((CART, points(1, 2, 3, 4)), (PAY, points(1, 2, 3, 4))),
        matrix((CART, peaks), (PAY, points(1, 2, 3, 4))),
    )
    status = LearnerStatus()
    reader = PrometheusReader(server.url, capacity=1.0, status=status)
    demand = reader.read(start_s=600, end_s=780, step_s=60)
    np.testing.assert_array_equal(demand.peak, [[2, np.nan, 3], [2, 3, 4]])
    np.testing.assert_array_equal(demand.arrivals, [[1, np.nan, 1], [1, 1, 1]])
    said = f"samples that cannot be: 1, such as {shown}"
    assert demand.quarantined == {"shop/cart": said}
    assert status.refusals.counts == {limit: 1}


def test_a_counter_that_cannot_be_is_a_gap_and_counted_on_after_it(server: FakePrometheus) -> None:
    totals = [*points(5, 7), (720, "-4"), (780, "9"), (840, "2e15"), (900, "11"), (960, "12")]
    n = len(totals)
    server.answer = series_by_query(
        matrix((CART, totals)), matrix((CART, points(*[1] * n)), (PAY, points(*[1] * n)))
    )
    demand = read(server.url, n_steps=n - 1)
    # What fell to 11 has restarted from zero, as far as anybody can know.
    expected = [2, np.nan, np.nan, np.nan, 11, 1]
    np.testing.assert_array_equal(demand.arrivals[0], expected)
    np.testing.assert_array_equal(demand.peak[1], [1] * (n - 1))


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"service": "cart"},
        {"namespace": "shop/x", "service": "cart"},
        {"namespace": "shop", "service": "x/cart"},
        {"namespace": "shop", "service": "x" * 400},
        {"namespace": "shop", "service": "\x1b[2J"},
        {"namespace": "shop", "service": "cart", "pod": "x" * 9000},
    ],
)
def test_a_series_that_does_not_say_whose_it_is_is_left_out_and_said_once(
    server: FakePrometheus, labels: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = always(matrix((labels, points(1, 1, 1, 1)), (PAY, points(1, 2, 4, 8))))
    reader = PrometheusReader(server.url, capacity=1.0)
    for _ in range(3):
        demand = reader.read(start_s=600, end_s=780, step_s=60)
        assert demand.services == ("till/pay",)
        assert demand.arrivals.tolist() == [[1, 2, 4]]
    said = [m for m in caplog.messages if m.startswith("unhealthy ") and "left out" in m]
    assert len(said) == 2  # of either query
