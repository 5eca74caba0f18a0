"""Drains as measured: from when a pod was asked to go until it was gone.

A pod that is deleted is there until its queue-proxy saw no request for a while, and its containers
ended. When it was asked to go is Kubernetes' own time, in whole seconds; that it is gone is known
when the watch says so.
"""

from knative.controller.state.measured import MeasuredTimes
from knative.mirror.objects import Pod

# For so long Knative's queue-proxy waits for requests that are still on their way
# (knative/serving pkg/queue/sharedmain/main.go: drainSleepDuration).
UNMEASURED_S = 30.0  # until the first drain was seen
LONGEST_S = 3600.0  # s that a drain may take; more is a clock that is wrong


class Drains(MeasuredTimes):
    """The last drains of each service, s."""

    def drain_s(self, service: str) -> float:
        """How long a pod of the service is there after it was let go, s.

        A second too many keeps pods idle for it, a second too few lets them go for it: the errors
        cost the same, so it is the median (newsvendor).
        """
        seen = self.ascending(service)
        return float(seen[(len(seen) - 1) // 2]) if len(seen) else UNMEASURED_S


def drain_of(pod: Pod, now: float) -> float | None:
    """s for which a pod that is gone at Unix s ``now`` has drained; None = it is not known."""
    if not pod.deleted_s:
        return None
    drained_s = now - pod.deleted_s
    return drained_s if 0 <= drained_s < LONGEST_S else None
