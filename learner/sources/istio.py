"""Edges from Istio's metrics, where there is a mesh.

Istio's applications and services are Knative's revisions: `cart-00003` is a revision of the service
`cart`. The number of five or more digits at the end of a revision's name is stripped; a name that
is no service then (a gateway, "unknown", a revision that a user named) is left out.
"""

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, Origin, no_edges
from autoscaler.core.types import FloatArray
from learner.demand import Demand
from learner.sources.counters import Grid
from learner.sources.presets import of_revision
from learner.sources.queries import Labels, PrometheusServer

WINDOW_S = 86_400  # s of calls that count: a day, for services called once a night
CALLER = ("source_workload_namespace", "source_app")
CALLED = ("destination_service_namespace", "destination_service_name")
# By the source's reporter, as the destination's may be an activator.
CALLS = (
    f"sum by ({', '.join((*CALLER, *CALLED))})"
    f' (increase(istio_requests_total{{reporter="source"}}[{WINDOW_S}s]))'
)


class IstioReader:
    """Edges between services in Istio's metrics."""

    def __init__(self, server: PrometheusServer) -> None:
        self._server = server

    def edges(self, demand: Demand) -> Edges:
        """Of the last day of ``demand``; none where Istio exports nothing.

        ``gain`` is calls per request of the caller, NaN where it had none; ``lag_s`` and
        ``probability`` are NaN. Raises AutoscalerError where Prometheus cannot be asked.
        """
        now = Grid(start_s=int(demand.end_s), step_s=1, n_points=1)
        row = {name: i for i, name in enumerate(demand.services)}
        calls: dict[tuple[int, int], float] = {}
        for labels, _, values in self._server.series(CALLS, now):
            up, down = (row.get(_service(labels, ends), -1) for ends in (CALLER, CALLED))
            n = float(values[-1]) if len(values) else 0.0
            if up >= 0 <= down and up != down and n >= 1 and np.isfinite(n):
                calls[up, down] = calls.get((up, down), 0.0) + n
        return _edges(calls, demand) if calls else no_edges(demand.services)


def _service(labels: Labels, ends: tuple[str, str]) -> str:
    return of_revision([labels.get(end, "") for end in ends])


def _edges(calls: dict[tuple[int, int], float], demand: Demand) -> Edges:
    upstream, downstream = (np.array([pair[end] for pair in calls], np.int64) for end in (0, 1))
    n_calls = np.array(list(calls.values()))
    unknown = np.full(len(n_calls), np.nan)
    requests = _requests(demand)[upstream]
    return Edges(
        services=demand.services,
        upstream=upstream,
        downstream=downstream,
        lag_s=unknown,
        gain=np.where(requests > 0, n_calls / np.maximum(requests, 1.0), np.nan),
        probability=unknown,
        confidence=np.ones(len(n_calls)),
        evidence=n_calls,
        seen_at_s=np.full(len(n_calls), demand.end_s),
        direct=np.ones(len(n_calls), dtype=np.bool_),
        origin=np.full(len(n_calls), int(Origin.ISTIO)),
    )


def _requests(demand: Demand) -> FloatArray:
    """(n,) requests of each service in the window."""
    n_steps = min(round(WINDOW_S / demand.step_s), demand.n_steps)
    return np.asarray(np.nansum(demand.arrivals[:, demand.n_steps - n_steps :], axis=1))
