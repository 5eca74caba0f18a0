"""Made calls of services, and the edges found between them by name."""

import numpy as np

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray
from learner.dependencies.busy_periods import BusyPeriods, busy_periods_of
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import gather

DAY_S = 86400.0


def busy_periods(calls: dict[str, FloatArray], span_s: float = DAY_S) -> BusyPeriods:
    """Of the calls of each service, over one span."""
    at = np.concatenate(list(calls.values()))
    who = np.repeat(np.arange(len(calls)), [len(t) for t in calls.values()])
    return busy_periods_of(tuple(calls), who, at, since_s=0.0, until_s=span_s)


def found(calls: dict[str, FloatArray], span_s: float = DAY_S) -> dict[tuple[str, str], int]:
    edges = edges_from_starts(gather(busy_periods(calls, span_s)))
    return by_name(edges)


def by_name(edges: Edges) -> dict[tuple[str, str], int]:
    ends = zip(edges.upstream, edges.downstream, strict=True)
    return {(edges.services[a], edges.services[b]): i for i, (a, b) in enumerate(ends)}


def poisson(rng: np.random.Generator, n: int, span_s: float = DAY_S) -> FloatArray:
    return np.sort(rng.uniform(0.0, span_s, n))


def delays(rng: np.random.Generator, n: int, deviation_s: float = 0.3) -> FloatArray:
    return np.abs(deviation_s * rng.standard_normal(n))
