"""What it costs that a pod is missing: the requests that wait, and the pods that Knative adds.

*The first pod.* The first call after idleness waits for it, and so do all that come while it
starts. How many do on average, R, is counted for each service, whether or not a pod was ready for
them; one case of a single request is counted in advance. When the pod is ready, (R + 1) / 2 were in
flight on average since the first one came, and Knative has started N pods for them: two for a
single request, where a pod's target is 0.7. If they are served at once, in S seconds each, its
averages see no more than ``R S / window``, and it wants M pods: by its panic window where that
makes it panic, else by its stable one. N - M pods are added because requests waited; each starts
(L), stays for a stable window (W) and drains (D).

*A further pod.* In the time of its start it would have served L / S requests. A burst that comes
after idleness has R of them in that time, for as many pods as serve them; so as many wait for a
pod as it would have served, or as there are in all: ``min(R, L / S)``. Else demand is beyond the
pods there are by anything up to one pod, half of one on average, so that L / 2 S requests queue,
which those pods and the new one share out: two at least, so L / 4 S for the new one. What waits for
a further pod is the greater of both, and one request at least; Knative adds pods, as above, for
twice as many that queue.

With the price P of a cold request, what is missing costs

    P R + (N - M) (L + W + D)

seconds of pod, beside the start and the drain of the pod that is needed in any case.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.state.fleet import Fleet, Rows
from autoscaler.core.state.revision import Metric, SpecArrays
from autoscaler.core.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What waits and what is added where a pod is missing; (n,) each."""

    first_waiting: FloatArray  # requests that wait for the first pod
    first_added_s: FloatArray  # s of pod that Knative adds meanwhile
    further_waiting: FloatArray  # likewise of a further pod
    further_added_s: FloatArray

    @classmethod
    def of(cls, fleet: Fleet, rows: Rows, spec: SpecArrays) -> "Missing":
        """Of n rows. spec: theirs."""
        services, waits = fleet.service[rows], fleet.services.waits.view
        service_s = fleet.services.waits.service_time_s(services)
        first = (waits.requests[services] + 1.0) / (waits.cases[services] + 1.0)
        would_serve = spec.lead_s / service_s
        further = np.maximum(np.minimum(first, would_serve), would_serve / 4.0)
        return cls(
            first_waiting=first,
            first_added_s=_added_s(first, service_s, spec),
            further_waiting=np.maximum(further, 1.0),
            further_added_s=_added_s(np.maximum(2.0 * further, 1.0), service_s, spec),
        )

    def first_s(self, price_s: FloatArray) -> FloatArray:
        """(n,) what it costs that the first pod is missing, s of pod."""
        return price_s * self.first_waiting + self.first_added_s

    def further_s(self, price_s: FloatArray) -> FloatArray:
        """(n,) what it costs that a further pod is missing, s of pod."""
        return price_s * self.further_waiting + self.further_added_s


def _added_s(requests: FloatArray, service_s: FloatArray, spec: SpecArrays) -> FloatArray:
    """(n,) s of pod that Knative adds because requests (n,) wait. service_s: (n,) of each."""
    waiting = (requests + 1.0) / 2.0
    panic, stable = (
        _pods(np.minimum(requests * service_s / window_s, waiting), spec)
        for window_s in (spec.panic_window_s, spec.stable_window_s)
    )
    at_once = np.where(panic >= spec.panic_threshold, panic, stable)
    added = np.maximum(_pods(waiting, spec) - at_once, 0.0)
    added = np.where(spec.metric == Metric.CONCURRENCY, added, 0.0)
    return np.asarray(added * (spec.lead_s + spec.stable_window_s + spec.drain_s))


def _pods(demand: FloatArray, spec: SpecArrays) -> FloatArray:
    """(n,) pods that Knative wants for a demand (n,)."""
    pods = np.maximum(np.ceil(demand / spec.target), spec.activation_scale)
    return np.asarray(np.where(spec.max_scale > 0, np.minimum(pods, spec.max_scale), pods))
