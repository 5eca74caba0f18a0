"""Laws of when one service is called. Each returns times of calls (k,) s from 0, ascending.

Where a parameter is not given, it is log-uniform in the range that is said.
"""

import numpy as np

from autoscaler.core.types import FloatArray

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
OFFICE = 8, 18  # hours of a weekday
NEVER_S = np.inf


def between(random: np.random.Generator, low: float, high: float) -> float:
    """A parameter, log-uniform."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def poisson(random: np.random.Generator, end_s: float, mean_s: float | None = None) -> FloatArray:
    """Calls at random, one in 1 minute to 2 hours: nothing that is past says when the next is."""
    mean_s = mean_s or between(random, MINUTE_S, 2 * HOUR_S)
    return np.sort(random.uniform(0, end_s, random.poisson(end_s / mean_s)))


def timer(random: np.random.Generator, end_s: float, period_s: float | None = None) -> FloatArray:
    """A call every 1 to 60 minutes from a phase at random, each later by an exponential second."""
    period_s = period_s or between(random, MINUTE_S, HOUR_S)
    at = np.arange(random.uniform(0, period_s), end_s, period_s)
    return _inside(at + random.exponential(1.0, len(at)), end_s)


def regular(random: np.random.Generator, end_s: float, least_s: float | None = None) -> FloatArray:
    """The next call comes 3 to 40 minutes after the last, or up to half as long again."""
    least_s = least_s or between(random, 180.0, 2400.0)
    return _inside(np.cumsum(random.uniform(least_s, 1.5 * least_s, int(end_s / least_s))), end_s)


def bursts(random: np.random.Generator, end_s: float, mean_s: float | None = None) -> FloatArray:
    """Up to a dozen calls within minutes, then none for some 20 minutes to 5 hours.

    Bursts begin after gamma gaps of shape 0.7; each has a geometric number of calls (0.3, at most
    12), each an exponential minute after its begin.
    """
    mean_s = mean_s or between(random, 1200.0, 5 * HOUR_S)
    begin = np.cumsum(random.gamma(0.7, mean_s / 0.7, int(3 * end_s / mean_s) + 20))
    number = np.minimum(random.geometric(0.3, len(begin)), 12)
    at = np.repeat(begin, number) + random.exponential(60.0, number.sum())
    return _inside(np.sort(at), end_s)


def office_hours(
    random: np.random.Generator, end_s: float, *, earlier_from_s: float = NEVER_S
) -> FloatArray:
    """Calls at random from eight to six of five days of seven, one in 10 s to 10 minutes.

    earlier_from_s: whole hours, s; from then on all comes an hour earlier, as clocks were put
    forward.
    """
    hour = np.arange(int(end_s // HOUR_S))
    local = hour + (hour * HOUR_S >= earlier_from_s)
    first, last = OFFICE
    open_ = (local % 24 >= first) & (local % 24 < last) & (local // 24 % 7 < 5)
    number = random.poisson(open_ * HOUR_S / between(random, 10.0, 600.0))
    return np.sort((np.repeat(hour, number) + random.random(number.sum())) * HOUR_S)


def varying(random: np.random.Generator, grid_s: FloatArray, expected: FloatArray) -> FloatArray:
    """Calls of a Poisson process, at an even rate between times (k,).

    expected: (k,) calls up to each of them.
    """
    drawn = random.uniform(0, expected[-1], random.poisson(expected[-1]))
    return np.asarray(np.interp(np.sort(drawn), expected, grid_s))


def expected_calls(grid_s: FloatArray, rate: FloatArray) -> FloatArray:
    """(..., k) calls up to each time. rate: (..., k) calls per second there; between, the mean."""
    steps = (rate[..., 1:] + rate[..., :-1]) / 2 * np.diff(grid_s)
    return np.concatenate([np.zeros_like(rate[..., :1]), np.cumsum(steps, axis=-1)], axis=-1)


def swing(grid_s: FloatArray, phase: float, *, ratio: float = 40.0) -> FloatArray:
    """(k,) factor on a rate that follows the day, ``ratio`` times as high at its top as at night.

    phase: 0 to 1, of a day.
    """
    return np.asarray(np.exp(np.log(ratio) / 2 * np.sin(2 * np.pi * (grid_s / DAY_S + phase))))


def crowd(
    grid_s: FloatArray, begin_s: float, *, doublings: int = 3, stay_s: float = 900.0
) -> FloatArray:
    """(k,) factor on a rate: it doubles every five minutes, stays, and halves every ten again."""
    up = np.clip((grid_s - begin_s) / 300.0, 0, doublings)
    down = np.clip((grid_s - begin_s - doublings * 300.0 - stay_s) / 600.0, 0, doublings)
    return np.asarray(2.0 ** (up - down))


def _inside(at: FloatArray, end_s: float) -> FloatArray:
    return np.sort(at[at < end_s])
