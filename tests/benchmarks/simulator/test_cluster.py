"""Pods and requests of small scenarios, counted by hand."""

import numpy as np
import pytest

from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.cluster import Cluster

START_UP_S = 5.0
ROW = np.array([0])
POKE, NO_POKE = np.array([True]), np.array([False])


def made(*services: list[tuple[float, float]]) -> Requests:
    """Each service's requests as (arrival, service time) in s."""
    flat = [request for requests in services for request in requests]
    return Requests(
        arrival_s=np.array([at for at, _ in flat], dtype=np.float64),
        service_s=np.array([took for _, took in flat], dtype=np.float64),
        offset=np.concatenate([[0], np.cumsum([len(r) for r in services])]).astype(np.int64),
    )


class OneRow:
    """A cluster of one service, scaled and advanced by chained calls."""

    def __init__(
        self,
        *requests: tuple[float, float],
        concurrency: int = 1,
        start_up_s: float = START_UP_S,
        drain_s: float = 0.0,
    ) -> None:
        self.cluster = Cluster(
            made(list(requests)),
            ROW,
            concurrency=concurrency,
            start_up_s=start_up_s,
            drain_s=drain_s,
        )
        self.cluster.begin(0.0)

    def scale(self, pods: int, *, at: float) -> "OneRow":
        self.until(at)
        self.cluster.scale(ROW, np.array([pods]))
        return self

    def until(self, at: float) -> "OneRow":
        self.cluster.run(at, ROW, NO_POKE)
        return self

    def __getattr__(self, column: str) -> float:
        """A column of the state."""
        return float(getattr(self.cluster.state, column)[0])

    @property
    def cold(self) -> tuple[float, float]:
        return self.cold_from_zero, self.cold_scale_out


def test_a_request_that_starts_its_own_pod_waits_exactly_the_start_up() -> None:
    row = OneRow((10.0, 1.0)).scale(1, at=10.25).until(30.0)
    assert (row.requests, row.wait_s, row.cold) == (1, 5.25, (1, 0))


def test_a_poke_stops_at_the_arrival_and_the_wait_is_the_start_up_alone() -> None:
    row = OneRow((10.3, 1.0), (10.4, 1.0))
    assert row.cluster.run(20.0, ROW, POKE).tolist() == [0]
    assert row.clock == 10.3
    row.cluster.scale(ROW, np.array([1]))
    assert row.cluster.run(20.0, ROW, POKE).tolist() == []  # there is a pod now, on its way
    assert row.wait_s == pytest.approx(5.0 + 5.9)


def test_a_request_on_a_warm_pod_does_not_wait() -> None:
    row = OneRow((10.0, 1.0)).scale(1, at=2.0).until(30.0)
    assert (row.requests, row.wait_s, row.cold) == (1, 0, (0, 0))


def test_a_pod_is_ready_for_a_request_of_the_same_instant() -> None:
    row = OneRow((10.0, 1.0)).scale(1, at=5.0).until(30.0)
    assert (row.wait_s, row.cold) == (0, (0, 0))


def test_a_pod_started_ahead_but_too_late_makes_a_cold_request_that_waits_the_rest() -> None:
    row = OneRow((10.0, 1.0)).scale(1, at=8.0).until(30.0)
    assert (row.wait_s, row.cold) == (3.0, (1, 0))


def test_queueing_behind_a_busy_pod_is_a_wait_but_not_cold() -> None:
    row = OneRow((10.0, 4.0), (11.0, 1.0)).scale(1, at=0.0).until(30.0)
    assert (row.requests, row.wait_s, row.cold) == (2, 3.0, (0, 0))


def test_a_request_that_a_second_pod_serves_is_cold_by_scale_out() -> None:
    row = OneRow((10.0, 20.0), (11.0, 1.0)).scale(1, at=0.0).scale(2, at=12.0).until(40.0)
    assert (row.wait_s, row.cold) == (6.0, (0, 1))


def test_a_request_that_the_old_pod_serves_after_all_is_not_cold() -> None:
    row = OneRow((10.0, 3.0), (11.0, 1.0)).scale(1, at=0.0).scale(2, at=12.0).until(40.0)
    assert (row.wait_s, row.cold) == (2.0, (0, 0))


def test_requests_start_in_the_order_in_which_they_came() -> None:
    row = OneRow((10.0, 4.0), (11.0, 2.0), (12.0, 1.0)).scale(1, at=0.0)
    assert row.until(15.0).requests == 2
    assert row.until(16.5).requests == 3
    assert row.wait_s == 3.0 + 4.0


@pytest.mark.parametrize(
    ("concurrency", "wait_s"), [(1, 4.0 + 8.0), (2, 4.0), (3, 0.0), (50, 0.0), (0, 0.0)]
)
def test_a_pod_takes_as_many_requests_at_once_as_its_limit(concurrency: int, wait_s: float) -> None:
    row = OneRow((10.0, 4.0), (10.0, 4.0), (10.0, 4.0), concurrency=concurrency)
    assert row.scale(1, at=0.0).until(40.0).wait_s == wait_s


@pytest.mark.parametrize(("concurrency", "busy_pods"), [(2, 1), (4, 2), (0, 2)])
def test_small_pods_fill_up_and_large_ones_share(concurrency: int, busy_pods: int) -> None:
    row = OneRow((10.0, 4.0), (10.0, 4.0), concurrency=concurrency)
    assert row.scale(2, at=0.0).until(40.0).busy_s == busy_pods * 4.0


def test_pods_cost_from_creation_to_gone_and_are_busy_while_a_request_is_in_flight() -> None:
    row = OneRow((10.0, 4.0)).scale(1, at=2.0).scale(0, at=20.0).until(40.0)
    assert (row.allocated_s, row.busy_s, row.started, row.started_cold) == (18.0, 4.0, 1, 0)


def test_a_pod_that_is_started_while_a_request_waits_is_a_cold_start() -> None:
    row = OneRow((10.0, 4.0)).scale(2, at=11.0).until(40.0)
    assert (row.started, row.started_cold) == (2, 2)


def test_scaling_down_takes_the_pod_that_is_still_starting() -> None:
    row = OneRow((17.0, 1.0)).scale(1, at=0.0).scale(2, at=14.0).scale(1, at=16.0).until(30.0)
    assert (row.wait_s, row.allocated_s) == (0.0, 30.0 + 2.0)


def test_a_busy_pod_drains_costs_until_its_request_ends_and_takes_no_more() -> None:
    row = OneRow((10.0, 10.0), (12.0, 1.0)).scale(1, at=0.0).scale(0, at=11.0)
    assert row.cluster.ready().tolist() == [0]
    row.until(30.0)
    assert (row.requests, row.allocated_s, row.busy_s) == (1, 20.0, 10.0)


def test_a_draining_pod_is_not_called_back() -> None:
    row = OneRow((10.0, 10.0), (12.0, 1.0)).scale(1, at=0.0).scale(0, at=11.0)
    row.scale(1, at=13.0).until(30.0)
    assert (row.started, row.wait_s, row.cold) == (2, 6.0, (1, 0))
    assert row.allocated_s == 20.0 + (30.0 - 13.0)


def test_a_pod_that_is_let_go_costs_its_drain() -> None:
    row = OneRow(drain_s=30.0).scale(1, at=2.0).scale(0, at=20.0)
    assert row.cluster.ready().tolist() == [0]
    assert row.until(45.0).allocated_s == 45.0 - 2.0
    assert row.until(90.0).allocated_s == 20.0 + 30.0 - 2.0


def test_a_pod_that_is_let_go_while_it_starts_costs_its_drain_and_never_serves() -> None:
    row = OneRow((12.0, 1.0), drain_s=30.0).scale(1, at=2.0).scale(0, at=4.0).scale(1, at=13.0)
    row.until(90.0)
    assert (row.wait_s, row.cold) == (6.0, (1, 0))
    assert row.allocated_s == 32.0 + (90.0 - 13.0)


@pytest.mark.parametrize(("took_s", "gone_s"), [(10.0, 41.0), (60.0, 70.0)])
def test_a_pod_is_gone_when_both_its_drain_and_its_last_request_are_over(
    took_s: float, gone_s: float
) -> None:
    row = OneRow((10.0, took_s), drain_s=30.0).scale(1, at=0.0).scale(0, at=11.0).until(100.0)
    assert (row.allocated_s, row.busy_s) == (gone_s, took_s)


def test_pods_that_drain_leave_no_room_of_others() -> None:
    row = OneRow(drain_s=30.0)
    for second in range(20):
        row.scale(3, at=2.0 * second).scale(0, at=2.0 * second + 1.0)
    row.until(100.0)
    assert (row.started, row.allocated_s) == (60, 60 * 31.0)


@pytest.mark.parametrize("second", [2, 3])
def test_a_pod_that_becomes_ready_as_more_are_asked_for_serves_at_once(second: int) -> None:
    row = OneRow((10.0, 1.0)).scale(1, at=10.0).scale(second, at=15.0).until(40.0)
    assert (row.wait_s, row.cold) == (5.0, (1, 0))


def test_a_pod_without_a_start_up_serves_at_once() -> None:
    row = OneRow((10.0, 1.0), start_up_s=0.0).scale(1, at=11.0).until(40.0)
    assert (row.requests, row.wait_s) == (1, 1.0)


def test_the_statistics_of_a_second_are_its_mean_in_flight_and_its_arrivals() -> None:
    row = OneRow((10.5, 1.0), (10.75, 1.0)).scale(1, at=0.0).until(10.0)
    row.cluster.take_statistics()
    load, arrived = row.until(11.0).cluster.take_statistics()
    assert (load.tolist(), arrived.tolist()) == ([0.75], [2.0])
    assert [column.tolist() for column in row.cluster.take_statistics()] == [[0.0], [0.0]]


def test_requests_from_before_the_beginning_never_come() -> None:
    requests = made([(1.0, 1.0), (9.0, 1.0)])
    cluster = Cluster(requests, ROW, concurrency=1, start_up_s=1.0, drain_s=0.0)
    cluster.begin(5.0)
    cluster.scale(ROW, np.array([1]))
    cluster.run(20.0, ROW, NO_POKE)
    assert cluster.state.requests.tolist() == [1]


def test_many_pods_and_many_in_flight_are_counted_like_few() -> None:
    row = OneRow(*[(10.0, 1.0)] * 1000).scale(300, at=0.0).until(50.0)
    assert (row.requests, row.wait_s) == (1000, 300.0 * 1 + 300.0 * 2 + 100.0 * 3)
    assert (row.allocated_s, row.busy_s) == (300 * 50.0, 1000.0)


def test_many_in_flight_on_one_pod_are_counted_like_few() -> None:
    requests = [(10.0 + i / 64, 5.0) for i in range(640)]
    row = OneRow(*requests, concurrency=0).scale(1, at=0.0).until(50.0)
    assert (row.requests, row.wait_s, row.busy_s) == (640, 0.0, 5.0 + 639 / 64)


def test_rows_do_not_disturb_each_other() -> None:
    requests = made([(10.0, 4.0), (11.0, 1.0)], [(10.0, 1.0)] * 40)
    services = np.array([0, 1, 0])
    cluster = Cluster(requests, services, concurrency=1, start_up_s=START_UP_S, drain_s=0.0)
    cluster.begin(0.0)
    rows = np.arange(3)
    cluster.scale(rows, np.array([1, 30, 0]))
    cluster.run(12.0, rows, np.zeros(3, np.bool_))
    cluster.scale(np.array([2]), np.array([1]))
    cluster.run(40.0, rows, np.zeros(3, np.bool_))
    assert cluster.state.requests.tolist() == [2, 40, 2]
    assert cluster.state.wait_s.tolist() == [3.0, 10.0, 7.0 + 10.0]
    assert cluster.state.cold_from_zero.tolist() == [0, 0, 2]


def test_forgetting_the_counts_keeps_the_pods_and_the_queue() -> None:
    row = OneRow((10.0, 4.0), (11.0, 1.0)).scale(1, at=0.0).until(12.0)
    row.cluster.reset_counts()
    row.until(20.0)
    assert (row.requests, row.wait_s, row.allocated_s, row.busy_s) == (1, 3.0, 8.0, 3.0)
