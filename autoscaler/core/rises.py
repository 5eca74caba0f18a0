"""What comes downstream beyond what its own window has seen: its upstream knows, a lag ago.

A stable average is half a window old, and a pod that is asked for now is ready a lead from now.
What lies in between has passed the upstream already, or is there now:

    rise = what the upstream was called when it passed what arrives a lead from now
         - what it was called when it passed what the downstream's window has learned

Where the lag is short, up to a lead and half a window, the first is what is called now: the
greatest of the last seconds, against the upstream's own window. Where it is longer, both are stable
averages of then, off the trail. No lag is known better than to half a window, and calls spread
around it: the earliest and the latest are looked at, and what is learned is what is learned surely.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.fleet import Fleet
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SIGMAS = 4.0  # that calls must exceed what was learned by: what is less is chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Rises:
    """What comes along some links; (m,) each."""

    more: FloatArray  # requests per second upstream, beyond what was learned; 0 = no more
    rate: FloatArray  # requests per second upstream, all of them; NaN = not known
    at_s: FloatArray  # Unix s at which they were there
    far: BoolArray  # they were there before now: they are on their way


def rises(
    fleet: Fleet,
    ends: tuple[IntArray, IntArray],
    lag_s: FloatArray,
    seen: tuple[FloatArray, FloatArray],
    now: FloatArray,
) -> Rises:
    """What comes along links.

    ends: (m,) rows upstream, (m,) rows downstream. lag_s: (m,). seen: (m,) requests per second of
    the upstream now, (m,) over its stable window. now: (m,) Unix s.
    """
    (up, down), (rate, learned), spec = ends, seen, fleet.spec
    window_s = spec.stable_window_s[up]
    due_s = lag_s - spec.lead_s[down]  # s ago
    far = due_s > window_s / 2
    rate, learned, at_s = rate.copy(), learned.copy(), now.copy()
    some = np.flatnonzero(far)
    head, then = up[some], now[some] - due_s[some]
    rate[some], at_s[some] = _greatest(
        fleet, head, then, np.minimum(then + window_s[some], now[some])
    )
    then = now[some] - lag_s[some] - spec.stable_window_s[down[some]] / 2
    learned[some] = fleet.trail.at(head, then)
    # Of an average over a window chance makes less than of a second.
    chance = SIGMAS * np.sqrt(np.maximum(learned, 1.0) / np.where(far, window_s, 1))
    return Rises(
        more=np.where(rate > learned + chance, rate - learned, 0.0),
        rate=rate,
        at_s=at_s,
        far=far,
    )


def _greatest(
    fleet: Fleet, rows: IntArray, late_s: FloatArray, early_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(k,) requests per second of rows at one or the other Unix s, (k,) at which; NaN = unknown."""
    late, early = fleet.trail.at(rows, late_s), fleet.trail.at(rows, early_s)
    return np.fmax(late, early), np.where(late > early, late_s, early_s)
