"""Kinds of traffic, with time compressed: what takes days elsewhere takes minutes here.

Each has a law for when requests are meant to be sent, and what one request and one start cost.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError

Law = Callable[[np.random.Generator, float], FloatArray]

FIRST_S = 10.0  # after the beginning: nobody is called before all is watched
DAY_S = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of traffic, and the service that gets it."""

    name: str
    law: Law  # times (n,) s of requests before some time s, ascending
    meaning: str  # in words
    regular: bool = False  # whether the past tells when the next request comes
    start_s: float = 2.0  # that the container takes to start
    work_s: float = 0.2  # that a request takes
    concurrency: int = 0  # requests in flight that a pod takes; 0 = no limit
    length: int = 1  # services in a row, each of which calls the next one


def timer(_: np.random.Generator, until_s: float) -> FloatArray:
    """Every 75 s."""
    return np.arange(FIRST_S, until_s, 75.0)


def rare(random: np.random.Generator, until_s: float) -> FloatArray:
    """Every three minutes, and up to five seconds earlier or later."""
    at = np.arange(FIRST_S + 60.0, until_s, 180.0)
    return _before(until_s, at + random.uniform(-5.0, 5.0, len(at)))


def day_and_night(random: np.random.Generator, until_s: float) -> FloatArray:
    """Of four minutes: up to one request in two seconds by day, none by night."""
    at = np.sort(random.uniform(0.0, until_s, random.poisson(0.5 * until_s)))
    return at[random.random(len(at)) < np.maximum(np.sin(2 * np.pi * at / DAY_S), 0.0)]


def poisson(random: np.random.Generator, until_s: float) -> FloatArray:
    """At random, every 100 s on average: nothing can be learned but how often."""
    return _gaps(until_s, random.exponential(100.0, _enough(until_s, 100.0)))


def irregular(random: np.random.Generator, until_s: float) -> FloatArray:
    """Every 90 to 200 s."""
    return _gaps(until_s, random.uniform(90.0, 200.0, _enough(until_s, 145.0)))


def bursts(random: np.random.Generator, until_s: float) -> FloatArray:
    """Six at once, every 100 to 200 s."""
    return np.repeat(_gaps(until_s, random.uniform(100.0, 200.0, _enough(until_s, 150.0))), 6)


def slow(_: np.random.Generator, until_s: float) -> FloatArray:
    """Every five minutes."""
    return np.arange(FIRST_S + 30.0, until_s, 300.0)


def _enough(until_s: float, gap_s: float) -> int:
    return int(4 * until_s / gap_s) + 20


def _gaps(until_s: float, gaps_s: FloatArray) -> FloatArray:
    return _before(until_s, np.cumsum(gaps_s))


def _before(until_s: float, at_s: FloatArray) -> FloatArray:
    return at_s[at_s < until_s]


KINDS = {
    kind.name: kind
    for kind in (
        Kind(name="timer", law=timer, meaning="every 75 s", regular=True),
        Kind(name="rare", law=rare, meaning="every 3 min, 5 s more or less", regular=True),
        Kind(
            name="daynight",
            law=day_and_night,
            meaning="days of 4 min, up to a request in 2 s, none by night",
            regular=True,
        ),
        Kind(name="poisson", law=poisson, meaning="at random, every 100 s on average"),
        Kind(
            name="chain",
            law=irregular,
            meaning="two services in a row, the first called every 90 to 200 s",
            length=2,
        ),
        Kind(
            name="burst",
            law=bursts,
            meaning="6 at once every 100 to 200 s, two to a pod",
            concurrency=2,
        ),
        Kind(name="slow", law=slow, meaning="every 5 min, 60 s of start-up", start_s=60.0),
    )
}


def kinds_of(names: tuple[str, ...]) -> tuple[Kind, ...]:
    """By name; all where none is named. Raises PermanentError."""
    for name in names:
        if name not in KINDS:
            raise PermanentError(f"kind {name!r} is not known; allowed: {', '.join(KINDS)}")
    return tuple(KINDS[name] for name in dict.fromkeys(names or KINDS))
