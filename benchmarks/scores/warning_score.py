"""What edges are worth: starts warned of in time, against warnings in vain.

At every start of a service, each of its downstreams that is idle is warned. A warning is in vain if
no start follows within the window that edges are learned over; a start is warned of in time if a
warning came a whole start-up before it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.state.rings import span
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods

IDLE_S = 60.0  # s of idleness after which a call is a start
WITHIN_S = 20.0  # s after a warning within which a start makes it true
START_UP_S = 1.9  # s that a start-up takes, hardly ever less


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningScore:
    """Warnings of all edges from a least probability on."""

    threshold: float  # least probability
    starts: int  # that another service's call caused
    before: float  # share of them that was warned of at all
    in_time: float  # share that was warned of by a whole start-up
    warnings: int
    vain: float  # share of the warnings


@dataclass(frozen=True, kw_only=True)
class Warnings:
    """All warnings along some edges."""

    probability: FloatArray  # (k,) that the edge gives
    start: IntArray  # (k,) the start that it warned of; -1 = none followed
    lead_s: FloatArray  # (k,) s until then
    caused: BoolArray  # (n_starts,) by another service's call

    def at(self, threshold: float) -> WarningScore:
        """The score of warnings with a probability of at least so much."""
        before, in_time = (self._caused_probability(least_s) for least_s in (0.0, START_UP_S))
        n, vain = self._vain_from(threshold)
        n_caused = int(self.caused.sum())
        return WarningScore(
            threshold=threshold,
            starts=n_caused,
            before=float((before >= threshold).sum()) / max(n_caused, 1),
            in_time=float((in_time >= threshold).sum()) / max(n_caused, 1),
            warnings=n,
            vain=vain / max(n, 1),
        )

    def with_vain(self, share: float) -> WarningScore:
        """The score at the lowest threshold at which no more than a share of them is in vain."""
        levels = np.unique(self.probability)[::-1]
        probabilities, vain = self._descending
        n = np.searchsorted(-probabilities, -levels, side="right")
        good = np.flatnonzero(vain[n - 1] <= share * n)
        return self.at(float(levels[good[-1]]) if len(good) else np.inf)

    def _vain_from(self, threshold: float) -> tuple[int, int]:
        probabilities, vain = self._descending
        n = int(np.searchsorted(-probabilities, -threshold, side="right"))
        return n, int(vain[n - 1]) if n else 0

    @cached_property
    def _descending(self) -> tuple[FloatArray, IntArray]:
        """(k,) probabilities, the greatest first, and how many up to each were in vain."""
        order = np.argsort(-self.probability, kind="stable")
        return self.probability[order], np.cumsum(self.start[order] < 0)

    def _caused_probability(self, least_s: float) -> FloatArray:
        """(n_caused,) greatest probability of the warnings so long before each caused start."""
        best = np.full(len(self.caused), -np.inf)
        early = (self.start >= 0) & (self.lead_s >= least_s)
        np.maximum.at(best, self.start[early], self.probability[early])
        return np.asarray(best[self.caused])


def warnings_along(edges: Edges, busy: BusyPeriods, caused: BoolArray) -> Warnings:
    """Warn at every start, over periods not used to learn the edges.

    caused: (n_busy,) starts by another service's call: no others can be warned of.
    """
    ordered, first = edges.by_upstream()
    n_out = (first[1:] - first[:-1])[busy.service]
    upstream = np.repeat(np.arange(len(busy.service)), n_out)
    edge = span(first[:-1][busy.service], n_out)
    target, at = ordered.downstream[edge], busy.start_s[upstream]
    reach = busy.until_s - busy.since_s + 1e4
    order = np.argsort(busy.service * reach + busy.start_s - busy.since_s, kind="stable")
    line = (busy.service * reach + busy.start_s - busy.since_s)[order]
    ahead = np.searchsorted(line, target * reach + at - busy.since_s)  # the target's next start
    idle = at - _ends(busy, order, ahead - 1, target) >= IDLE_S
    ahead, at, target, edge = ahead[idle], at[idle], target[idle], edge[idle]
    later = order[np.minimum(ahead, len(order) - 1)]
    followed = (ahead < len(order)) & (busy.service[later] == target)
    lead_s = np.where(followed, busy.start_s[later] - at, np.inf)
    return Warnings(
        probability=ordered.probability[edge],
        start=np.where(lead_s <= WITHIN_S, later, -1),
        lead_s=lead_s,
        caused=caused,
    )


def _ends(busy: BusyPeriods, order: IntArray, place: IntArray, target: IntArray) -> FloatArray:
    """(k,) Unix s at which the period at a place of the order ended; -inf if not the target's."""
    before = order[np.maximum(place, 0)]
    own = (place >= 0) & (busy.service[before] == target)
    return np.where(own, busy.end_s[before], -np.inf)
