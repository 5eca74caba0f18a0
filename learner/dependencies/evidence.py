"""What has been seen of pairs of services that sleep: counts that add up, and fade with age.

They fade by half in some days, whatever happens meanwhile. Once pre-warming works there is less and
less to learn from (the lags shrink below what a clock resolves), and an edge must not be forgotten
for being right.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from autoscaler.types import FloatArray, IntArray
from learner.dependencies.following import (
    Coincidences,
    StartRules,
    clockless,
    following,
    histogram,
    trials,
)
from learner.dependencies.lateness import lateness
from learner.dependencies.spells import Spells
from learner.dependencies.timers import find_timers


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Counts of ordered pairs; ``free``: of starts that no clock explains, ``base``: moved ones.

    Trials are kept of every pair, what came of them of those pairs only where anything did.
    """

    services: tuple[str, ...]  # (n,) "namespace/service"
    until_s: float  # Unix s up to which it was watched
    trials: FloatArray  # (n, n) starts of A (row) at which B (column) was asleep
    free_trials: FloatArray  # (n, n)
    base_trials: FloatArray  # (n, n)
    base_free_trials: FloatArray  # (n, n)
    pair: IntArray  # (m,) row * n + column, ascending
    followed: FloatArray  # (m, n_bins) starts of B that followed, by lag
    free_followed: FloatArray  # (m, n_bins)
    base_followed: FloatArray  # (m, n_bins)
    base_free_followed: FloatArray  # (m, n_bins)
    lag_s: FloatArray  # (m, n_bins) sum of the lags of ``followed``
    late: FloatArray  # (m, 2) Fisher's z of lateness times its weight, and the weight
    seen_at_s: FloatArray  # (m,) Unix s of the newest start that followed; -inf = none did


_DENSE = ("trials", "free_trials", "base_trials", "base_free_trials")
_SPARSE = (
    "followed", "free_followed", "base_followed", "base_free_followed", "lag_s", "late",
)  # fmt: skip


def gather(spells: Spells, rules: StartRules | None = None) -> Evidence:
    """Count who follows whom in spells; see `starts` for what it means."""
    rules = rules or StartRules()
    timers = find_timers(spells)
    still = np.zeros(len(spells.start_s))
    found = following(spells, still, rules)
    everything, free = trials(spells, timers, still, rules)
    shape = (rules.n_bins, spells.n, spells.n)
    base_trials, base_free_trials = np.zeros((2, *shape[1:]))
    base, base_free = np.zeros((2, *shape))
    for shift_s in rules.shifts_s:
        moved = following(spells, still + shift_s, rules)
        base += histogram(spells, moved, rules)
        kept = clockless(spells, timers, moved, rules)
        base_free += histogram(spells, moved.where(kept), rules)
        more, more_free = trials(spells, timers, still + shift_s, rules)
        base_trials += more
        base_free_trials += more_free
    followed = histogram(spells, found, rules)
    lags = histogram(spells, found, rules, found.lag_s)
    free_found = found.where(clockless(spells, timers, found, rules))
    pair = np.flatnonzero((followed + base).any(axis=0))
    z, weight = lateness(spells, timers, rules)

    def of_pairs(counts: FloatArray) -> FloatArray:
        return np.ascontiguousarray(counts.reshape(rules.n_bins, -1)[:, pair].T)

    return Evidence(
        services=spells.services,
        until_s=spells.until_s,
        trials=everything,
        free_trials=free,
        base_trials=base_trials,
        base_free_trials=base_free_trials,
        pair=pair,
        followed=of_pairs(followed),
        free_followed=of_pairs(histogram(spells, free_found, rules)),
        base_followed=of_pairs(base),
        base_free_followed=of_pairs(base_free),
        lag_s=of_pairs(lags),
        late=np.stack([(z * weight).ravel()[pair], weight.ravel()[pair]], axis=1),
        seen_at_s=_newest(spells, found, pair),
    )


def _newest(spells: Spells, found: Coincidences, pair: IntArray) -> FloatArray:
    newest = np.full(spells.n**2, -np.inf)
    key = spells.service[found.before] * spells.n + spells.service[found.after]
    np.maximum.at(newest, key, spells.start_s[found.after])
    return newest[pair]


def faded(evidence: Evidence, *, until_s: float, half_life_s: float) -> Evidence:
    """The evidence as it counts at a later time; half_life_s: s in which it counts half."""
    share = 0.5 ** (max(until_s - evidence.until_s, 0.0) / half_life_s)
    columns = {name: getattr(evidence, name) * share for name in _DENSE + _SPARSE}
    return replace(evidence, until_s=max(until_s, evidence.until_s), **columns)


def added(old: Evidence, new: Evidence, *, half_life_s: float) -> Evidence:
    """Evidence of two spans of time as one; services that came are added, those gone stay."""
    old = faded(old, until_s=new.until_s, half_life_s=half_life_s)
    gone = tuple(name for name in old.services if name not in set(new.services))
    services = new.services + gone
    parts = [_onto(part, services) for part in (old, new)]
    pair, place = np.unique(np.concatenate([p.pair for p in parts]), return_inverse=True)
    columns = {name: sum(getattr(p, name) for p in parts) for name in _DENSE}
    for name in _SPARSE:
        values = np.concatenate([getattr(p, name) for p in parts])
        total = np.zeros((len(pair), values.shape[1]))
        np.add.at(total, place, values)
        columns[name] = total
    seen = np.full(len(pair), -np.inf)
    np.maximum.at(seen, place, np.concatenate([p.seen_at_s for p in parts]))
    return Evidence(services=services, until_s=new.until_s, pair=pair, seen_at_s=seen, **columns)


def _onto(evidence: Evidence, services: tuple[str, ...]) -> Evidence:
    place = {name: i for i, name in enumerate(services)}
    row = np.array([place[name] for name in evidence.services], dtype=np.int64)
    n, n_old = len(services), len(evidence.services)
    columns = {}
    for name in _DENSE:
        columns[name] = np.zeros((n, n))
        columns[name][np.ix_(row, row)] = getattr(evidence, name)
    up, down = np.divmod(evidence.pair, max(n_old, 1))
    pair = row[up] * n + row[down]
    order = np.argsort(pair)
    kept = {f.name: getattr(evidence, f.name) for f in fields(evidence)} | columns
    kept |= {name: getattr(evidence, name)[order] for name in (*_SPARSE, "seen_at_s")}
    return Evidence(**kept | {"services": services, "pair": pair[order]})
