"""What a request met: a pod that was ready, one that was not, no answer in time, or a failure.

A cold request is proved by pods. Where the answer names those that served it, one of them was not
ready when the request was meant to be sent; where it names none, no pod of the revision was.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from benchmarks.live.load import Answer, is_success
from benchmarks.live.pods import PodTimes


class Outcome(StrEnum):
    """Of a request."""

    WARM = "warm"
    WAITED = "waited"
    TIMED_OUT = "timed out"
    FAILED = "failed"


class Outcomes:
    """Says what requests met, by the pods that there were."""

    def __init__(self, pods: Iterable[PodTimes]) -> None:
        self._by_name: dict[str, PodTimes] = {}
        self._by_revision: dict[str, list[PodTimes]] = defaultdict(list)
        for pod in pods:
            self._by_name[pod.name] = pod
            self._by_revision[pod.revision].append(pod)

    def of(self, answer: Answer, revisions: Sequence[str]) -> Outcome:
        """Of one request. revisions: those that it passes, one after the other."""
        if answer.timed_out:
            return Outcome.TIMED_OUT
        if not is_success(answer.status):
            return Outcome.FAILED
        at_s = answer.intended_s
        served = _named(answer, self._by_name)
        if served:
            warm = all(pod.ready_s <= at_s for pod in served)
        else:
            warm = all(
                any(pod.was_ready(at_s) for pod in self._by_revision[revision])
                for revision in revisions
            )
        return Outcome.WARM if warm else Outcome.WAITED


def _named(answer: Answer, pods: Mapping[str, PodTimes]) -> list[PodTimes]:
    return [pods[word] for word in answer.words if word in pods]
