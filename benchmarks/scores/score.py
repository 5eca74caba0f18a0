"""Scores of a simulation: cold requests, waits, and pod-seconds.

* cold-request rate: cold requests / requests; from zero and by scale-out; in total, as the mean
  over services, and as their 75th percentile (the literature's "third-quartile application")
* wait: arrival to start of execution; latency: wait + execution; quantiles from histograms, within
  2 %
* allocated pod-seconds: from a pod's creation until it is gone, start-up and drain included
* idle pod-seconds: allocated minus busy (a request in flight)
* normalised memory: allocated / busy; 1.0 is ideal. All pods are taken as equally large
* churn: pods started per service and hour; container cold starts: those while a request waited
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from autoscaler.core.types import IntArray
from benchmarks.simulator.histogram import upper_edges_s
from benchmarks.simulator.simulation import Counts, Policy, World

QUANTILES = (0.5, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceScore:
    """One service under one policy."""

    service: str
    requests: int
    cold_requests: int
    cold_from_zero: int
    cold_scale_out: int
    cold_rate: float
    wait_s: dict[str, float]  # quantiles over all requests
    cold_wait_s: dict[str, float]  # quantiles over cold requests
    latency_s: dict[str, float]
    cold_seconds: float  # sum of waits
    allocated_pod_s: float
    busy_pod_s: float
    idle_pod_s: float
    normalised_memory: float
    pods_started: int
    container_cold_starts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyScore:
    """All services under one policy."""

    policy: str
    total: ServiceScore  # over all services together; its `service` is "all"
    cold_rate_mean: float  # over services with requests
    cold_rate_p75: float
    churn_per_hour: float  # pods started per service and hour
    services: tuple[ServiceScore, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values, ready for json.dump."""
        return asdict(self)


class Counted(Protocol):
    """Services under policies, of which something was counted."""

    policies: tuple[Policy, ...]
    world: World

    def counts(self, names: Sequence[str] = ()) -> Counts:
        """(n_policies, n_services, ...) by column. names: of some columns alone."""
        ...


def score(simulation: Counted, *, hours: float) -> list[PolicyScore]:
    """Score every policy over what was counted in the last ``hours``."""
    counts, names = simulation.counts(), simulation.world.services
    return [
        _policy({name: column[i] for name, column in counts.items()}, names, policy.name, hours)
        for i, policy in enumerate(simulation.policies)
    ]


def _policy(counts: Counts, names: Sequence[str], policy: str, hours: float) -> PolicyScore:
    """counts: (n_services, ...) of one policy."""
    services = tuple(
        score_of({name: column[i : i + 1] for name, column in counts.items()}, service)
        for i, service in enumerate(names)
    )
    total = score_of(counts, "all")
    rates = np.array([s.cold_rate for s in services if s.requests] or [0.0])
    return PolicyScore(
        policy=policy,
        total=total,
        cold_rate_mean=float(rates.mean()),
        cold_rate_p75=float(np.percentile(rates, 75)),
        churn_per_hour=total.pods_started / (len(names) * hours),
        services=services,
    )


def score_of(counts: Counts, name: str) -> ServiceScore:
    """Of some services together; counts: (k, ...) by column."""
    s = {column: values.sum(axis=0) for column, values in counts.items()}
    requests = int(s["requests"])
    zero, out = int(s["cold_from_zero"]), int(s["cold_scale_out"])
    allocated, busy = float(s["allocated_s"]), float(s["busy_s"])
    return ServiceScore(
        service=name,
        requests=requests,
        cold_requests=zero + out,
        cold_from_zero=zero,
        cold_scale_out=out,
        cold_rate=(zero + out) / requests if requests else 0.0,
        wait_s=_quantiles(s["waits"]),
        cold_wait_s=_quantiles(s["cold_waits"]),
        latency_s=_quantiles(s["latencies"]),
        cold_seconds=float(s["wait_s"]),
        allocated_pod_s=allocated,
        busy_pod_s=busy,
        idle_pod_s=allocated - busy,
        normalised_memory=allocated / busy if busy else 0.0,
        pods_started=int(s["started"]),
        container_cold_starts=int(s["started_cold"]),
    )


def _quantiles(counts: IntArray) -> dict[str, float]:
    """Quantiles in s of a histogram of times; 0 where nothing was counted."""
    edges_s = upper_edges_s()
    total = np.cumsum(counts)
    ranks = [np.ceil(q * total[-1]) for q in QUANTILES]
    at = [int(np.searchsorted(total, max(rank, 1.0))) for rank in ranks]
    values = [float(edges_s[i]) if total[-1] else 0.0 for i in at]
    return {f"p{100 * q:g}": value for q, value in zip(QUANTILES, values, strict=True)}
