"""Start-up times as measured: from a pod's creation until it was ready, and by part.

Times are Kubernetes' own, in whole seconds, from the pod's events: a part can be a second off, the
mean of many is right.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from knative.objects import Pod

KEPT = 50  # of each service
UNMEASURED_S = 10.0  # until the first start was seen
LONGEST_S = 3600.0  # s that a start may take; more is a clock that is wrong
ROUNDED_S = 1.0  # s that a difference of Kubernetes' times may be short
TOTAL = "total"


@dataclass(slots=True)
class Sum:
    """Starts of one service, or one part of them."""

    starts: int = 0
    seconds: float = 0.0


class StartUps:
    """The last start-up times of each service, and all of them by part."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._sums: dict[tuple[str, str], Sum] = defaultdict(Sum)  # by service and part

    def add(self, service: str, seconds: float) -> None:
        """A pod of the service took so long."""
        if _can_be(seconds):
            self._seen[service].append(seconds)
            self._note(service, TOTAL, seconds)

    def add_pod(self, service: str, pod: Pod) -> None:
        """A pod of the service is ready for the first time."""
        self.add(service, pod.ready_s - pod.created_s)
        for part, seconds in parts_of(pod).items():
            self._note(service, part, seconds)

    def lead_s(self, service: str, price_s: float) -> float:
        """How long before its call a pod of the service has to be started, s.

        A second earlier costs a second of idle pod, being late costs a cold request: of the
        start-up times seen it is the one at which both together are least, the newsvendor's
        choice. price_s: s of idle pod that one cold request is worth.
        """
        seen = np.sort(self._seen.get(service, ()))
        if not len(seen):
            return UNMEASURED_S
        late = np.arange(len(seen) - 1, -1, -1) / len(seen)  # share of starts that take longer
        return float(seen[(seen + price_s * late).argmin()]) + ROUNDED_S

    def by_part(self) -> Iterator[tuple[str, str, int, float]]:
        """Service, part, starts and s in all; another thread may read."""
        for (service, part), total in list(self._sums.items()):
            yield service, part, total.starts, total.seconds

    def _note(self, service: str, part: str, seconds: float) -> None:
        total = self._sums[service, part]
        total.starts += 1
        total.seconds += seconds


def parts_of(pod: Pod) -> dict[str, float]:
    """s of each part of a start that is known: until scheduled, until started, until ready."""
    at = {
        "scheduled": (pod.created_s, pod.scheduled_s),
        "started": (pod.scheduled_s, pod.running_s),
        "ready": (pod.running_s, pod.ready_s),
    }
    took = {part: end - begin for part, (begin, end) in at.items() if begin and end}
    # A node's clock may be off: a part that cannot be is left out, the others stay.
    return {part: seconds for part, seconds in took.items() if _can_be(seconds)}


def _can_be(seconds: float) -> bool:
    return 0 <= seconds < LONGEST_S
