"""Floors: pods that a planner keeps standing, step by step, beside what Knative's rule wants.

This is how whoever plans beside Knative acts: it sets min-scale, and KPA goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.state.fleet import Fleet
from autoscaler.core.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """Least pods of all services over time. Before the first step: none."""

    from_s: FloatArray  # (n_steps,) Unix s ascending, from which each step holds
    pods: IntArray  # (n, n_steps) >= 0

    def only(self, services: IntArray) -> "Floors":
        """Those of some services."""
        return replace(self, pods=self.pods[services])


class FloorsInForce:
    """Raises the min-scale of rows as time goes on. Row p * n + i is service i under policy p."""

    def __init__(self, floors: Mapping[str, Floors], names: Sequence[str], fleet: Fleet) -> None:
        """names: of each policy's floors; "" = none."""
        n = len(fleet) // len(names)
        self._least = fleet.spec.min_scale.copy()  # as set; a floor lowers nothing
        self._parts = [
            (np.arange(p * n, (p + 1) * n), floors[name]) for p, name in enumerate(names) if name
        ]
        times_s = [part.from_s for _, part in self._parts]
        self._to_come_s = np.unique(np.concatenate([np.zeros(0), *times_s]))  # Unix s

    @property
    def next_s(self) -> float:
        """Unix s at which the next step begins; inf = never."""
        return float(self._to_come_s[0]) if len(self._to_come_s) else np.inf

    def apply(self, fleet: Fleet, now: float) -> IntArray:
        """Put those of Unix s ``now`` in force; returns rows whose min-scale is another."""
        if self.next_s > now:
            return np.zeros(0, dtype=np.int64)
        self._to_come_s = self._to_come_s[self._to_come_s > now]
        before = fleet.spec.min_scale.copy()
        for rows, floors in self._parts:
            step = int(np.searchsorted(floors.from_s, now, side="right")) - 1
            if step >= 0:
                fleet.spec.min_scale[rows] = np.maximum(self._least[rows], floors.pods[:, step])
        return np.flatnonzero(fleet.spec.min_scale != before)
