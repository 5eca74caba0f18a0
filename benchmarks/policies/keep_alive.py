"""Fixed keep-alive: Knative's rule, whose last pod stays for some minutes after the last call.

Source: Knative's annotation ``autoscaling.knative.dev/scale-to-zero-pod-retention-period``; the
default of most platforms is 10 minutes (Shahrad et al., Serverless in the Wild, 2020).
"""

from dataclasses import replace

import numpy as np

from benchmarks.policies.contender import Knob, Plan, Scene


class KeepAlive:
    """Keeps the last pod; further ones are Knative's own."""

    name = "keep-alive"
    knob = Knob(name="kept, min", values=(1.0, 5.0, 10.0, 20.0, 60.0), default=10.0)
    hindsight = False

    def plan(self, scene: Scene, value: float) -> Plan:
        """``value``: minutes."""
        base = scene.services.revision
        retention = np.maximum(base.retention_s, 60.0 * value)
        return Plan(services=replace(scene.services, revision=replace(base, retention_s=retention)))
