"""Made services: kinds of traffic that a model learns beside what it is given.

So it answers well for a service on its first day, and does not take the habits of a few services
for those of all.

Timers with jitter and misses, two timers at once, renewals whose gaps are gamma or log-normal,
bursts, waves, opening hours and daily jobs. All of it is synthetic; ranges are wide on purpose, and
were not tuned to any trace. Time is in steps, and days are short ones of `DAY` steps: what is
learned of days and weeks then holds for those of any length.
"""

from collections.abc import Callable

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray

Calls = tuple[FloatArray, FloatArray]  # (k,) begin and duration of each call, steps
Kind = Callable[[np.random.Generator, int], Calls]  # a random service's calls in so many steps

MOST_CALLS_A_STEP = 30.0
DAY, WEEK_DAYS = 288, 7  # steps, days
STEP_S = 86_400 / DAY  # as the time of their steps counts


def made_services(n_of_each: int, n_steps: int, seed: int, *, days: bool = True) -> FloatArray:
    """(n, n_steps) pods needed of made services, kind by kind; one call takes one pod.

    days: with those that follow days.
    """
    random = np.random.default_rng(seed)
    kinds = KINDS if days else WITHOUT_DAYS
    return np.stack(
        [
            _pods(*kind(random, n_steps), n_steps)
            for kind, times in kinds.items()
            for _ in range(times * n_of_each)
        ]
    )


def timer(random: np.random.Generator, n_steps: int) -> Calls:
    """One period with jitter; some calls are missed."""
    period = _between(random, 2, 400)
    begin = _periodic(random, n_steps, period)
    begin += random.normal(0, random.choice([0, 0.02, 0.1]) * period, len(begin))
    begin = begin[random.random(len(begin)) >= random.choice([0, 0.02, 0.1])]
    return begin, _log_normal(random, random.choice([0.1, 1, 3]), 0.5, len(begin))


def two_timers(random: np.random.Generator, n_steps: int) -> Calls:
    """Two exact periods at once."""
    begin = np.concatenate([_periodic(random, n_steps, _between(random, 3, 300)) for _ in range(2)])
    return begin, np.full(len(begin), random.choice([0.1, 0.5, 2.0]))


def gamma_renewals(random: np.random.Generator, n_steps: int) -> Calls:
    """Gaps from more regular than a Poisson process to far burstier."""
    mean, shape = _between(random, 0.7, 500), _between(random, 0.15, 8)
    gaps = random.gamma(shape, mean / shape, int(3 * n_steps / mean) + 20)
    return _renewals(random, gaps, random.uniform(0, mean))


def log_normal_renewals(random: np.random.Generator, n_steps: int) -> Calls:
    """Gaps with a heavy tail."""
    median = _between(random, 1, 400)
    gaps = _log_normal(random, median, random.uniform(0.3, 2.2), int(4 * n_steps / median) + 50)
    return _renewals(random, gaps, 0.0)


def bursts(random: np.random.Generator, n_steps: int) -> Calls:
    """Poisson calls while on, none while off."""
    on, off, rate = _between(random, 1, 60), _between(random, 5, 600), _between(random, 0.2, 6)
    parts, now = [np.zeros(0)], random.exponential(off)
    while now < n_steps:
        length = random.exponential(on)
        parts.append(now + random.uniform(0, length, 1 + random.poisson(rate * length)))
        now += length + random.exponential(off)
    begin = np.concatenate(parts)
    return begin, _short_calls(random, len(begin))


def wave(random: np.random.Generator, n_steps: int) -> Calls:
    """Poisson calls whose rate swings with a period."""
    period = random.choice([60, 120, 240, 480, 720, 1440])
    step = np.arange(n_steps)
    swing = random.uniform(0.5, 3) * np.sin(2 * np.pi * (step / period + random.random()))
    rate = _between(random, 0.01, 3) * np.exp(swing)
    number = random.poisson(np.minimum(rate, MOST_CALLS_A_STEP))
    begin = np.repeat(step, number) + random.random(number.sum())
    return begin, _short_calls(random, len(begin))


def opening_hours(random: np.random.Generator, n_steps: int) -> Calls:
    """Poisson calls while open: some hours of the day, not on all days of the week."""
    step, days = np.arange(n_steps), _days_of_week(random)
    opens, length = random.integers(DAY), random.integers(DAY // 12, DAY // 2)
    day, into_day = np.divmod(step + WEEK_DAYS * DAY - opens, DAY)
    open_now = (into_day < length) & days[day % WEEK_DAYS]
    number = random.poisson(_between(random, 0.1, 5) * open_now)
    begin = np.repeat(step, number) + random.random(number.sum())
    return begin, _short_calls(random, len(begin))


def daily_job(random: np.random.Generator, n_steps: int) -> Calls:
    """One call a day of some steps, not on all days of the week."""
    days = np.flatnonzero(_days_of_week(random)[np.arange(n_steps // DAY + 1) % WEEK_DAYS])
    begin = (days + random.random()) * DAY + random.normal(0, random.choice([0, 0.5, 2]), len(days))
    return begin, _log_normal(random, random.choice([0.5, 2, 8]), 0.3, len(begin))


# How many of each kind for each one asked for: renewals vary most.
WITHOUT_DAYS: dict[Kind, int] = {
    timer: 1,
    two_timers: 1,
    gamma_renewals: 3,
    log_normal_renewals: 2,
    bursts: 2,
    wave: 2,
}
KINDS = WITHOUT_DAYS | {opening_hours: 1, daily_job: 1}


def _pods(begin: FloatArray, duration: FloatArray, n_steps: int) -> FloatArray:
    """(n_steps,) calls in flight in each step that they touch."""
    first = np.floor(begin).astype(np.int64)
    inside = (first >= 0) & (first < n_steps)
    end = np.minimum(np.floor(begin + duration).astype(np.int64) + 1, n_steps)
    begun, ended = (np.bincount(each[inside], minlength=n_steps + 1) for each in (first, end))
    return np.asarray(np.cumsum(begun - ended)[:n_steps], dtype=np.float64)


def _days_of_week(random: np.random.Generator) -> BoolArray:
    """(WEEK_DAYS,) on which something happens: all, all but two, or one."""
    first = random.integers(WEEK_DAYS)
    return np.asarray((np.arange(WEEK_DAYS) - first) % WEEK_DAYS < random.choice([7, 7, 5, 5, 1]))


def _between(random: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _log_normal(random: np.random.Generator, median: float, sigma: float, size: int) -> FloatArray:
    return np.asarray(np.exp(random.normal(np.log(median), sigma, size)), dtype=np.float64)


def _short_calls(random: np.random.Generator, size: int) -> FloatArray:
    return _log_normal(random, random.choice([0.05, 0.3, 1.5]), 0.6, size)


def _periodic(random: np.random.Generator, n_steps: int, period: float) -> FloatArray:
    return np.asarray(random.uniform(0, period) + np.arange(int(n_steps / period) + 2) * period)


def _renewals(random: np.random.Generator, gaps: FloatArray, before: float) -> Calls:
    return np.cumsum(gaps) - before, _short_calls(random, len(gaps))
