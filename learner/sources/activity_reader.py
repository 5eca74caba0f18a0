"""Reads from Prometheus when services started and stopped being in use.

The autoscaler exports two gauges for every service: when a request came after a minute or more
without one, the last time, and when a request came, the last time. Both are times, exact to the
fraction of a second however coarsely they are scraped, and a start stands for a minute at least, so
that a scrape and a look every 30 s lose none.

Prometheus is asked only for the points at which something changed: a service that is never idle
would otherwise send the same number thousands of times. The last call that was seen before a change
is the end of the spell.
"""

from collections import defaultdict

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.names import fault_of_name
from learner.dependencies.activity import WATCH_S, Activity
from learner.sources.counters import Grid
from learner.sources.queries import PrometheusServer

STEP_S = int(WATCH_S)
SKEW_S = 60.0  # s that the clock of whoever exports may be ahead of Prometheus's
NOW, BEFORE = "", f" offset {STEP_S}s"

Times = dict[str, FloatArray]  # by "namespace/service", Unix s


def _gauge(name: str, when: str) -> str:
    """The newest that any replica says."""
    return f"max by (namespace, service) (kn_ahead_last_{name}_timestamp_seconds{when})"


BEGUN, CALLED = _gauge("start", NOW), _gauge("call", NOW)
SAME = f"{BEGUN} == {_gauge('start', BEFORE)}"
STARTED = f"{BEGUN} unless {SAME}"
ENDED = f"{_gauge('call', BEFORE)} unless {SAME}"
WATCHED = "count(kn_ahead_last_call_timestamp_seconds or kn_ahead_requests_total)"


class StartsReader:
    """Past starts of all services that a Prometheus server knows."""

    def __init__(self, server: PrometheusServer) -> None:
        self._server = server

    def read(self, *, start_s: float, end_s: float) -> Activity:
        """What was seen in [start_s, end_s], both rounded to multiples of 30 s towards the past.

        What cannot be (NaN, negative, ahead of its time) is left out; where nobody exports there is
        nothing. Raises AutoscalerError where Prometheus cannot be asked.
        """
        first_s, last_s = (int(at // STEP_S) * STEP_S for at in (start_s, end_s))
        points = (last_s - first_s) // STEP_S + 1
        grid = Grid(start_s=first_s, step_s=STEP_S, n_points=max(points, 1))
        edges = [grid.piece(0, 1), grid.piece(grid.n_points - 1, 1)]
        return Activity(
            begun=self._times((STARTED, grid), *((BEGUN, edge) for edge in edges)),
            called=self._times((ENDED, grid), *((CALLED, edge) for edge in edges)),
            watched_s=self._watched(grid),
        )

    def _times(self, *asked: tuple[str, Grid]) -> Times:
        """The values of all answers, which are times."""
        found: dict[str, list[FloatArray]] = defaultdict(list)
        for query, grid in asked:
            for labels, at_s, values in self._server.series(query, grid):
                name = f"{labels.get('namespace', '')}/{labels.get('service', '')}"
                if not fault_of_name(name):
                    possible = np.isfinite(values) & (values > 0) & (values <= at_s + SKEW_S)
                    found[name].append(values[possible])
        times = {name: np.unique(np.concatenate(parts)) for name, parts in found.items()}
        return {name: each for name, each in times.items() if len(each)}

    def _watched(self, grid: Grid) -> FloatArray:
        parts = [at_s for _, at_s, _ in self._server.series(WATCHED, grid)]
        return np.unique(np.concatenate([np.zeros(0), *parts]))
