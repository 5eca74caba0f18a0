"""Numbers of a benchmark as people read them; what is not known is a dash."""

import math
from collections.abc import Callable

from benchmarks.report.outcome import percent
from benchmarks.scores.resampling import Estimate

UNKNOWN = "\N{EN DASH}"


def change(of: Estimate) -> str:
    """With its interval, if there is one.

    >>> change(Estimate(value=-0.8, low=-0.9, high=-0.654))
    '-80% (-90 to -65)'
    >>> change(Estimate(value=0.1, low=0.1, high=0.1)), change(Estimate(value=0, low=0, high=0))
    ('+10%', '0%')
    """
    return _with_interval(of, _signed)


def share(of: Estimate) -> str:
    """Likewise, without a sign.

    >>> share(Estimate(value=0.8, low=0.7, high=1.021))
    '80% (70 to 102)'
    """
    return _with_interval(of, lambda value: f"{100 * value:.0f}%")


def gain(of: Estimate) -> str:
    """Of hypervolumes, in hundredths.

    >>> gain(Estimate(value=0.123, low=0.1, high=0.15))
    '+12.3 (+10.0 to +15.0)'
    """
    return _with_interval(of, lambda value: f"{100 * value:+.1f}")


def area(of: Estimate) -> str:
    """A hypervolume, likewise.

    >>> area(Estimate(value=0.9, low=0.9, high=0.9))
    '90.0'
    """
    return _with_interval(of, lambda value: f"{100 * value:.1f}")


def number(value: float, digits: int = 0) -> str:
    """With thousands apart.

    >>> number(12345.678), number(0.5, 2), number(float("nan")) == UNKNOWN
    ('12,346', '0.50', True)
    """
    return UNKNOWN if math.isnan(value) else f"{value:,.{digits}f}"


def part(value: float) -> str:
    """A part of a whole.

    >>> part(0.0125), part(float("nan")) == UNKNOWN
    ('1.25%', True)
    """
    return UNKNOWN if math.isnan(value) else percent(value)


def _with_interval(of: Estimate, shown: Callable[[float], str]) -> str:
    if math.isnan(of.value):
        return UNKNOWN
    value, low, high = (shown(each) for each in (of.value, of.low, of.high))
    return value if low == high else f"{value} ({low.rstrip('%')} to {high.rstrip('%')})"


def _signed(value: float) -> str:
    text = f"{100 * value:+.0f}%"
    return "0%" if text in {"+0%", "-0%"} else text
