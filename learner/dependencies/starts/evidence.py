"""Evidence about pairs of intermittent services: counts that add up, and decay with age.

They decay by time, not by trials without a success: once pre-warming works, the lags shrink below
what a clock resolves, and an edge that is right must not be lost for it.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.coincidences import (
    Coincidences,
    StartRules,
    active_span,
    following_starts,
    histogram,
    observed_span,
    trials,
)
from learner.dependencies.starts.delay_correlation import delay_correlation
from learner.dependencies.starts.own_timer import cycles_s, starts_without_upstream
from learner.dependencies.starts.timed_starts import find_timers


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Counts of ordered pairs, and of two baselines: ``near`` in time, and cycles of a timer later.

    Trials are of every pair, all else of those pairs only in which anything followed.
    """

    services: tuple[str, ...]  # (n,) "namespace/service"
    until_s: float  # Unix s up to which starts are counted
    trials: FloatArray  # (n, n) starts of A (row) at which B (column) was idle
    near_trials: FloatArray  # (n, n) the same, some minutes earlier and later
    clock_trials: FloatArray  # (n, n) the same, some hours later, in whole cycles of B's timer
    pair: IntArray  # (m,) row * n + column, ascending
    followed: FloatArray  # (m, n_bins) starts of B that followed, by lag
    near_followed: FloatArray  # (m, n_bins)
    clock_followed: FloatArray  # (m, n_bins)
    lag_s: FloatArray  # (m, n_bins) sum of the lags of ``followed``
    delay: FloatArray  # (m, 6) as `DelayCorrelation.columns`
    own_timer: FloatArray  # (m, 2) starts of B by its timer without A, and trials of it
    seen_at_s: FloatArray  # (m,) Unix s of the newest start that followed; -inf = none did


TABLES = ("trials", "near_trials", "clock_trials")  # (n, n)
BY_LAG = ("followed", "near_followed", "clock_followed", "lag_s")  # (m, n_bins)
OF_PAIRS = (*BY_LAG, "delay", "own_timer", "seen_at_s")  # (m, ...)
WEIGHT, BASELINE_WEIGHT, SCATTER = 1, 3, 4  # columns of ``delay``


def gather(busy: BusyPeriods, rules: StartRules | None = None) -> Evidence:
    """Count what `Evidence` holds, over some busy periods."""
    rules = rules or StartRules()
    n = busy.n
    timers = find_timers(busy)
    period_s, hour_s = cycles_s(timers, n)
    span_s = observed_span(busy, rules)
    found = following_starts(busy, np.zeros(n), span_s, rules)
    followed = histogram(n, found, rules)
    near, near_trials = _baseline(busy, [np.full(n, s) for s in rules.nearby_s], span_s, rules)
    hours = [k * hour_s for k in range(1, rules.n_cycles + 1)]
    clock, clock_trials = _baseline(busy, hours, active_span(busy, rules), rules)
    pair = np.flatnonzero((followed + near + clock).any(axis=0))
    delay = delay_correlation(busy, timers, hours, rules)
    correlated = np.flatnonzero(delay.baseline_weight.ravel()[pair] > 0)  # it matters to these only
    own_timer = np.zeros((len(pair), 2))
    without = starts_without_upstream(busy, period_s, pair[correlated], rules)
    own_timer[correlated] = np.stack(without, axis=1)

    def of_pairs(counts: FloatArray) -> FloatArray:
        return np.ascontiguousarray(counts[:, pair].T)

    return Evidence(
        services=busy.services,
        until_s=busy.until_s,
        trials=trials(busy, np.zeros(n), span_s, rules),
        near_trials=near_trials,
        clock_trials=clock_trials,
        pair=pair,
        followed=of_pairs(followed),
        near_followed=of_pairs(near),
        clock_followed=of_pairs(clock),
        lag_s=of_pairs(histogram(n, found, rules, found.lag_s)),
        delay=delay.columns(pair),
        own_timer=own_timer,
        seen_at_s=_newest(busy, found, pair),
    )


def _baseline(
    busy: BusyPeriods, times: list[FloatArray], span_s: FloatArray, rules: StartRules
) -> tuple[FloatArray, FloatArray]:
    """Following starts (n_bins, n * n) and trials (n, n), over each of ``times`` (n,) later."""
    n = busy.n
    followed, n_trials = np.zeros((rules.n_bins, n * n)), np.zeros((n, n))
    for later_s in times:
        followed += histogram(n, following_starts(busy, later_s, span_s, rules), rules)
        n_trials += trials(busy, later_s, span_s, rules)
    return followed, n_trials


def _newest(busy: BusyPeriods, found: Coincidences, pair: IntArray) -> FloatArray:
    newest = np.full(busy.n**2, -np.inf)
    np.maximum.at(newest, found.pair, busy.start_s[found.after])
    return newest[pair]


def decayed(evidence: Evidence, *, until_s: float, half_life_s: float) -> Evidence:
    """The evidence as it counts at a later time; half_life_s: s in which it counts half."""
    share = 0.5 ** (max(until_s - evidence.until_s, 0.0) / half_life_s)
    columns = {name: getattr(evidence, name) * share for name in (*TABLES, *BY_LAG, "own_timer")}
    columns["delay"] = evidence.delay.copy()
    columns["delay"][:, [WEIGHT, BASELINE_WEIGHT]] *= share
    return replace(evidence, until_s=max(until_s, evidence.until_s), **columns)


def added(old: Evidence, new: Evidence, *, half_life_s: float) -> Evidence:
    """Evidence of two spans of time as one, of the services of both.

    Counts add up. Delays and own timers are measured over all starts at hand each time, so of these
    the measurement of greater weight stays.
    """
    old = decayed(old, until_s=new.until_s, half_life_s=half_life_s)
    gone = tuple(name for name in old.services if name not in set(new.services))
    services = new.services + gone
    parts = [_onto(part, services) for part in (old, new)]
    pair, place = np.unique(np.concatenate([p.pair for p in parts]), return_inverse=True)
    columns = {name: sum(getattr(p, name) for p in parts) for name in TABLES}
    for name in BY_LAG:
        values = np.concatenate([getattr(p, name) for p in parts])
        columns[name] = np.zeros((len(pair), values.shape[1]))
        np.add.at(columns[name], place, values)
    delay = np.concatenate([p.delay for p in parts])
    own_timer = np.concatenate([p.own_timer for p in parts])
    best = np.empty(len(pair), dtype=np.int64)
    by_weight = np.argsort(delay[:, WEIGHT], kind="stable")
    best[place[by_weight]] = by_weight  # the last one written has the most, of equals the newest
    columns |= {"delay": delay[best], "own_timer": own_timer[best]}
    seen = np.full(len(pair), -np.inf)
    np.maximum.at(seen, place, np.concatenate([p.seen_at_s for p in parts]))
    return Evidence(services=services, until_s=new.until_s, pair=pair, seen_at_s=seen, **columns)


def _onto(evidence: Evidence, services: tuple[str, ...]) -> Evidence:
    place = {name: i for i, name in enumerate(services)}
    row = np.array([place[name] for name in evidence.services], dtype=np.int64)
    n, n_old = len(services), len(evidence.services)
    columns = {}
    for name in TABLES:
        columns[name] = np.zeros((n, n))
        columns[name][np.ix_(row, row)] = getattr(evidence, name)
    up, down = np.divmod(evidence.pair, max(n_old, 1))
    pair = row[up] * n + row[down]
    order = np.argsort(pair)
    every = {f.name: getattr(evidence, f.name) for f in fields(evidence)} | columns
    every |= {name: getattr(evidence, name)[order] for name in OF_PAIRS}
    return Evidence(**every | {"services": services, "pair": pair[order]})
