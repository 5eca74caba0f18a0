"""Evidence about pairs of intermittent services: counts that add up, and decay with age.

They decay by time, not by trials without a success: once pre-warming works, the lags shrink below
what a clock resolves, and an edge that is right must not be lost for it.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.coincidences import (
    StartRules,
    following_starts,
    starts_and_expected,
    trials,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Counts of services and of ordered pairs of them.

    Trials are of every pair, all else of those pairs only in which anything followed.
    """

    services: tuple[str, ...]  # (n,) "namespace/service"
    until_s: float  # Unix s up to which starts are counted
    starts: FloatArray  # (n,)
    trials: FloatArray  # (n, n) starts of A (row) at which B (column) was idle
    expected: FloatArray  # (n, n) starts of A that an idle B would follow by chance
    pair: IntArray  # (m,) row * n + column, ascending
    followed: FloatArray  # (m,) starts of B that followed
    lag_s: FloatArray  # (m,) sum of their lags
    seen_at_s: FloatArray  # (m,) Unix s of the newest start that followed


TABLES = ("trials", "expected")  # (n, n)
SUMS = ("followed", "lag_s")  # (m,)
OF_PAIRS = (*SUMS, "seen_at_s")  # (m,)


def gather(busy: BusyPeriods, rules: StartRules | None = None) -> Evidence:
    """Count what `Evidence` holds, over some busy periods."""
    rules = rules or StartRules()
    n = busy.n
    found = following_starts(busy, rules)
    followed = np.bincount(found.pair, minlength=n * n)
    pair = np.flatnonzero(followed)
    starts, expected = starts_and_expected(busy, rules)
    newest = np.full(n * n, -np.inf)
    np.maximum.at(newest, found.pair, busy.start_s[found.after])
    return Evidence(
        services=busy.services,
        until_s=busy.until_s,
        starts=starts,
        trials=trials(busy, rules),
        expected=expected,
        pair=pair,
        followed=followed[pair].astype(np.float64),
        lag_s=np.bincount(found.pair, found.lag_s, n * n)[pair].astype(np.float64),
        seen_at_s=newest[pair],
    )


def decayed(evidence: Evidence, *, until_s: float, half_life_s: float) -> Evidence:
    """The evidence as it counts at a later time; half_life_s: s in which it counts half."""
    share = 0.5 ** (max(until_s - evidence.until_s, 0.0) / half_life_s)
    counts = ("starts", *TABLES, *SUMS)
    columns = {name: getattr(evidence, name) * share for name in counts}
    return replace(evidence, until_s=max(until_s, evidence.until_s), **columns)


def added(old: Evidence, new: Evidence, *, half_life_s: float) -> Evidence:
    """Evidence of two spans of time as one, of the services of both."""
    old = decayed(old, until_s=new.until_s, half_life_s=half_life_s)
    gone = tuple(name for name in old.services if name not in set(new.services))
    services = new.services + gone
    parts = [_onto(part, services) for part in (old, new)]
    pair, place = np.unique(np.concatenate([p.pair for p in parts]), return_inverse=True)
    columns = {name: sum(getattr(p, name) for p in parts) for name in ("starts", *TABLES)}
    for name in SUMS:
        values = np.concatenate([getattr(p, name) for p in parts])
        columns[name] = np.bincount(place, values, len(pair))
    seen = np.full(len(pair), -np.inf)
    np.maximum.at(seen, place, np.concatenate([p.seen_at_s for p in parts]))
    return Evidence(services=services, until_s=new.until_s, pair=pair, seen_at_s=seen, **columns)


def _onto(evidence: Evidence, services: tuple[str, ...]) -> Evidence:
    place = {name: i for i, name in enumerate(services)}
    row = np.array([place[name] for name in evidence.services], dtype=np.int64)
    n, n_old = len(services), len(evidence.services)
    columns = {"starts": np.zeros(n)} | {name: np.zeros((n, n)) for name in TABLES}
    columns["starts"][row] = evidence.starts
    for name in TABLES:
        columns[name][np.ix_(row, row)] = getattr(evidence, name)
    up, down = np.divmod(evidence.pair, max(n_old, 1))
    pair = row[up] * n + row[down]
    order = np.argsort(pair)
    every = {f.name: getattr(evidence, f.name) for f in fields(evidence)} | columns
    every |= {name: getattr(evidence, name)[order] for name in OF_PAIRS}
    return Evidence(**every | {"services": services, "pair": pair[order]})
