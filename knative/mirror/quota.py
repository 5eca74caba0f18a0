"""How many objects of a kind are kept: in all, and of each group, such as a namespace."""

from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

from autoscaler.limits import (
    NAMESPACE_PODS,
    NAMESPACE_REVISIONS,
    PODS,
    REVISION_PODS,
    REVISIONS,
    Limit,
)
from knative.mirror.objects import Pod

T = TypeVar("T")
Group = Callable[[str, T], str]  # of an object by its key and what is kept of it


def in_all(*_: object) -> str:
    """All in one group."""
    return ""


def of_namespace(key: str, *_: object) -> str:
    """A group for each namespace."""
    return key.partition("/")[0]


class Quota(Generic[T]):
    """Counts what is kept; says which limit leaves no place for one more."""

    def __init__(self, *limits: tuple[Limit, Group[T]]) -> None:
        self._limits = [(limit, group_of, Counter[str]()) for limit, group_of in limits]

    def limit_for(self, key: str, new: T, former: T | None) -> Limit | None:
        """The limit that leaves no place; None = there is one. former: what is kept now, if any."""
        for limit, group_of, counts in self._limits:
            group = group_of(key, new)
            has_place = former is not None and group_of(key, former) == group
            if not has_place and counts[group] >= limit.most:
                return limit
        return None

    def add(self, key: str, kept: T) -> None:
        """An object is kept."""
        for _, group_of, counts in self._limits:
            counts[group_of(key, kept)] += 1

    def drop(self, key: str, kept: T) -> None:
        """It is kept no more."""
        for _, group_of, counts in self._limits:
            group = group_of(key, kept)
            counts[group] -= 1
            if not counts[group]:
                del counts[group]  # groups come and go


def one_a_revision() -> Quota[object]:
    """For a kind of which each revision has one."""
    return Quota((REVISIONS, in_all), (NAMESPACE_REVISIONS, of_namespace))


def of_pods() -> Quota[Pod]:
    """For pods."""
    return Quota(
        (PODS, in_all), (NAMESPACE_PODS, of_namespace), (REVISION_PODS, lambda _, pod: pod.revision)
    )
