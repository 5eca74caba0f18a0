"""Which edges are withdrawn: what came of their warnings, as evidence.

It is kept in memory: after a restart it begins anew.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from autoscaler.advisor.withdrawal.edge_evidence import EdgeEvidence
from autoscaler.advisor.withdrawal.edge_warnings import CallTimes, Warnings, carried
from autoscaler.core.prediction.dependencies import Edges, Pair, no_edges


class EdgeWithdrawals:
    """Follows calls. One thread does; others may read ``by_pair``."""

    def __init__(self) -> None:
        self.by_pair: Mapping[Pair, str] = {}  # and why, for people; replaced, never changed
        self._warnings = Warnings()
        self._edges = no_edges(())
        self._evidence = EdgeEvidence.none(0)

    def follow(self, calls: CallTimes, edges: Edges) -> bool:
        """See what came of warnings; returns whether an edge was withdrawn, or is back.

        edges: all that are known; the same object again means the same edges.
        """
        former = self.by_pair
        if edges is not self._edges:
            self._go_on_with(edges)
        edge, came = self._warnings.ended(calls)
        if len(edge):
            self._count(self._evidence.after(edge, came, edges.probability), calls.at_s)
        return self.by_pair is not former

    def _go_on_with(self, edges: Edges) -> None:
        before, former = self._evidence, self._warnings.keys
        self._edges = edges
        self._warnings.of(edges)
        keys = self._warnings.keys
        self._evidence = EdgeEvidence(
            withdrawn=carried(keys, former, before.withdrawn.astype(float), 0.0) > 0,
            log_wealth=carried(keys, former, before.log_wealth, 0.0),
            run=carried(keys, former, before.run, 0.0),
        )
        known = {
            self._edges.pair(edge) for edge in np.flatnonzero(self._evidence.withdrawn).tolist()
        }
        if known != self.by_pair.keys():
            self.by_pair = {pair: one for pair, one in self.by_pair.items() if pair in known}

    def _count(self, after: EdgeEvidence, now: float) -> None:
        before, self._evidence = self._evidence, after
        changed = np.flatnonzero(after.withdrawn != before.withdrawn).tolist()
        if not changed:
            return
        present = dict(self.by_pair)
        for edge in changed:
            if after.withdrawn[edge]:
                warnings, came = after.run[:, edge].astype(int).tolist()
                present[self._edges.pair(edge)] = _why(now, warnings, came)
            else:
                del present[self._edges.pair(edge)]
        self.by_pair = present


def _why(since_s: float, warnings: int, came: int) -> str:
    return (
        f"withdrawn since {datetime.fromtimestamp(since_s, UTC):%Y-%m-%d %H:%M UTC}: of {warnings} "
        f"starts upstream that found it idle, {came or 'none'} {'was' if came == 1 else 'were'} "
        "followed by a call; it comes back once they are"
    )
