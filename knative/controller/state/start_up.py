"""Start-up times as measured: from a pod's creation until it was ready, and by part.

Times are Kubernetes' own, in whole seconds, from the pod's events: a part can be a second off, the
mean of many is right.
"""

from array import array

import numpy as np

from knative.mirror.objects import Pod

KEPT = 50  # starts of each service
UNMEASURED_S = 10.0  # until the first start was seen
LONGEST_S = 3600.0  # s that a start may take; more is a clock that is wrong
ROUNDED_S = 1.0  # s that a difference of Kubernetes' times may be short


class StartUps:
    """The last start-up times of each service that has any, until it is forgotten."""

    def __init__(self) -> None:
        self._last: dict[str, array[float]] = {}  # by service: s, the eldest first

    def add(self, service: str, seconds: float) -> None:
        """A pod of the service took so long, from its creation until it was ready."""
        last = self._last.setdefault(service, array("d"))
        last.append(seconds)
        if len(last) > KEPT:
            del last[0]

    def forget(self, service: str) -> None:
        """A service went."""
        self._last.pop(service, None)

    def lead_s(self, service: str, price_s: float) -> float:
        """How long before its call a pod of the service has to be started, s.

        A second earlier costs a second of idle pod, being late costs a cold request: of the
        start-up times seen it is the one at which both together are least, the newsvendor's
        choice. price_s: s of idle pod that one cold request is worth.
        """
        seen = np.sort(self._last.get(service, ()))
        if not len(seen):
            return UNMEASURED_S
        late = np.arange(len(seen) - 1, -1, -1) / len(seen)  # share of starts that take longer
        return float(seen[(seen + price_s * late).argmin()]) + ROUNDED_S


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
