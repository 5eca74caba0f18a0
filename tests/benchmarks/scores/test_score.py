import json

import numpy as np
import pytest

from benchmarks.policies.policies import revision
from benchmarks.scores.score import PolicyScore, score
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.simulation import Policy, Simulation, World


def simulation(*services: list[tuple[float, float]], concurrency: int = 10) -> Simulation:
    """Services under Knative's rule: (arrival, service time) of each request, in s."""
    flat = [request for requests in services for request in requests]
    world = World(
        services=tuple(f"shop/{i}" for i in range(len(services))),
        requests=Requests(
            arrival_s=np.array([at for at, _ in flat]),
            service_s=np.array([took for _, took in flat]),
            offset=np.concatenate([[0], np.cumsum([len(r) for r in services])]).astype(np.int64),
        ),
        tables={},
        concurrency=concurrency,
        start_up_s=5.0,
        drain_s=0.0,
    )
    policy = Policy(name="KPA", revision=revision(concurrency, 5.0, 0.0))
    return Simulation(world, [policy], start_s=0.0)


def one_of(*services: list[tuple[float, float]], until: float = 60.0) -> PolicyScore:
    made = simulation(*services)
    made.run(until)
    return score(made, hours=until / 3600)[0]


def test_rates_are_cold_requests_of_all_requests() -> None:
    found = one_of([(2.5, 0.1), (12.0, 0.1), (14.0, 0.1), (16.0, 0.1)]).services[0]
    assert (found.requests, found.cold_requests, found.cold_from_zero) == (4, 1, 1)
    assert found.cold_rate == 0.25
    assert found.cold_seconds == pytest.approx(5.0)


def test_the_total_weighs_by_traffic_and_the_mean_by_service() -> None:
    warm = [(20.0 + i, 0.1) for i in range(7)]
    found = one_of([(2.5, 0.1), *warm], [(2.5, 0.1)], [])
    assert [s.cold_rate for s in found.services] == [1 / 8, 1.0, 0.0]
    assert found.total.cold_rate == 2 / 9
    assert found.cold_rate_mean == pytest.approx((1 / 8 + 1.0) / 2)  # who is not called is left out
    assert found.cold_rate_p75 == pytest.approx(1 / 8 + 0.75 * 7 / 8)


def test_totals_are_sums_over_services() -> None:
    found = one_of([(2.5, 1.0), (3.0, 2.0)], [(4.25, 1.0)])
    for name in ("requests", "cold_requests", "allocated_pod_s", "idle_pod_s", "pods_started"):
        assert getattr(found.total, name) == pytest.approx(
            sum(getattr(s, name) for s in found.services)
        )


def test_memory_is_allocated_over_busy_and_idle_the_difference() -> None:
    # Created at 2.5 by the poke, busy from 7.5 to 17.5, looked at after 40 s.
    found = one_of([(2.5, 10.0)], until=40.0).services[0]
    assert found.allocated_pod_s == pytest.approx(37.5)
    assert found.busy_pod_s == pytest.approx(10.0)
    assert found.idle_pod_s == pytest.approx(27.5)
    assert found.normalised_memory == pytest.approx(3.75)


def test_churn_is_pods_started_per_service_and_hour() -> None:
    found = one_of([(2.5, 0.1)], [(2.5, 0.1)], [], [], until=1800.0)
    assert found.total.pods_started == 2
    assert found.total.container_cold_starts == 2
    assert found.churn_per_hour == 2 / (4 * 0.5)


@pytest.mark.parametrize("latency_s", [0.0015, 0.2, 3.0, 700.0, 90_000.0])
def test_a_time_is_read_back_within_two_per_cent(latency_s: float) -> None:
    made = simulation([(2.5, 0.1), (20.0, latency_s)])
    made.run(15.0)
    made.cluster.reset_counts()
    made.run(30.0)
    read = score(made, hours=1.0)[0].total
    assert read.requests == 1
    assert read.latency_s["p50"] == pytest.approx(latency_s, rel=0.02)


def test_quantiles_of_known_times_are_right_within_two_per_cent() -> None:
    times = np.random.default_rng(0).lognormal(-1.0, 2.0, 4000)
    # Far apart, on a service that holds its pods: none waits, so latency is service time.
    requests = [(20.0 + i / 100, float(t)) for i, t in enumerate(times)]
    made = simulation([(2.5, 0.1), *requests], concurrency=0)
    made.run(15.0)
    made.cluster.reset_counts()
    made.run(70.0)
    read = score(made, hours=1.0)[0].total
    assert read.requests == 4000
    assert read.wait_s == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "p99.9": 0.0}
    for q in (0.5, 0.95, 0.99, 0.999):
        exact = np.quantile(times, q, method="inverted_cdf")
        assert read.latency_s[f"p{100 * q:g}"] == pytest.approx(exact, rel=0.02)


def test_quantiles_of_nothing_are_zero() -> None:
    found = one_of([]).total
    assert (found.cold_rate, found.normalised_memory) == (0.0, 0.0)
    assert set(found.cold_wait_s.values()) == {0.0}


def test_a_score_is_plain_json_and_comes_back_the_same() -> None:
    found = one_of([(2.5, 1.0)], []).as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found | {
        "services": list(found["services"])
    }
