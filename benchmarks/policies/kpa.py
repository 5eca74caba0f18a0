"""KPA as configured: Knative's own rule, and nothing beside it.

Its one knob is the stable window, over which it averages and after which the last pod goes; the
published trade-off of Knative on Azure's traces sweeps it from 30 to 1,800 s (arXiv 2509.03104).
Services keep windows of their own: all are stretched alike.
"""

from dataclasses import replace

import numpy as np

from benchmarks.policies.contender import Knob, Plan, Scene

LEAST_S, MOST_S = 6, 3600  # that Knative allows
LEAST_PANIC_S = 1


class Kpa:
    """Knative's rule."""

    name = "KPA"
    knob = Knob(
        name="stable window, times as configured",
        values=(0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
        default=1.0,
    )
    hindsight = False

    def plan(self, scene: Scene, value: float) -> Plan:
        """``value``: by which stable and panic windows are stretched; 1 leaves all as it is."""
        base = scene.services.revision
        stable = np.clip(np.rint(value * np.asarray(base.stable_window_s)), LEAST_S, MOST_S)
        panic = np.clip(np.rint(value * np.asarray(base.panic_window_s)), LEAST_PANIC_S, stable)
        stretched = replace(
            base,
            stable_window_s=stable.astype(np.int64),
            panic_window_s=panic.astype(np.int64),
        )
        return Plan(services=replace(scene.services, revision=stretched))
