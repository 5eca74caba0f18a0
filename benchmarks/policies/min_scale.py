"""Min-scale: Knative's rule, which never goes below so many pods.

Source: Knative's annotation ``autoscaling.knative.dev/min-scale``, which its manual advises where
cold starts hurt; 1 is what most users set.
"""

from dataclasses import replace

import numpy as np

from benchmarks.policies.contender import Knob, Plan, Scene


class MinScale:
    """Keeps so many pods of every service; further ones are Knative's own."""

    name = "min-scale"
    knob = Knob(name="least pods", values=(1.0, 2.0, 3.0, 5.0, 10.0), default=1.0)
    hindsight = False

    def plan(self, scene: Scene, value: float) -> Plan:
        """``value``: whole pods. A service's max-scale goes before it, as it must in Knative."""
        base = scene.services.revision
        most = np.where(np.asarray(base.max_scale) > 0, base.max_scale, np.inf)
        least = np.maximum(base.min_scale, np.minimum(value, most)).astype(np.int64)
        return Plan(services=replace(scene.services, revision=replace(base, min_scale=least)))
