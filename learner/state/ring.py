"""The pods that each service needed in every step of a window, two bytes each.

One array for all states of a lineage: a step writes a column that no state of the last ``SPARE``
steps reads. So an older state can be stepped anew, with corrected samples; those after it are void.
"""

from typing import Self

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError

GAP = 65_535
MOST_NEED = GAP - 1  # pods; a service that needs more counts as needing so many
SPARE = 16  # steps

Pods = npt.NDArray[np.uint16]  # pods needed; GAP = not known


def as_pods(need: FloatArray) -> Pods:
    """Need in pods (any shape), NaN = gap."""
    bounded = np.clip(np.nan_to_num(need), 0, MOST_NEED)
    return np.where(np.isnan(need), GAP, bounded).astype(np.uint16)


def as_need(pods: Pods) -> FloatArray:
    """The inverse of `as_pods`: NaN = gap."""
    return np.where(pods == GAP, np.nan, pods)


class NeedRing:
    """Need by service and step. Step i lies in column i modulo the length."""

    def __init__(self, values: Pods, newest: int) -> None:
        """Values: (n, window + SPARE); newest: the step after the last one written."""
        self.values, self.newest = values, newest

    @classmethod
    def empty(cls, n: int, window: int) -> Self:
        """Of n services, all gaps."""
        return cls(np.full((n, window + SPARE), GAP, dtype=np.uint16), 0)

    @property
    def window(self) -> int:
        """Steps that can be read."""
        return int(self.values.shape[1]) - SPARE

    def write(self, step: int, pods: Pods) -> None:
        """Set one step (n,). Raises PermanentError if states so far back cannot be stepped."""
        if not self.newest - SPARE < step <= self.newest:
            raise PermanentError(
                f"the state is of step {step}, the newest of {self.newest};"
                f" allowed: less than {SPARE} steps back"
            )
        self.values[:, step % self.values.shape[1]] = pods
        # Never back: what it overwrote is lost to all older states.
        self.newest = max(self.newest, step + 1)

    def extend(self, services: IntArray, first: int, pods: Pods) -> None:
        """Append steps (k, n_steps) of some services from ``first`` on; all between are gaps."""
        length = self.values.shape[1]
        end = first + pods.shape[1]
        pods = pods[:, max(pods.shape[1] - length, 0) :]
        between = np.arange(max(self.newest, end - length), end) % length
        self.values[:, between] = GAP
        mine = np.arange(end - pods.shape[1], end) % length
        self.values[np.ix_(services, mine)] = pods
        self.newest = end

    def at(self, step: int) -> Pods:
        """(n,) a step of the window, or the one just before it. A view."""
        return np.asarray(self.values[:, step % self.values.shape[1]])

    def between(self, services: IntArray | slice, begin: int, end: int) -> Pods:
        """(k, end - begin) some services' steps in order; GAP before step 0."""
        length = self.values.shape[1]
        first, last = begin % length, end % length
        if begin < end and last <= first:
            parts = self.values[:, first:][services], self.values[:, :last][services]
            return np.concatenate(parts, axis=1)
        return self.values[:, first:last][services].copy()

    def taken(self, services: IntArray) -> "NeedRing":
        """A copy with other services: (k,) rows of this one, -1 = one without a past."""
        values = np.full((len(services), self.values.shape[1]), GAP, dtype=np.uint16)
        old = services >= 0
        values[old] = self.values[services[old]]
        return NeedRing(values, self.newest)
