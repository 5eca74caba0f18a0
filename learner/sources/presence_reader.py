"""Pods that were there and were not seen, in a Prometheus: gaps of single services.

A service without pods exports nothing, and that is no gap. It has one where a pod of its was there
and was not seen for half an hour: Knative's own autoscaler counted it meanwhile, or, where that is
not exported, the same pod's series go on later. Where Prometheus itself was away, `request_reader`
has found that.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.types import BoolArray
from autoscaler.names import fault_of_name
from learner.sources.counters import Grid
from learner.sources.presets import PODS, REPLICAS, Name, Preset, of_service
from learner.sources.queries import PrometheusServer

UNSEEN_S = 1800  # for which a pod is missed; by shorter times reading takes twice as long
AROUND_S = 21_600  # within which a pod's series are looked for, before and after
POINTS_AT_ONCE = 144  # most pods live shorter, and each is looked for at each point

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
        labels = ", ".join(preset.labels)
        series = _series(preset, coarse.window)
        seen = self._read(f"count by ({labels}) ({series})", preset.labels, preset.of, coarse)
        ready = self._ready(coarse) if preset.pods else {}
        if ready:
            none = np.zeros(coarse.n_points, dtype=np.bool_)
            missed = {name: ready.get(name, none) & ~at for name, at in seen.items()}
        else:
            later = replace(coarse, start_s=coarse.start_s + AROUND_S)
            query = _gone_between(preset, coarse)
            missed = self._read(query, preset.labels, preset.of, later, on_share)
        return Presence(
            missed={name: _by_step(at, steps, grid) for name, at in missed.items() if at.any()},
            seen=frozenset(seen),
            silent=frozenset(ready.keys() - seen.keys()),
        )

    def _ready(self, grid: Grid) -> Shown:
        """Whether a service had a ready pod for all of a step."""
        found: Shown = {}
        for metric, labels in PODS:
            query = f"max by ({', '.join(labels)}) (min_over_time({metric}[{grid.window}])) > 0"
            for name, at in self._read(query, labels, of_service, grid).items():
                found[name] = found.get(name, np.zeros_like(at)) | at
        return found

    def _read(
        self,
        query: str,
        labels: tuple[str, ...],
        of: Name,
        grid: Grid,
        on_share: OnShare = lambda _: None,
    ) -> Shown:
        """Whether the query says anything of a service at a point."""
        found: Shown = {}
        pieces = grid.pieces(POINTS_AT_ONCE)
        for done, series in enumerate(self._server.parts(query, pieces), 1):
            for named, at_s, _ in series:
                name = of([named.get(label, "") for label in labels])
                if fault_of_name(name):
                    continue
                at = found.setdefault(name, np.zeros(grid.n_points, dtype=np.bool_))
                at[grid.place(at_s)] = True
            on_share(done / len(pieces))
        return found


def _series(preset: Preset, window: str, offset_s: int = 0) -> str:
    """PromQL: all series that a pod exports within a window that ends some time ago."""
    ago = f" offset {offset_s}s" if offset_s else ""
    last = f"last_over_time({preset.pods or preset.requests}[{window}]{ago})"
    return f"max without ({REPLICAS}) ({last})"


def _gone_between(preset: Preset, grid: Grid) -> str:
    """PromQL: how many series a service has before and after the step, and not in it.

    The step is that which ends `AROUND_S` ago: not every server looks ahead.
    """
    around = f"{AROUND_S}s"
    after, step = _series(preset, around), _series(preset, grid.window, AROUND_S)
    before = _series(preset, around, AROUND_S + grid.step_s)
    return f"count by ({', '.join(preset.labels)}) (({before} and {after}) unless {step})"


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
