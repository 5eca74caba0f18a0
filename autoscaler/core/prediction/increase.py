"""How much more comes downstream than its own window has seen: its upstream was called for it.

A stable average is half a window old, and a pod that is asked for now is ready a lead from now.
What lies in between has passed the upstream already, or is there now:

    increase = what the upstream was called when it passed what arrives a lead from now
             - what it was called when it passed what the downstream's window has averaged

Where the lag is short, up to a lead and half a window, the first is what is called now: the
greatest of the last seconds, against the upstream's own window. Where it is longer, both are stable
averages of then, from the rate history. No lag is known better than to half a window, and calls
spread around it: the earliest and the latest are looked at, and what is averaged is what is
averaged surely.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.state.rate_history import RateHistory
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SIGMAS = 4.0  # that calls must exceed the average by: what is less is chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What is known of the upstream of each path, and of its downstream's settings; (m,) each."""

    service: IntArray  # the upstream
    rate: FloatArray  # requests per second now
    average: FloatArray  # requests per second over its stable window
    window_s: FloatArray  # its stable window, s
    lag_s: FloatArray  # of the path, s
    lead_s: FloatArray  # of the downstream: s from asking for a pod until it is ready
    down_window_s: FloatArray  # of the downstream: its stable window, s
    now: FloatArray  # Unix s


@dataclass(frozen=True, slots=True, kw_only=True)
class Increase:
    """What comes along some paths; (m,) each."""

    more: FloatArray  # requests per second upstream, beyond what was averaged; 0 = no more
    rate: FloatArray  # requests per second upstream, all of them; NaN = not known
    at_s: FloatArray  # Unix s at which they were there
    far: BoolArray  # they were there before now: they are on their way


def increase(history: RateHistory, up: Upstream) -> Increase:
    """What comes along paths."""
    due_s = up.lag_s - up.lead_s  # s ago
    far = due_s > up.window_s / 2
    rate, average, at_s = up.rate.copy(), up.average.copy(), up.now.copy()
    some = np.flatnonzero(far)
    service, then = up.service[some], up.now[some] - due_s[some]
    earliest = np.minimum(then + up.window_s[some], up.now[some])
    rate[some], at_s[some] = _greatest(history, service, then, earliest)
    then = up.now[some] - up.lag_s[some] - up.down_window_s[some] / 2
    average[some] = history.at(service, then)
    # Of an average over a window chance makes less than of a second.
    chance = SIGMAS * np.sqrt(np.maximum(average, 1.0) / np.where(far, up.window_s, 1.0))
    return Increase(
        more=np.where(rate > average + chance, rate - average, 0.0),
        rate=rate,
        at_s=at_s,
        far=far,
    )


def _greatest(
    history: RateHistory, services: IntArray, late_s: FloatArray, early_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(k,) requests per second at one or the other Unix s, (k,) at which; NaN = not known."""
    late, early = history.at(services, late_s), history.at(services, early_s)
    return np.fmax(late, early), np.where(late > early, late_s, early_s)
