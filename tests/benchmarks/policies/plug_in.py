"""A contender as a user would write one; it looks into the future without saying so."""

import numpy as np

from benchmarks.policies.contender import Knob, Plan, Scene


class Peeking:
    """Knows what each step will need."""

    name = "peeking"
    knob = Knob(name="pods beyond it", values=(0.0, 1.0), default=0.0)
    hindsight = False

    def plan(self, scene: Scene, value: float) -> Plan:
        future = np.nan_to_num(scene.demand.peak[:, scene.first :])
        return Plan(services=scene.services, floors=np.ceil(future + value).astype(np.int64))
