"""Model predictive control: each minute, the cheapest plan of ten, of which the first is kept to.

Source: Nguyen, Bhuyan, Elmroth, Taming Cold Starts: Proactive Serverless Scheduling with Model
Predictive Control, arXiv 2508.07640: a Fourier forecast of invocations, and before each step that
course of containers created and reclaimed over a horizon which costs least, by penalties for cold
starts, for waiting, for more than is needed, and for changes. What of it is a policy beside
Knative: the forecast and the course. How requests are sent to containers is Knative's own, so
nothing waits by plan; the paper's weights are of its testbed, and costs here are pod time:

* a pod costs a step for each step that nothing needs it;
* to create one costs what it takes from creation to ready, and to drain;
* a missing pod costs ``MISSING`` steps each step: more than a start, so that none is planned late.

Pods are interchangeable, so the k-th of them is needed where the forecast needs k, and the cheapest
course of all is the cheapest of each by itself. Of one, be d the cost of having it in a step less
that of not having it, with all that follows: ``d = c + clip(d of the next step, -start, 0)``, with
c = 1 where it is not needed, else ``-MISSING``. It is created if ``d < -start``, kept if ``d < 0``.
"""

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.policies.contender import Plan, Scene
from benchmarks.policies.fft import FEMUX_WINDOW, next_steps
from benchmarks.policies.latest import Latest
from benchmarks.policies.point_forecast import FACTOR, in_flight, pods_for

HORIZON = 10  # steps
MISSING = 10.0  # steps of a pod


class Mpc:
    """A course of pods by a forecast; its knob is that of other rivals that forecast one number."""

    name = "MPC"
    knob = FACTOR
    hindsight = False

    def __init__(self) -> None:
        self._forecasts = Latest(_forecasts)

    def plan(self, scene: Scene, value: float) -> Plan:
        """``value``: the factor."""
        mean = self._forecasts(scene)
        needed = np.stack([pods_for(ahead, scene, value) for ahead in mean])
        seen = pods_for(in_flight(scene), scene)[:, max(scene.first - 1, 0) : -1]
        stood = np.pad(seen, ((0, 0), (needed.shape[2] - seen.shape[1], 0)))
        revision = scene.services.revision
        start = (np.asarray(revision.lead_s) + revision.drain_s) / scene.demand.step_s
        start = np.broadcast_to(start, len(stood))[:, None]
        return Plan(
            services=scene.services, floors=course(needed, stood, start),
            mean_in_flight=mean[0] * value,
        )  # fmt: skip


def _forecasts(scene: Scene) -> FloatArray:
    """(HORIZON, n, n_steps - first) requests in flight, from each step on."""
    seen = in_flight(scene)
    return np.stack(
        [
            np.maximum(next_steps(seen, scene.first, FEMUX_WINDOW, ahead), 0.0)
            for ahead in range(HORIZON)
        ]
    )


def course(needed: IntArray, stood: IntArray, start: FloatArray) -> IntArray:
    """(n, n_steps) pods in each step.

    needed: (HORIZON, n, n_steps) from each step on. stood: (n, n_steps) that the step before it
    needed, which Knative had. start: (n, 1) steps of pod that creating one costs.
    """
    pods = np.zeros_like(stood)
    for which in range(int(needed.max(initial=0))):
        less = np.zeros(stood.shape)  # d, from the last step of the horizon backwards
        for ahead in needed[::-1]:
            less = np.where(ahead > which, -MISSING, 1.0) + np.clip(less, -start, 0.0)
        pods += _there(less < -start, less < 0, stood > which)
    return pods


def _there(created: BoolArray, kept: BoolArray, stood: BoolArray) -> BoolArray:
    """(n, n_steps) whether a pod is there: created, or kept since one was there, or stood."""
    there = created.copy()
    before = np.zeros(len(there), dtype=np.bool_)
    for step in range(there.shape[1]):
        there[:, step] |= kept[:, step] & (before | stood[:, step])
        before = there[:, step]
    return there
