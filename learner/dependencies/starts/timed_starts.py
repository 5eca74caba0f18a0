"""Timers: starts that come at a fixed period of the service, and the delay of each of them.

A start that a timer explains is no evidence of a caller. A timer is a period and a phase; a service
may be called by several. Periods are searched among those that people set: whole minutes, hours
that divide a day. Other gaps that recur are those of a loop.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods

MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440)
COMMON_PERIODS_S = 60.0 * np.array(MINUTES)  # s
SLACK_S = 2.0  # s that two runs of one timer may differ from its period
DELAY_S = 10.0  # s around a due time within which a start is attributed to the timer
MOST_TIMERS = 3  # of a service


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedStarts:
    """Timers found in busy periods."""

    service: IntArray  # (n_timers,)
    period_s: FloatArray  # (n_timers,)
    phase_s: FloatArray  # (n_timers,) Unix s of one time at which it is due
    timer: IntArray  # (n_busy,) the timer that explains the start; -1 = none
    delay_s: FloatArray  # (n_busy,) s after the due time, about 0; NaN = not near any due time
    loop_s: FloatArray  # (n,) s: the most frequent gap between starts; NaN = less than half have it


def find_timers(busy: BusyPeriods, *, share: float = 0.25) -> TimedStarts:
    """Timers of all services, at most `MOST_TIMERS` a service, the most regular first.

    share: of the starts that no timer found before explains, how many a timer has to explain.
    """
    service, when = busy.service, busy.start_s
    timer = np.full(len(service), -1, dtype=np.int64)
    delay = np.full(len(service), np.nan)
    found = [(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))]
    n_found = 0
    for _ in range(MOST_TIMERS):
        left = np.flatnonzero(timer < 0)
        period = _period(busy.n, service[left], when[left], share)
        phase, offset = _phase(period, service[left], when[left])
        hit = np.abs(offset) <= SLACK_S
        n_hits = np.bincount(service[left][hit], minlength=busy.n)
        timed = np.flatnonzero(n_hits >= 4)
        if not len(timed):
            break
        number = np.full(busy.n, -1, dtype=np.int64)
        number[timed] = n_found + np.arange(len(timed))
        explained = (np.abs(offset) <= DELAY_S) & (number[service[left]] >= 0)
        timer[left[explained]] = number[service[left[explained]]]
        delay[left[explained & hit]] = offset[explained & hit]
        found.append((timed, period[timed], phase[timed]))
        n_found += len(timed)
    loop_delay, loop_s = _loops(busy)
    return TimedStarts(
        service=np.concatenate([each for each, _, _ in found]),
        period_s=np.concatenate([each for _, each, _ in found]),
        phase_s=np.concatenate([each for _, _, each in found]),
        timer=timer,
        delay_s=np.where(np.isnan(delay), loop_delay, delay),
        loop_s=loop_s,
    )


def _loops(busy: BusyPeriods, *, share: float = 0.5) -> tuple[FloatArray, FloatArray]:
    """(n_busy,) s that a start comes later than the modal gap after the one before; (n,) s gap.

    A loop that waits between runs has no phase: each delay shifts all later runs. share: of a
    service's gaps, how many have to be the modal one. NaN = no loop.
    """
    order = np.lexsort((busy.start_s, busy.service))
    service, when = busy.service[order], busy.start_s[order]
    modal = _modal_gap(busy.n, service, when)
    gap = modal[service]
    since = np.diff(when, prepend=-np.inf)
    since[np.diff(service, prepend=-1) != 0] = np.inf
    near = np.abs(since - gap) <= SLACK_S
    n_near = np.bincount(service[near], minlength=busy.n)
    steady = n_near >= np.maximum(share * np.bincount(service, minlength=busy.n), 4)
    delay = np.full(len(service), np.nan)
    delay[order] = np.where(near & steady[service], since - gap, np.nan)
    return delay, np.where(steady, modal, np.nan)


def _period(n: int, service: IntArray, when: FloatArray, share: float) -> FloatArray:
    """(n,) s: the longest of about the most significant periods, NaN where none is.

    A period is as significant as the starts at its best phase exceed those expected of random ones.
    Its divisors gather as many, its multiples share them out: hence the longest.
    """
    n_starts = np.bincount(service, minlength=n)
    gathered = np.stack([_most_in_phase(np.full(n, p), service, when) for p in COMMON_PERIODS_S])
    expected = np.minimum(2 * SLACK_S / COMMON_PERIODS_S[:, None], 1.0) * n_starts
    excess = gathered - expected - 3.0 * np.sqrt(expected)
    good = (excess >= 0.7 * excess.max(axis=0)) & (excess >= np.maximum(share * n_starts, 3.0))
    longest = np.max(np.where(good, COMMON_PERIODS_S[:, None], 0.0), axis=0)
    return np.where(good.any(axis=0), longest, np.nan)


def _most_in_phase(period: FloatArray, service: IntArray, when: FloatArray) -> FloatArray:
    """(n,) the most starts of each service at one phase of its period, give or take the slack."""
    n = len(period)
    has = np.flatnonzero(~np.isnan(period[service]))
    if not len(has):
        return np.zeros(n)
    owner, p = service[has], period[service[has]]
    folded = when[has] % p
    # Each start twice, so that a window may run over the end of the period.
    axis = np.sort(np.concatenate([folded, folded + p]) + np.tile(owner * 3.0 * p.max(), 2))
    count = np.searchsorted(axis, axis + 2 * SLACK_S, side="right") - np.arange(len(axis))
    most = np.zeros(n, dtype=np.int64)
    np.maximum.at(most, (axis / (3.0 * p.max())).astype(np.int64), count)
    return most.astype(np.float64)


def _modal_gap(n: int, service: IntArray, when: FloatArray) -> FloatArray:
    """(n,) s: the median of the gaps in the fullest two seconds, NaN where there is none."""
    same = service[1:] == service[:-1]
    return _fullest_window(n, service[1:][same], np.diff(when)[same], 2.0)


def _fullest_window(n: int, service: IntArray, values: FloatArray, width: float) -> FloatArray:
    """(n,) the median of each service's values (k,) in the fullest window; NaN if it has none."""
    result = np.full(n, np.nan)
    if not len(values):
        return result
    order = np.lexsort((values, service))
    service, values = service[order], values[order]
    # On one axis, with the values of different services far apart.
    reach = values.max() - values.min() + 3 * COMMON_PERIODS_S.max()
    axis = values - values.min() + service * reach
    count = np.searchsorted(axis, axis + width, side="right") - np.arange(len(axis))
    by_count = np.lexsort((count, service))
    best = by_count[np.flatnonzero(np.append(np.diff(service[by_count]), 1))]
    result[service[best]] = values[np.minimum(best + count[best] // 2, len(values) - 1)]
    return result


def _phase(
    period: FloatArray, service: IntArray, when: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Phase (n,) Unix s at which most starts come, and s from it to each start (k,)."""
    n = len(period)
    has = np.flatnonzero(~np.isnan(period[service]))
    offset = np.full(len(service), np.inf)
    owner, p = service[has], period[service[has]]
    folded = when[has] % p
    # Each start twice, so that a window may run over the end of the period.
    twice = np.concatenate([folded, folded + p])
    phase = _fullest_window(n, np.tile(owner, 2), twice, 2 * SLACK_S)
    for _ in range(2):  # the second time around the better phase
        delay = (when[has] - phase[owner] + p / 2) % p - p / 2
        hit = np.abs(delay) <= SLACK_S
        phase += _mean(n, owner[hit], delay[hit])
    offset[has] = (when[has] - phase[owner] + p / 2) % p - p / 2
    return phase, offset


def _mean(n: int, service: IntArray, y: FloatArray) -> FloatArray:
    count = np.bincount(service, minlength=n)
    return np.asarray(np.bincount(service, y, n) / np.maximum(count, 1.0))
