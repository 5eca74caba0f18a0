"""What is measured at both ends of paths: calls of upstream services, load and settings downstream.

Everything is summed up per service over its revisions, or is the greatest of them.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.prediction.advice import Paths
from autoscaler.core.prediction.missing import Missing
from autoscaler.core.state.fleet import Fleet, take
from autoscaler.core.types import FloatArray, IntArray

RECENT_S = 3  # seconds that count as now: an activator's statistics may be two seconds old


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCalls:
    """Calls of upstream services; (n_services,) each, 0 for those that are no upstream."""

    rate: FloatArray  # requests per second now
    average: FloatArray  # requests per second over the stable window
    waiting: FloatArray  # requests in flight now at revisions without a ready pod
    window_s: FloatArray  # its stable window, s

    @classmethod
    def measure(cls, fleet: Fleet, upstreams: IntArray, now: float) -> "UpstreamCalls":
        """Measure services (k,) at Unix s ``now``."""
        n = len(fleet.services)
        chosen = np.zeros(n, dtype=np.bool_)
        chosen[upstreams] = True
        rows = np.flatnonzero(chosen[fleet.service])
        service, second = fleet.service[rows], np.full(len(rows), int(now))

        def summed(values: FloatArray) -> FloatArray:
            return np.bincount(service, weights=values, minlength=n).astype(np.float64)

        recent = np.stack([fleet.stable.at(rows, second - k) for k in range(RECENT_S)])
        window_s = np.zeros(n)
        np.maximum.at(window_s, service, fleet.spec.stable_window_s[rows])
        cold = fleet.observed.ready[rows] == 0
        return cls(
            rate=np.max([summed(rate) for rate in recent[:, 1]], axis=0),
            average=summed(fleet.stable.average(rows, second, np.ones_like(rows))),
            waiting=summed(np.where(cold, recent[:, 0].max(axis=0), 0.0)),
            window_s=window_s,
        )


def average_rates(fleet: Fleet, services: IntArray, now: float) -> FloatArray:
    """(k,) requests per second of services (k,), over their stable windows, at Unix s ``now``."""
    return UpstreamCalls.measure(fleet, services, now).average[services]


@dataclass(frozen=True, slots=True, kw_only=True)
class Downstream:
    """Downstream revisions that pods may be added to, and their services."""

    rows: IntArray  # (k,) of the fleet
    service: IntArray  # (k,)
    in_flight: FloatArray  # (k,) over the stable window
    # (n_services,) the greatest of a service's revisions:
    missing_s: FloatArray  # what it costs that the first pod is missing
    lead_s: FloatArray
    drain_s: FloatArray
    window_s: FloatArray
    idle_s: FloatArray  # that the last pod stays after its window: grace or retention
    # (n_services,)
    duration_s: FloatArray  # mean time that a request is in flight; 0 = not known

    @classmethod
    def measure(cls, fleet: Fleet, rows: IntArray, at: FloatArray) -> "Downstream":
        """Measure rows (k,) at Unix s (k,)."""
        spec, service, n = take(fleet.spec, rows), fleet.service[rows], len(fleet.services)
        second = np.floor(at).astype(np.int64)
        in_flight = fleet.stable.average(rows, second, np.zeros_like(rows))
        arriving = fleet.stable.average(rows, second, np.ones_like(rows))
        load, rate = (np.bincount(service, weights=w, minlength=n) for w in (in_flight, arriving))

        def greatest(values: FloatArray | IntArray) -> FloatArray:
            most = np.zeros(n)
            np.maximum.at(most, service, values)
            return most

        return cls(
            rows=rows,
            service=service,
            in_flight=in_flight,
            missing_s=greatest(Missing.of(fleet, rows, spec).first_s(spec.cold_price_s)),
            lead_s=greatest(spec.lead_s),
            drain_s=greatest(spec.drain_s),
            window_s=greatest(spec.stable_window_s),
            idle_s=np.maximum(greatest(spec.grace_s), greatest(spec.retention_s)),
            # Little's law.
            duration_s=np.where(rate > 0, load / np.where(rate > 0, rate, 1.0), 0.0),
        )


def downstream_rows(fleet: Fleet, paths: Paths, rows: IntArray) -> IntArray:
    """All rows of the services downstream of those of ``rows``; ascending."""
    if not len(paths) or not len(rows):
        return np.zeros(0, dtype=np.int64)
    upstream = np.zeros(len(fleet.services), dtype=np.bool_)
    upstream[fleet.service[rows]] = True
    downstream = np.zeros(len(fleet.services), dtype=np.bool_)
    downstream[paths.downstream[upstream[paths.upstream]]] = True
    return np.flatnonzero(downstream[fleet.service])
