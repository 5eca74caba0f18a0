"""Values formatted for a table's cells, whose head has the unit."""

from collections.abc import Iterable
from datetime import datetime
from math import floor

AGES_S = (("s", 1, 120), ("m", 60, 10_800), ("h", 3600, 172_800), ("d", 86_400, 63_072_000))
YEAR_S = 365 * 86_400
SMALL = 0.001  # below which a number is no more than that


def number(value: float) -> str:
    """Two digits, or all before the point.

    >>> number(0.008333), number(1.25), number(99.7), number(1234.5), number(0.0), number(1e-7)
    ('0.0083', '1.2', '100', '1234', '0', '<0.001')
    """
    if 0 < value < SMALL:
        return f"<{SMALL}"
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def percent(share: float) -> str:
    """A share of 1 in percent, rounded down: 0.9996 is not 100.

    >>> percent(0.9996), percent(0.69473), percent(1.0)
    ('99.9', '69.4', '100')
    """
    return f"{floor(round(share * 1000, 6)) / 10:g}"


def age(seconds: float) -> str:
    """A span as kubectl shows it.

    >>> age(42.3), age(300.0), age(90_000.0), age(1e6), age(-3.0)
    ('42s', '5m', '25h', '11d', '0s')
    """
    for unit, length_s, until_s in AGES_S:
        if seconds < until_s:
            return f"{max(seconds, 0) // length_s:.0f}{unit}"
    return f"{seconds // YEAR_S:.0f}y"


def since(moment: datetime | None, now: datetime) -> float | None:
    """Seconds from a moment until now."""
    return (now - moment).total_seconds() if moment else None


def joined(words: Iterable[str]) -> str | None:
    """Words with commas between; None = none."""
    return ",".join(words) or None


def plain(text: str) -> str:
    """Text without what a terminal would obey; in one line.

    >>> plain("shop/cart"), plain("shop\\x1b[2J")
    ('shop/cart', 'shop�[2J')
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
