"""Timers: starts that come by a service's own clock, and how late each of them is.

What a clock explains is no evidence that somebody else did it. A timer is a period and a phase; a
service may be called by several. Periods are looked for where people put them: whole minutes, hours
that divide a day. Other gaps that recur are those of a loop.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods

MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440)
USUAL_S = 60.0 * np.array(MINUTES)  # s
SLACK_S = 2.0  # s that two runs of one timer may differ from its period
DELAY_S = 10.0  # s about its time within which a start is a timer's, by another way or late
ROUNDS = 3  # timers a service may have


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedStarts:
    """Timers found in spells."""

    service: IntArray  # (n_timers,) whose starts keep it
    period_s: FloatArray  # (n_timers,)
    phase_s: FloatArray  # (n_timers,) Unix s of one time at which it is due
    timer: IntArray  # (n_spells,) the timer that explains the start; -1 = none
    late_s: FloatArray  # (n_spells,) s later than due, about 0; NaN = not that near to any time due
    loop_s: (
        FloatArray  # (n,) s of the usual gap between starts, where most are it; NaN = they are not
    )


def find_timers(busy: BusyPeriods, *, share: float = 0.25) -> TimedStarts:
    """Timers of all services, at most `ROUNDS` a service, the most regular first.

    share: of the starts that no timer found before explains, how many a timer has to explain.
    """
    who, when = busy.service, busy.start_s
    timer = np.full(len(who), -1, dtype=np.int64)
    late = np.full(len(who), np.nan)
    found: list[tuple[IntArray, FloatArray, FloatArray]] = []
    n_found = 0
    for _ in range(ROUNDS):
        left = np.flatnonzero(timer < 0)
        period = _period(busy.n, who[left], when[left], share)
        phase, off = _phase(period, who[left], when[left])
        hit = np.abs(off) <= SLACK_S
        n_hits = np.bincount(who[left][hit], minlength=busy.n)
        kept = np.flatnonzero(n_hits >= 4)
        if not len(kept):
            break
        number = np.full(busy.n, -1, dtype=np.int64)
        number[kept] = n_found + np.arange(len(kept))
        taken = (np.abs(off) <= DELAY_S) & (number[who[left]] >= 0)
        timer[left[taken]] = number[who[left[taken]]]
        late[left[taken & hit]] = off[taken & hit]
        found.append((kept, period[kept], phase[kept]))
        n_found += len(kept)
    columns = zip(*found, strict=True) if found else (np.zeros(0), np.zeros(0), np.zeros(0))
    service, period, phase = (
        np.concatenate([c]) if not found else np.concatenate(c) for c in columns
    )
    loop, loop_s = _loops(busy)
    return TimedStarts(
        service=service.astype(np.int64),
        period_s=period,
        phase_s=phase,
        timer=timer,
        late_s=np.where(np.isnan(late), loop, late),
        loop_s=loop_s,
    )


def _loops(busy: BusyPeriods, *, share: float = 0.5) -> tuple[FloatArray, FloatArray]:
    """(n_spells,) s that a start comes later than a usual gap after the one before; (n,) s the gap.

    Who sleeps between runs keeps no phase: every delay stays. share: of a service's gaps, how many
    have to be the usual one. NaN = no loop.
    """
    order = np.lexsort((busy.start_s, busy.service))
    who, when = busy.service[order], busy.start_s[order]
    usual = _usual_gap(busy.n, who, when)
    gap = usual[who]
    since = np.diff(when, prepend=-np.inf)
    since[np.diff(who, prepend=-1) != 0] = np.inf
    near = np.abs(since - gap) <= SLACK_S
    n_near = np.bincount(who[near], minlength=busy.n)
    steady = n_near >= np.maximum(share * np.bincount(who, minlength=busy.n), 4)
    late = np.full(len(who), np.nan)
    late[order] = np.where(near & steady[who], since - gap, np.nan)
    return late, np.where(steady, usual, np.nan)


def _period(n: int, who: IntArray, when: FloatArray, share: float) -> FloatArray:
    """(n,) s: the longest of about the most telling periods, NaN where none stands out.

    A period tells as many starts as it gathers at one phase beyond what chance would gather there.
    Its divisors gather as many, its multiples share them out: so the longest.
    """
    n_starts = np.bincount(who, minlength=n)
    usual = np.stack([_gathered(np.full(n, p), who, when) for p in USUAL_S])
    chance = np.minimum(2 * SLACK_S / USUAL_S[:, None], 1.0) * n_starts
    told = usual - chance - 3.0 * np.sqrt(chance)
    good = (told >= 0.7 * told.max(axis=0)) & (told >= np.maximum(share * n_starts, 3.0))
    return np.where(good.any(axis=0), np.max(np.where(good, USUAL_S[:, None], 0.0), axis=0), np.nan)


def _gathered(period: FloatArray, who: IntArray, when: FloatArray) -> FloatArray:
    """(n,) the most starts of each service at one phase of its period, give or take the slack."""
    n = len(period)
    has = np.flatnonzero(~np.isnan(period[who]))
    if not len(has):
        return np.zeros(n)
    owner, p = who[has], period[who[has]]
    folded = when[has] % p
    # Each start twice, so that a window may run over the end of the period.
    line = np.sort(np.concatenate([folded, folded + p]) + np.tile(owner * 3.0 * p.max(), 2))
    many = np.searchsorted(line, line + 2 * SLACK_S, side="right") - np.arange(len(line))
    most = np.zeros(n, dtype=np.int64)
    np.maximum.at(most, (line / (3.0 * p.max())).astype(np.int64), many)
    return most.astype(np.float64)


def _usual_gap(n: int, who: IntArray, when: FloatArray) -> FloatArray:
    """(n,) s: the middle of the gaps in the fullest two seconds, NaN where there is none."""
    same = who[1:] == who[:-1]
    gap, owner = np.diff(when)[same], who[1:][same]
    order = np.lexsort((gap, owner))
    gap, owner = gap[order], owner[order]
    line = _line(owner, gap)
    many = np.searchsorted(line, line + 2.0, side="right") - np.arange(len(line))
    order = np.lexsort((many, owner))
    last = np.flatnonzero(np.append(np.diff(owner[order]), 1)) if len(owner) else order
    result = np.full(n, np.nan)
    result[owner[order[last]]] = gap[np.minimum(order[last] + many[order[last]] // 2, len(gap) - 1)]
    return result


def _line(who: IntArray, when: FloatArray) -> FloatArray:
    """Times of all services on one ascending line, each service out of the others' reach."""
    if not len(when):
        return when
    reach = when.max() - when.min() + 3 * USUAL_S.max()
    return np.asarray(when - when.min() + who * reach)


def _phase(period: FloatArray, who: IntArray, when: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Phase (n,) Unix s at which most starts come, and how far off each start (k,) is, s."""
    n = len(period)
    has = np.flatnonzero(~np.isnan(period[who]))
    off = np.full(len(who), np.inf)
    phase = np.full(n, np.nan)
    if not len(has):
        return phase, off
    owner, p = who[has], period[who[has]]
    folded = when[has] % p
    # Each start twice, so that a window may run over the end of the period.
    twice = np.concatenate([folded, folded + p])
    both = np.concatenate([owner, owner])
    order = np.lexsort((twice, both))
    line = _line(both[order], twice[order])
    many = np.searchsorted(line, line + 2 * SLACK_S, side="right") - np.arange(len(line))
    by = np.lexsort((many, both[order]))
    last = by[np.flatnonzero(np.append(np.diff(both[order][by]), 1))]
    middle = np.minimum(last + many[last] // 2, len(line) - 1)
    phase[both[order][last]] = twice[order][middle]
    for _ in range(2):  # the second time about the better middle
        late = (when[has] - phase[owner] + p / 2) % p - p / 2
        hit = np.abs(late) <= SLACK_S
        phase += _mean(n, owner[hit], late[hit])
    late = (when[has] - phase[owner] + p / 2) % p - p / 2
    off[has] = late
    return phase, off


def _mean(n: int, who: IntArray, y: FloatArray) -> FloatArray:
    return np.asarray(np.bincount(who, y, n) / np.maximum(np.bincount(who, minlength=n), 1.0))
