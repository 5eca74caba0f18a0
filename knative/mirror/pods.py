"""Pods of each revision, with counts by state that are updated at each change."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from knative.mirror.objects import Pod

READY, UNREADY, PENDING, TERMINATING = "ready", "unready", "pending", "terminating"
NONE: Mapping[str, int] = MappingProxyType({})


class Pods:
    """All pods, by "namespace/pod"."""

    def __init__(self) -> None:
        self._revision_of: dict[str, str] = {}
        self._by_revision: dict[str, dict[str, Pod]] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._was_ready: set[str] = set()

    def put(self, key: str, pod: Pod) -> bool:
        """Store a new or changed pod; returns whether it is ready for the first time.

        It was asked to go when it was first: a kubelet whose containers have ended asks once more,
        without grace, right before the pod is gone.
        """
        former = self._by_revision.get(self._revision_of.get(key, ""), {}).get(key)
        if former and former.deleted_s and pod.deleted_s:
            pod = replace(pod, deleted_s=min(former.deleted_s, pod.deleted_s))
        self.drop(key, for_good=False)
        self._revision_of[key] = pod.revision
        self._by_revision.setdefault(pod.revision, {})[key] = pod
        self._counts.setdefault(pod.revision, Counter())[pod.state] += 1
        if not pod.ready_s or key in self._was_ready:
            return False
        self._was_ready.add(key)
        return True

    def drop(self, key: str, *, for_good: bool = True) -> str:
        """Remove a pod; returns its revision, "" if it was not known."""
        if for_good:
            self._was_ready.discard(key)
        revision = self._revision_of.pop(key, "")
        if revision:
            pods = self._by_revision[revision]
            self._counts[revision][pods.pop(key).state] -= 1
            if not pods:
                del self._by_revision[revision], self._counts[revision]
        return revision

    def served(self, key: str) -> Pod | None:
        """A pod that was ready once; None = it is not known, or never was."""
        if key not in self._was_ready:
            return None
        return self._by_revision[self._revision_of[key]][key]

    def ready(self, revision: str) -> list[Pod]:
        """A revision's pods that are ready."""
        return [p for p in self._by_revision.get(revision, {}).values() if p.state == READY]

    def counts(self, revision: str) -> Mapping[str, int]:
        """A revision's pods by state; a state without pods may be left out."""
        return self._counts.get(revision, NONE)
