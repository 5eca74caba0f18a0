"""Start-up times as measured: from a pod's creation until it was ready, and by part.

Times are Kubernetes' own, in whole seconds, from the pod's events: a part can be a second off, the
mean of many is right.
"""

import numpy as np

from knative.controller.state.measured import MeasuredTimes
from knative.mirror.objects import Pod

UNMEASURED_S = 10.0  # until the first start was seen
LONGEST_S = 3600.0  # s that a start may take; more is a clock that is wrong
ROUNDED_S = 1.0  # s that a difference of Kubernetes' times may be short


class StartUps(MeasuredTimes):
    """The last times from a pod's creation until it was ready, of each service."""

    def lead_s(self, service: str, price_s: float) -> float:
        """How long before a request a pod of the service has to be started, s.

        Starting a second earlier costs a second of idle pod; a pod that is not ready in time costs
        a cold request. Of the measured start-up times, the one with the least expected cost
        (newsvendor). price_s: s of idle pod that one cold request is worth.
        """
        seen = self.ascending(service)
        if not len(seen):
            return UNMEASURED_S
        too_slow = np.arange(len(seen) - 1, -1, -1) / len(seen)  # share of starts that take longer
        return float(seen[(seen + price_s * too_slow).argmin()]) + ROUNDED_S


def parts_of(pod: Pod) -> dict[str, float]:
    """s of each part of a start that is known: until scheduled, started, ready; and in total."""
    at = {
        "scheduled": (pod.created_s, pod.scheduled_s),
        "started": (pod.scheduled_s, pod.running_s),
        "ready": (pod.running_s, pod.ready_s),
        "total": (pod.created_s, pod.ready_s),
    }
    took = {part: end - begin for part, (begin, end) in at.items() if begin and end}
    # A node's clock may be off: a part that cannot be is left out, the others stay.
    return {part: seconds for part, seconds in took.items() if 0 <= seconds < LONGEST_S}
