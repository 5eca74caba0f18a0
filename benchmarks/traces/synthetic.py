"""A synthetic workload, for use without a trace."""

from collections.abc import Mapping

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.traces.trace import Trace

MINUTES_A_DAY = 1440
PER_MINUTE = 60.0


def synthetic_shop(days: int, seed: int = 0, start_s: float = 0.0) -> Trace:
    """A synthetic shop with seasonal, dependent, timed and rare traffic; seeded.

    Views are Poisson with a daily season and a quieter weekend. A quarter of them fills a cart a
    minute later, of which two in five are bought two minutes later, and four in five of those who
    buy are written to a minute later; one in five calls of each kind takes a minute longer. So
    each step of the chain has a delay and a share of its own, by which it can be told apart.
    Timers: a nightly report, a sync every five minutes, an hourly invoice run. Rare: refunds a few
    times a day, an admin page in office hours.

    start_s: Unix s at which it begins, on a Monday of its own calendar.
    """
    rng = np.random.default_rng(seed)
    begin = int(start_s) % (MINUTES_A_DAY * 60) // 60
    minutes = np.arange(begin, begin + days * MINUTES_A_DAY)  # since its first midnight
    views = rng.poisson(120.0 * _day(minutes, peak_hour=14.0) + 0.4)
    carts = _followers(views, share=0.25, after={1: 0.8, 2: 0.2}, rng=rng)
    purchases = _followers(carts, share=0.4, after={2: 0.8, 3: 0.2}, rng=rng)
    mails = _followers(purchases, share=0.8, after={1: 0.8, 2: 0.2}, rng=rng)
    night = minutes % MINUTES_A_DAY
    series = {
        "browse": (views, 0.3),
        "cart": (carts, 0.5),
        "purchase": (purchases, 1.2),
        "mailer": (mails, 0.8),
        "report": (np.where((night >= 120) & (night < 123), 6, 0), 4.0),
        "sync": (np.where(minutes % 5 == 0, 1, 0), 0.6),
        "invoices": (np.where(minutes % 60 == 7, 3, 0), 1.5),
        "refund": (rng.poisson(4 / MINUTES_A_DAY, len(minutes)), 0.5),
        "admin": (rng.poisson(0.12 * _office(minutes)), 0.3),
        "thumbnails": (rng.poisson(6.0, len(minutes)) * (rng.random(len(minutes)) < 0.01), 1.2),
    }
    duration = [np.full(len(minutes), seconds) for _, seconds in series.values()]
    return Trace(
        services=tuple(f"shop/{name}" for name in series),
        start_s=start_s,
        step_s=PER_MINUTE,
        counts=np.stack([counts.astype(np.float64) for counts, _ in series.values()]),
        duration_s=np.stack(duration),
        kind="counts",
    )


def _day(minutes: IntArray, *, peak_hour: float) -> FloatArray:
    """(n,) 0 at the quietest, 1 at the busiest minute of a weekday; weekends are quieter."""
    phase = 2 * np.pi * (minutes / 60.0 - peak_hour) / 24.0
    weekend = (minutes // MINUTES_A_DAY) % 7 >= 5
    return np.asarray(((1 + np.cos(phase)) / 2) ** 3 * np.where(weekend, 0.6, 1.0))


def _office(minutes: IntArray) -> FloatArray:
    """(n,) 1 from nine to five on weekdays, else 0."""
    hour, day = (minutes // 60) % 24, (minutes // MINUTES_A_DAY) % 7
    return np.asarray(((hour >= 9) & (hour < 17) & (day < 5)).astype(np.float64))


def _followers(
    callers: IntArray,
    *,
    share: float,
    after: Mapping[int, float],
    rng: np.random.Generator,
) -> IntArray:
    """(n,) calls that a share of the callers cause. after: shares of them, by minutes later."""
    calls = rng.multinomial(rng.binomial(callers, share), list(after.values()))
    return np.asarray(sum(np.roll(calls[:, i], lag) for i, lag in enumerate(after)))
