"""Numbers formatted for people, and the templates that use them."""

from datetime import datetime
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autoscaler.api.dependency_answers import DependencyAnswer

UNKNOWN = "\N{EN DASH}"


def seconds(value: float | None) -> str:
    """A lag."""
    return UNKNOWN if value is None else f"{value:.2g} s" if value < 100 else f"{value:.0f} s"


def number(value: float | None) -> str:
    """A gain."""
    return UNKNOWN if value is None else f"{value:.2g}" if value < 100 else f"{value:.0f}"


def percent(value: float | None) -> str:
    """A probability, rounded down: 0.9996 is not 100 %."""
    return UNKNOWN if value is None else f"{np.floor(round(value * 1000, 6)) / 10:g} %"


def moment(time: datetime) -> str:
    """Date and time of day, UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def time_of_day(time: datetime) -> str:
    """Of a time that is near."""
    return f"{time:%H:%M:%S}"


def day(time: datetime) -> str:
    """A date."""
    return f"{time:%Y-%m-%d}"


def whole(count: float) -> str:
    """A count, which may be estimated."""
    return f"{round(count):,}"


def hours(value_s: float) -> str:
    """s in hours."""
    return f"{round(value_s / 3600, 1) + 0.0:,.1f}"


def in_words(edge: DependencyAnswer) -> str:
    """One edge in a line."""
    parts = [
        "together" if edge.together else f"lag {seconds(edge.lag_s)}",
        f"gain {number(edge.gain)}",
        f"probability {percent(edge.probability)}",
        f"confidence {percent(edge.confidence)}",
        "direct" if edge.direct else "not direct",
        edge.origin,
        *(["withdrawn"] if edge.withdrawn else []),
    ]
    arrow = "\N{EN DASH}" if edge.together else "→"
    return f"{edge.upstream} {arrow} {edge.downstream}: {', '.join(parts)}"


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {
    each.__name__: each
    for each in (seconds, number, percent, moment, time_of_day, day, whole, hours)
}
