"""Pods that were there and were not seen, in a Prometheus: gaps of single services.

A service without pods exports nothing, and that is no gap. It has one where a pod of its was there
and was not seen for half an hour: the same pod's series go on later, or, where that is exported,
Knative's own autoscaler counted it meanwhile. Where Prometheus itself was away, `request_reader`
has found that.

Times are compared here: a server would have to look at each pod at each point of hours, as most
pods live for minutes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaler.core.types import BoolArray
from autoscaler.names import fault_of_name
from learner.sources.counters import Grid
from learner.sources.presets import PODS, Name, Preset, of_service
from learner.sources.queries import PrometheusServer, Series

UNSEEN_S = 1800  # for which a pod is missed; growth over shorter times is read as it is
LONGEST_S = 43_200  # after which it is not missed any more
POD_LABELS = ("job", "instance", "pod", "pod_name", "k8s_pod_name")  # that tell pods apart
PODS_AT_ONCE, POINTS_AT_ONCE = 20_000, 24  # about, in an answer; points at most
FEW_POINTS = 3  # at the end, that say how many pods there are

OnShare = Callable[[float], None]
Shown = dict[str, BoolArray]  # (n_points,) by service


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What was seen of services, and what was missed."""

    missed: Shown  # (n_steps,) of services: whether a pod was there and not seen
    seen: frozenset[str]  # services of which a pod was seen, called or not
    silent: frozenset[str]  # those that had pods by Knative's autoscaler, none of which was seen


class PresenceReader:
    """Reads from one server."""

    def __init__(self, server: PrometheusServer) -> None:
        self._server = server

    def read(self, preset: Preset, grid: Grid, on_share: OnShare) -> Presence:
        """Of services that a preset's exporters name, or Knative's autoscaler.

        on_share: called with the share that is read of what takes longest. Raises AutoscalerError.
        """
        coarse, steps = _coarse(grid)
        seen, missed = self._pods(preset, coarse, on_share)
        ready = self._ready(coarse) if preset.pods else {}
        for name in seen.keys() & ready.keys():
            missed[name] |= ready[name] & ~seen[name]
        return Presence(
            missed={name: _by_step(at, steps, grid) for name, at in missed.items() if at.any()},
            seen=frozenset(seen),
            silent=frozenset(ready.keys() - seen.keys()),
        )

    def _pods(self, preset: Preset, grid: Grid, on_share: OnShare) -> tuple[Shown, Shown]:
        """Whether a pod of a service was seen at a point, and whether one was missed."""
        most = LONGEST_S // grid.step_s
        wide = grid.piece(-most, grid.n_points + 2 * most)
        pods = _SeenPods(preset, wide, most)
        query = _pods_within(preset, grid.window)
        pieces = wide.pieces(self._points_at_once(query, grid))
        for done, series in enumerate(self._server.parts(query, pieces), 1):
            pods.add(series)
            on_share(done / len(pieces))
        within = slice(most, most + grid.n_points)
        seen = {name: at[within] for name, at in pods.seen.items() if at[within].any()}
        return seen, {name: pods.missed[name][within] for name in seen}

    def _points_at_once(self, query: str, grid: Grid) -> int:
        """Points of a query that answers a series for each pod: not more than is allowed."""
        last = grid.pieces(FEW_POINTS)[-1]
        pods = sum(1 for _ in self._server.series(query, last))
        return min(max(PODS_AT_ONCE * last.n_points // max(pods, 1), 1), POINTS_AT_ONCE)

    def _ready(self, grid: Grid) -> Shown:
        """Whether a service had a ready pod for all of a step."""
        found: Shown = {}
        for metric, labels in PODS:
            query = f"max by ({', '.join(labels)}) (min_over_time({metric}[{grid.window}])) > 0"
            for name, at in self._read(query, labels, of_service, grid).items():
                found[name] = found.get(name, np.zeros_like(at)) | at
        return found

    def _read(self, query: str, labels: tuple[str, ...], of: Name, grid: Grid) -> Shown:
        """Whether the query says anything of a service at a point."""
        found: Shown = {}
        for named, at_s, _ in self._server.series(query, grid):
            name = of([named.get(label, "") for label in labels])
            if not fault_of_name(name):
                at = found.setdefault(name, np.zeros(grid.n_points, dtype=np.bool_))
                at[grid.place(at_s)] = True
        return found


class _SeenPods:
    """When pods were seen, and when they were missed in between."""

    def __init__(self, preset: Preset, grid: Grid, most: int) -> None:
        """``most``: points after which a pod is not missed any more."""
        self._preset, self._grid, self._most = preset, grid, most
        self._last: dict[frozenset[tuple[str, str]], int] = {}  # point, by a pod's labels
        self.seen: Shown = {}
        self.missed: Shown = {}

    def add(self, series: Iterable[Series]) -> None:
        """Add those that come after all that were added before."""
        for labels, at_s, _ in series:
            name = self._preset.of([labels.get(label, "") for label in self._preset.labels])
            if name not in self.seen:
                if fault_of_name(name):
                    continue
                self.seen[name] = np.zeros(self._grid.n_points, dtype=np.bool_)
                self.missed[name] = np.zeros(self._grid.n_points, dtype=np.bool_)
            points = self._grid.place(at_s)
            self.seen[name][points] = True
            pod = frozenset(labels.items())
            before = self._last.get(pod, int(points[0]) - 1)
            last = self._last[pod] = int(points[-1])
            if last - before > len(points):
                for one, next_one in pairwise([before, *points.tolist()]):
                    if next_one - one <= self._most:
                        self.missed[name][one + 1 : next_one] = True
        newest = max(self._last.values(), default=0)
        self._last = {pod: at for pod, at in self._last.items() if newest - at <= self._most}


def _pods_within(preset: Preset, window: str) -> str:
    """PromQL: the pods that export anything within the window before each point."""
    last = f"last_over_time({preset.pods or preset.requests}[{window}])"
    return f"max by ({', '.join([*preset.labels, *POD_LABELS])}) ({last})"


def _coarse(grid: Grid) -> tuple[Grid, int]:
    """Points at which pods are looked for, and how many steps are between two of them."""
    steps = max(UNSEEN_S // grid.step_s, 1)
    number = (grid.n_points - 1) // steps + 1
    return Grid(start_s=grid.start_s, step_s=steps * grid.step_s, n_points=number), steps


def _by_step(missed: BoolArray, steps: int, grid: Grid) -> BoolArray:
    """(n_steps,) those between points, and as many after: there, what was missed is counted."""
    of_points = np.repeat(missed[1:], steps)
    of_points[steps:] |= of_points[:-steps].copy()
    found = np.zeros(grid.n_points - 1, dtype=np.bool_)
    found[: len(of_points)] = of_points
    return found
