"""Edges between intermittent services, updated as starts come in: each start is counted once.

Starts of the last two days are held, so that a service which did not start lately counts as one
that did not follow; of them those are counted that were not yet. Samples may be delayed, so
counting stays some minutes behind.
"""

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from autoscaler.core.prediction.dependencies import no_edges
from autoscaler.core.types import IntArray
from autoscaler.errors import PermanentError
from autoscaler.logs import get_logger
from learner.dependencies.activity import Activity
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.coincidences import StartRules
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import OF_PAIRS, TABLES, Evidence, added, gather
from learner.dependencies.starts.evidence_file import load_evidence, save_evidence

WINDOW_S = 2 * 86_400.0  # s of starts that are held
REREAD_S = 300.0  # s that are read once more, for samples that were delayed
LEAST_BLOCK_S = 60.0  # s of starts counted at a time, at least,
BLOCK_S = 2.4  # and s for every service: counting takes longer the more there are
HALF_LIFE_S = 7 * 86_400.0  # s in which evidence decays by half: weeks and releases differ
LEAST_TRIALS = 1.0  # of a service without recent starts, below which it is dropped
MOST_SERVICES = 1_000  # with the most starts: counting their pairs takes 0.6 GB and 10 s

log = get_logger(__name__)


class ActivitySource(Protocol):
    """Where past starts come from."""

    def read(self, *, start_s: float, end_s: float) -> Activity:
        """Activity in a span of Unix s. Raises AutoscalerError."""
        ...


class StartSearch:
    """Holds the evidence, and the edges that follow from it."""

    def __init__(self, source: ActivitySource, path: Path, rules: StartRules | None = None) -> None:
        """``path``: file of the evidence, for restarts."""
        self._source, self._path, self._rules = source, path, rules or StartRules()
        self._activity = Activity(starts={}, last_calls={}, observed_s=np.zeros(0))
        self._read_until_s: float | None = None
        self._evidence: Evidence | None = None
        self._warned = False  # of too many services
        self.edges = no_edges(())

    def restore(self, now: float) -> None:
        """Load what an earlier process saved. Raises PermanentError where it is not valid."""
        if not self._path.exists():
            return
        evidence = load_evidence(self._path)
        if evidence.until_s > now:
            raise PermanentError(
                f"{self._path} was counted up to Unix second {evidence.until_s:.0f}, which is to"
                f" come; allowed: up to {now:.0f}"
            )
        self._evidence = evidence
        self.edges = edges_from_starts(evidence, self._rules)

    def update(self, now: float) -> bool:
        """Read what is new; count it if it is enough; whether it was. Raises AutoscalerError."""
        oldest_s = now - WINDOW_S
        since_s = max(oldest_s, (self._read_until_s or 0.0) - REREAD_S)
        self._activity = self._activity.joined(self._source.read(start_s=since_s, end_s=now))
        self._activity = self._activity.since(oldest_s)
        self._read_until_s = now
        until_s = now - REREAD_S
        first_s = max(oldest_s, self._activity.observed_s.min(initial=np.inf))
        from_s = max(self._counted_s(), first_s + self._rules.idle_s)
        n = min(len(self._activity.starts), MOST_SERVICES)
        block_s = max(LEAST_BLOCK_S, BLOCK_S * n)
        if not n or until_s - self._rules.within_s - from_s < block_s:
            return False
        self._count(self._busy_periods(from_s, until_s))
        return True

    def _counted_s(self) -> float:
        """Unix s of the first start that was not counted yet."""
        return self._evidence.until_s - self._rules.within_s if self._evidence else -np.inf

    def _busy_periods(self, since_s: float, until_s: float) -> BusyPeriods:
        """All that are held; those in the span are counted."""
        idle_s = self._rules.idle_s
        busy = self._activity.busy_periods(since_s=since_s, until_s=np.inf, idle_s=idle_s)
        busy = replace(busy, until_s=until_s)
        if busy.n <= MOST_SERVICES:
            return busy
        if not self._warned:
            log.warning(
                "only the services with the most starts are searched",
                intermittent=busy.n,
                searched=MOST_SERVICES,
            )
        self._warned = True
        n_starts = np.bincount(busy.service, minlength=busy.n)
        return _of_services(busy, np.sort(np.argsort(-n_starts, kind="stable")[:MOST_SERVICES]))

    def _count(self, busy: BusyPeriods) -> None:
        new = gather(busy, self._rules)
        old = self._evidence
        total = added(old, new, half_life_s=HALF_LIFE_S) if old else new
        self._evidence = _pruned(total, len(new.services))
        self.edges = edges_from_starts(self._evidence, self._rules)
        save_evidence(self._evidence, self._path)


def _of_services(busy: BusyPeriods, rows: IntArray) -> BusyPeriods:
    place = np.full(busy.n, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    mask = place[busy.service] >= 0
    return replace(
        busy,
        services=tuple(busy.services[row] for row in rows),
        service=place[busy.service][mask],
        start_s=busy.start_s[mask],
        end_s=busy.end_s[mask],
    )


def _pruned(evidence: Evidence, n_current: int) -> Evidence:
    """Without services beyond the first ``n_current`` of which hardly any evidence is left."""
    trials = evidence.trials.sum(axis=0) + evidence.trials.sum(axis=1)
    n = len(trials)
    rows = np.flatnonzero((np.arange(n) < n_current) | (trials >= LEAST_TRIALS))
    rows = rows[: max(n_current, MOST_SERVICES)]
    if len(rows) == n:
        return evidence
    place = np.full(n, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    up, down = (place[end] for end in np.divmod(evidence.pair, n))
    mask = (up >= 0) & (down >= 0)
    columns = {name: getattr(evidence, name)[np.ix_(rows, rows)] for name in TABLES}
    columns["starts"] = evidence.starts[rows]
    columns |= {name: getattr(evidence, name)[mask] for name in OF_PAIRS}
    services = tuple(evidence.services[row] for row in rows)
    pair = up[mask] * len(rows) + down[mask]
    return replace(evidence, services=services, pair=pair, **columns)
