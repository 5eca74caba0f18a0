"""Increase of calls upstream that the downstream's own window has not averaged yet.

A stable average is half a window old, and a pod requested now is ready a lead from now. Calls that
arrive downstream in between have passed the upstream already:

    increase = rate upstream of the calls that arrive downstream a lead from now
             - rate upstream of the calls that the downstream's window has averaged

If the lag is at most a lead and half a window, the first is the rate now, the greatest of the last
seconds, and the second the average of the upstream's own window. If it is longer, both are stable
averages of the past, from the rate history. A lag is known to half a window at best, and calls
spread around it: the first is the greater of the earliest and the latest time that are possible,
the second the time that the downstream has averaged with certainty.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.state.rate_history import RateHistory
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SIGMAS = 4.0  # standard deviations of a Poisson count by which a rate must exceed the average


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The upstream of each path, and settings of its downstream; (m,) each."""

    service: IntArray  # the upstream
    rate: FloatArray  # requests per second now
    average: FloatArray  # requests per second over its stable window
    window_s: FloatArray  # its stable window, s
    lag_s: FloatArray  # of the path, s
    lead_s: FloatArray  # of the downstream: s from requesting a pod until it is ready
    down_window_s: FloatArray  # of the downstream: its stable window, s
    now: FloatArray  # Unix s


@dataclass(frozen=True, slots=True, kw_only=True)
class Increase:
    """Calls that arrive along paths; (m,) each."""

    more: FloatArray  # requests per second upstream, beyond what was averaged; 0 = no more
    rate: FloatArray  # requests per second upstream, all of them; NaN = not known
    at_s: FloatArray  # Unix s at which they passed the upstream
    far: BoolArray  # they passed it in the past and are still under way


def increase(history: RateHistory, up: Upstream) -> Increase:
    """The increase along each path."""
    due_s = up.lag_s - up.lead_s  # s ago
    far = due_s > up.window_s / 2
    rate, average, at_s = up.rate.copy(), up.average.copy(), up.now.copy()
    some = np.flatnonzero(far)
    service, then = up.service[some], up.now[some] - due_s[some]
    earliest = np.minimum(then + up.window_s[some], up.now[some])
    rate[some], at_s[some] = _greatest(history, service, then, earliest)
    then = up.now[some] - up.lag_s[some] - up.down_window_s[some] / 2
    average[some] = history.at(service, then)
    # An average over a window varies less than the count of one second.
    noise = SIGMAS * np.sqrt(np.maximum(average, 1.0) / np.where(far, up.window_s, 1.0))
    return Increase(
        more=np.where(rate > average + noise, rate - average, 0.0),
        rate=rate,
        at_s=at_s,
        far=far,
    )


def _greatest(
    history: RateHistory, services: IntArray, then_s: FloatArray, earliest_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(k,) the greater rate of two times (NaN = not known), and (k,) the Unix s that it is of."""
    then, earliest = history.at(services, then_s), history.at(services, earliest_s)
    return np.fmax(then, earliest), np.where(then > earliest, then_s, earliest_s)
