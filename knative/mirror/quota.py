"""Limits of the number of objects of a kind: in all, and of each group, such as a namespace."""

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
Group = Callable[[str, T], str]  # of an object, by its key and its stored form


def in_all(*_: object) -> str:
    """One group for all."""
    return ""


def of_namespace(key: str, *_: object) -> str:
    """A group for each namespace."""
    return key.partition("/")[0]


class Quota(Generic[T]):
    """Counts stored objects by group."""

    def __init__(self, *limits: tuple[Limit, Group[T]]) -> None:
        self._limits = [(limit, group_of, Counter[str]()) for limit, group_of in limits]

    def limit_for(self, key: str, new: T, former: T | None) -> Limit | None:
        """The limit that refuses an object; None = there is room. former: its stored version."""
        for limit, group_of, counts in self._limits:
            group = group_of(key, new)
            counted = former is not None and group_of(key, former) == group
            if not counted and counts[group] >= limit.most:
                return limit
        return None

    def add(self, key: str, stored: T) -> None:
        """An object was stored."""
        for _, group_of, counts in self._limits:
            counts[group_of(key, stored)] += 1

    def drop(self, key: str, stored: T) -> None:
        """An object was removed."""
        for _, group_of, counts in self._limits:
            group = group_of(key, stored)
            counts[group] -= 1
            if not counts[group]:
                del counts[group]  # namespaces are created and deleted


def one_a_revision() -> Quota[object]:
    """Limits for a kind of which each revision has one."""
    return Quota((REVISIONS, in_all), (NAMESPACE_REVISIONS, of_namespace))


def of_pods() -> Quota[Pod]:
    """Limits for pods."""
    return Quota(
        (PODS, in_all), (NAMESPACE_PODS, of_namespace), (REVISION_PODS, lambda _, pod: pod.revision)
    )
