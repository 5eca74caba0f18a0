"""Made traffic comes back from a real Prometheus as it was, whatever version exported it."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from benchmarks.simulator.arrivals import Requests
from benchmarks.whatif.exporters import ELSEWHERE, GENERATIONS
from benchmarks.whatif.exposition import (
    GONE_S,
    START_S,
    backfill_requests,
    pods_of,
)
from benchmarks.whatif.made_fleet import KINDS, made_fleet
from learner.sources.counters import Grid
from learner.sources.queries import PrometheusServer
from learner.sources.request_reader import RequestReader
from tests.conftest import prometheus_server

DAYS, STEP_S = 0.5, 60
N_STEPS = int(DAYS * 1440)


@pytest.fixture(scope="module")
def fleet() -> tuple[tuple[str, ...], Requests]:
    names, made = made_fleet(10, DAYS, seed=3)
    moved = Requests(
        arrival_s=made.arrival_s + START_S, service_s=made.service_s, offset=made.offset
    )
    return names, moved


def ended(requests: Requests) -> FloatArray:
    """(n, N_STEPS) requests that ended in each step, which its end belongs to."""
    ended_s = requests.arrival_s + requests.service_s - START_S
    step = np.ceil(ended_s / STEP_S).astype(np.int64) - 1
    return np.array(
        [
            np.bincount(step[a:b][step[a:b] < N_STEPS], minlength=N_STEPS)
            for a, b in pairwise(requests.offset)
        ]
    )


EXPORTERS = GENERATIONS | {name: each for name, each in ELSEWHERE.items() if name}


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_every_request_is_read_back_in_its_minute(
    fleet: tuple[tuple[str, ...], Requests], exporter: str, tmp_path: Path
) -> None:
    names, requests = fleet
    backfill_requests(names, requests, EXPORTERS[exporter], tmp_path / "data")
    with prometheus_server(tmp_path) as url:
        reader = RequestReader(PrometheusServer(url))
        grid = Grid(start_s=int(START_S), step_s=STEP_S, n_points=N_STEPS + 1)
        past = reader.read(reader.found(grid), grid)
    known = ~np.isnan(past.counts[0])
    assert known[2:].all()
    order = [names.index(name) for name in past.services]
    assert sorted(past.services) == sorted(names)
    np.testing.assert_array_equal(past.counts[:, known], ended(requests)[order][:, known])


def test_a_pod_ends_some_time_after_its_last_request(
    fleet: tuple[tuple[str, ...], Requests],
) -> None:
    names, requests = fleet
    pods = list(pods_of(names, requests))
    served: dict[str, float] = {}
    for pod in pods:
        served[pod.service] = served.get(pod.service, 0.0) + pod.requests[-1]
        assert pod.requests[0] >= 1
        assert (np.diff(pod.requests) >= 0).all()
        assert (np.diff(pod.scraped_s) == 60.0).all()
    numbers = np.diff(requests.offset).tolist()
    assert served == {
        name.partition("/")[2]: number for name, number in zip(names, numbers, strict=True)
    }
    regular = [pod for pod in pods if pod.service == "regular-001"]
    assert len(regular) > 2
    for one, other in pairwise(regular):
        assert other.scraped_s[0] > one.scraped_s[-1]
    assert GONE_S > 60.0  # so that each is scraped once after its last request


def test_a_fleet_is_made_of_all_kinds_and_the_same_each_time() -> None:
    names, requests = made_fleet(12, 1.0, seed=1)
    assert {name.partition("/")[2].partition("-")[0] for name in names} == set(KINDS)
    np.testing.assert_array_equal(requests.arrival_s, made_fleet(12, 1.0, seed=1)[1].arrival_s)
    assert (requests.arrival_s < 86_400).all()
    for a, b in pairwise(requests.offset):
        assert (np.diff(requests.arrival_s[a:b]) >= 0).all()
