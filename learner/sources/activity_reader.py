"""Reads the activity of services from Prometheus: their starts, and their last calls.

The autoscaler exports two gauges for every service: the time of the last request, and that of the
last one after a minute or more without any. As values they are exact however coarse the scrape, and
a start stays for a minute at least, so that a query every 30 s misses none.

Prometheus is asked only for the points at which a start changed: a service that is never idle would
otherwise send the same number thousands of times. The last call before a change ends a busy period.
"""

from collections import defaultdict

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.names import fault_of_name
from learner.dependencies.activity import OBSERVATION_S, Activity
from learner.sources.counters import Grid
from learner.sources.queries import PrometheusServer

STEP_S = int(OBSERVATION_S)
SKEW_S = 60.0  # s that an exporter's clock may be ahead of Prometheus's
NOW, BEFORE = "", f" offset {STEP_S}s"

Times = dict[str, FloatArray]  # by "namespace/service", Unix s


def _gauge(name: str, when: str) -> str:
    """The newest value of all replicas."""
    return f"max by (namespace, service) (kn_ahead_last_{name}_timestamp_seconds{when})"


START, CALL = _gauge("start", NOW), _gauge("call", NOW)
SAME = f"{START} == {_gauge('start', BEFORE)}"
STARTED = f"{START} unless {SAME}"
ENDED = f"{_gauge('call', BEFORE)} unless {SAME}"
OBSERVED = "count(kn_ahead_last_call_timestamp_seconds or kn_ahead_requests_total)"


class ActivityReader:
    """Past starts of all services that a Prometheus server knows."""

    def __init__(self, server: PrometheusServer) -> None:
        self._server = server

    def read(self, *, start_s: float, end_s: float) -> Activity:
        """Activity in [start_s, end_s], both rounded down to multiples of 30 s.

        Impossible times (NaN, negative, in the future) are left out; without exporters it is empty.
        Raises AutoscalerError where Prometheus cannot be asked.
        """
        first_s, last_s = (int(at // STEP_S) * STEP_S for at in (start_s, end_s))
        points = (last_s - first_s) // STEP_S + 1
        grid = Grid(start_s=first_s, step_s=STEP_S, n_points=max(points, 1))
        edges = [grid.piece(0, 1), grid.piece(grid.n_points - 1, 1)]
        return Activity(
            starts=self._times((STARTED, grid), *((START, edge) for edge in edges)),
            last_calls=self._times((ENDED, grid), *((CALL, edge) for edge in edges)),
            observed_s=self._observed(grid),
        )

    def _times(self, *queries: tuple[str, Grid]) -> Times:
        """The values of all answers, which are times."""
        found: dict[str, list[FloatArray]] = defaultdict(list)
        for query, grid in queries:
            for labels, at_s, values in self._server.series(query, grid):
                name = f"{labels.get('namespace', '')}/{labels.get('service', '')}"
                if not fault_of_name(name):
                    possible = np.isfinite(values) & (values > 0) & (values <= at_s + SKEW_S)
                    found[name].append(values[possible])
        times = {name: np.unique(np.concatenate(parts)) for name, parts in found.items()}
        return {name: each for name, each in times.items() if len(each)}

    def _observed(self, grid: Grid) -> FloatArray:
        parts = [at_s for _, at_s, _ in self._server.series(OBSERVED, grid)]
        return np.unique(np.concatenate([np.zeros(0), *parts]))
