"""A made fleet of hundreds of services, request by request; seeded, all of it synthetic.

In turn: timers, callers that come again after about as long, office hours, bursts, and callers at
random. It is not what the shipped prior has learned from.
"""

from collections.abc import Callable
from itertools import cycle, islice

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.simulator.arrivals import Requests

HOUR_S, DAY_S = 3600.0, 86_400.0
OFFICE = 8, 18  # hours of a weekday
NAMESPACES = ("shop", "billing", "search", "media", "internal")

Kind = Callable[[np.random.Generator, float], FloatArray]  # times of calls in so many s, ascending


def made_fleet(n_services: int, days: float, seed: int = 0) -> tuple[tuple[str, ...], Requests]:
    """Names "namespace/service", and all requests, from Unix s 0."""
    random = np.random.default_rng(seed)
    names, arrivals, durations = [], [], []
    for i, (kind, make) in enumerate(islice(cycle(KINDS.items()), n_services)):
        at = make(random, days * DAY_S)
        names.append(f"{NAMESPACES[i // len(KINDS) % len(NAMESPACES)]}/{kind}-{i:03}")
        arrivals.append(at)
        durations.append(random.lognormal(np.log(random.choice([0.05, 0.2, 1.0])), 0.5, len(at)))
    return tuple(names), Requests(
        arrival_s=np.concatenate(arrivals),
        service_s=np.concatenate(durations),
        offset=np.concatenate([[0], np.cumsum([len(at) for at in arrivals])]).astype(np.int64),
    )


def timer(random: np.random.Generator, end_s: float) -> FloatArray:
    """Every 1 to 60 minutes, some seconds off."""
    period_s = _between(random, 60.0, HOUR_S)
    at = np.arange(random.uniform(0, period_s), end_s, period_s)
    return _inside(at + random.exponential(1.0, len(at)), end_s)


def regular(random: np.random.Generator, end_s: float) -> FloatArray:
    """3 to 40 minutes after the last call, or up to half as long again."""
    least_s = _between(random, 180.0, 2400.0)
    return _inside(np.cumsum(random.uniform(least_s, 1.5 * least_s, int(end_s / least_s))), end_s)


def office(random: np.random.Generator, end_s: float) -> FloatArray:
    """At random in office hours of five days of seven, one in 10 s to 10 minutes."""
    hour = np.arange(int(end_s // HOUR_S))
    first, last = OFFICE
    open_ = (hour % 24 >= first) & (hour % 24 < last) & (hour // 24 % 7 < 5)
    number = random.poisson(open_ * HOUR_S / _between(random, 10.0, 600.0))
    return np.sort((np.repeat(hour, number) + random.random(number.sum())) * HOUR_S)


def bursts(random: np.random.Generator, end_s: float) -> FloatArray:
    """Up to a dozen calls within minutes, then none for some 20 minutes to 5 hours."""
    mean_s = _between(random, 1200.0, 5 * HOUR_S)
    begin = np.cumsum(random.gamma(0.7, mean_s / 0.7, int(3 * end_s / mean_s) + 20))
    number = np.minimum(random.geometric(0.3, len(begin)), 12)
    at = np.repeat(begin, number) + random.exponential(60.0, number.sum())
    return _inside(np.sort(at), end_s)


def at_random(random: np.random.Generator, end_s: float) -> FloatArray:
    """A Poisson process: one call in 1 minute to 2 hours."""
    mean_s = _between(random, 60.0, 2 * HOUR_S)
    return np.sort(random.uniform(0, end_s, random.poisson(end_s / mean_s)))


KINDS: dict[str, Kind] = {
    "timer": timer,
    "regular": regular,
    "office": office,
    "bursts": bursts,
    "random": at_random,
}


def _between(random: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _inside(at: FloatArray, end_s: float) -> FloatArray:
    return np.sort(at[at < end_s])
