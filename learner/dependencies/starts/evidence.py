"""What has been seen of pairs of services that sleep: counts that add up, and fade with age.

They fade by half in some days, whatever happens meanwhile. Once pre-warming works there is less and
less to learn from (the lags shrink below what a clock resolves), and an edge must not be forgotten
for being right.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.coincidences import (
    Coincidences,
    StartRules,
    alive,
    following,
    histogram,
    trials,
    watched,
)
from learner.dependencies.starts.delay_correlation import delay_correlation
from learner.dependencies.starts.own_timer import alone, cycles_s
from learner.dependencies.starts.timed_starts import find_timers


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Counts of ordered pairs: as it was, and as it is usually, ``near`` in time and by ``clock``.

    Trials are kept of every pair, what came of them of those pairs only where anything did.
    """

    services: tuple[str, ...]  # (n,) "namespace/service"
    until_s: float  # Unix s up to which it was watched
    trials: FloatArray  # (n, n) starts of A (row) at which B (column) was asleep
    near_trials: FloatArray  # (n, n) the same, some minutes earlier and later
    clock_trials: FloatArray  # (n, n) the same, some hours later, in whole cycles of B's clock
    pair: IntArray  # (m,) row * n + column, ascending
    followed: FloatArray  # (m, n_bins) starts of B that followed, by lag
    near_followed: FloatArray  # (m, n_bins)
    clock_followed: FloatArray  # (m, n_bins)
    lag_s: FloatArray  # (m, n_bins) sum of the lags of ``followed``
    late: FloatArray  # (m, 6) lateness, as `lateness.Lateness.columns` says
    alone: FloatArray  # (m, 2) starts of B by its clock where A did not start, and trials of it
    seen_at_s: FloatArray  # (m,) Unix s of the newest start that followed; -inf = none did


TABLES = ("trials", "near_trials", "clock_trials")  # (n, n)
BY_LAG = ("followed", "near_followed", "clock_followed", "lag_s")  # (m, n_bins)
OF_PAIRS = (*BY_LAG, "late", "alone", "seen_at_s")  # (m, ...)
WEIGHT, USUAL_WEIGHT, SCATTER = 1, 3, 4  # columns of ``late`` that say how much it is worth


def gather(busy: BusyPeriods, rules: StartRules | None = None) -> Evidence:
    """Count who follows whom in spells; see `starts` for what it means."""
    rules = rules or StartRules()
    n = busy.n
    timers = find_timers(busy)
    period_s, hour_s = cycles_s(timers, n)
    span_s = watched(busy, rules)
    found = following(busy, np.zeros(n), span_s, rules)
    followed = histogram(n, found, rules)
    near, near_trials = _moved(busy, [np.full(n, s) for s in rules.nearby_s], span_s, rules)
    hours = [k * hour_s for k in range(1, rules.n_cycles + 1)]
    clock, clock_trials = _moved(busy, hours, alive(busy, rules), rules)
    pair = np.flatnonzero((followed + near + clock).any(axis=0))
    late = delay_correlation(busy, timers, hours, rules)
    # What lateness says nothing about needs no second opinion.
    told = np.flatnonzero(late.usual_weight.ravel()[pair] > 0)
    by_itself = np.zeros((len(pair), 2))
    by_itself[told] = np.stack(alone(busy, period_s, pair[told], rules), axis=1)

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
        late=late.columns(pair),
        alone=by_itself,
        seen_at_s=_newest(busy, found, pair),
    )


def _moved(
    busy: BusyPeriods, times: list[FloatArray], span_s: FloatArray, rules: StartRules
) -> tuple[FloatArray, FloatArray]:
    """What follows (n_bins, n * n) and trials (n, n) over several times (n,) later."""
    n = busy.n
    followed, asked = np.zeros((rules.n_bins, n * n)), np.zeros((n, n))
    for later_s in times:
        followed += histogram(n, following(busy, later_s, span_s, rules), rules)
        asked += trials(busy, later_s, span_s, rules)
    return followed, asked


def _newest(busy: BusyPeriods, found: Coincidences, pair: IntArray) -> FloatArray:
    newest = np.full(busy.n**2, -np.inf)
    np.maximum.at(newest, found.pair, busy.start_s[found.after])
    return newest[pair]


def faded(evidence: Evidence, *, until_s: float, half_life_s: float) -> Evidence:
    """The evidence as it counts at a later time; half_life_s: s in which it counts half."""
    share = 0.5 ** (max(until_s - evidence.until_s, 0.0) / half_life_s)
    columns = {name: getattr(evidence, name) * share for name in (*TABLES, *BY_LAG, "alone")}
    late = evidence.late.copy()
    late[:, [WEIGHT, USUAL_WEIGHT]] *= share
    columns["late"] = late
    return replace(evidence, until_s=max(until_s, evidence.until_s), **columns)


def added(old: Evidence, new: Evidence, *, half_life_s: float) -> Evidence:
    """Evidence of two spans of time as one; services that came are added, those gone stay.

    Counts add up. How late they are and what B does alone are measured over all starts at hand each
    time: what more is known of stays.
    """
    old = faded(old, until_s=new.until_s, half_life_s=half_life_s)
    gone = tuple(name for name in old.services if name not in set(new.services))
    services = new.services + gone
    parts = [_onto(part, services) for part in (old, new)]
    pair, place = np.unique(np.concatenate([p.pair for p in parts]), return_inverse=True)
    columns = {name: sum(getattr(p, name) for p in parts) for name in TABLES}
    for name in BY_LAG:
        values = np.concatenate([getattr(p, name) for p in parts])
        columns[name] = np.zeros((len(pair), values.shape[1]))
        np.add.at(columns[name], place, values)
    late = np.concatenate([p.late for p in parts])
    best = np.empty(len(pair), dtype=np.int64)
    by_weight = np.argsort(late[:, WEIGHT], kind="stable")
    best[place[by_weight]] = by_weight  # the last one written has the most, of equals the newest
    columns |= {"late": late[best], "alone": np.concatenate([p.alone for p in parts])[best]}
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
    kept = {f.name: getattr(evidence, f.name) for f in fields(evidence)} | columns
    kept |= {name: getattr(evidence, name)[order] for name in OF_PAIRS}
    return Evidence(**kept | {"services": services, "pair": pair[order]})
