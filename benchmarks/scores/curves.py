"""Curves of policies: cold requests against pod-seconds, as a policy's one knob is turned.

A curve is read between the two neighbouring settings; a setting that spends more than another, and
misses more, is not counted: nobody would ask for it. With fewer pod-seconds than its most sparing
setting a policy cannot do anything, and with more than its most lavish one it does no better.
"""

import numpy as np

from autoscaler.core.types import FloatArray


def cold_at(pod_s: float, curve_pod_s: FloatArray, curve_cold: FloatArray) -> float:
    """Cold requests of a curve (n_settings,) at some pod-seconds; at its ends, those there."""
    at, least = _frontier(curve_pod_s, curve_cold)
    return float(np.interp(pod_s, at, least))


def pod_s_at(cold: float, curve_pod_s: FloatArray, curve_cold: FloatArray) -> float:
    """The fewest pod-seconds of a curve (n_settings,) with so many cold requests; NaN = none."""
    at, least = _frontier(curve_pod_s, curve_cold)
    if not cold >= least[-1]:
        return np.nan
    first = int(np.argmax(least <= cold))
    if not first:
        return float(at[0])
    share = (least[first - 1] - cold) / (least[first - 1] - least[first])
    return float(at[first - 1] + share * (at[first] - at[first - 1]))


def reaches(pod_s: float, curve_pod_s: FloatArray) -> bool:
    """Whether a curve has a setting of so few pod-seconds."""
    return bool(curve_pod_s.min() <= pod_s * (1 + 1e-9))


def hypervolume(
    curve_pod_s: FloatArray, curve_cold: FloatArray, *, most_pod_s: float, most_cold: float
) -> float:
    """The share of the rectangle below a reference point that lies beyond a curve, 0 to 1.

    The rectangle reaches from nothing to ``most_pod_s`` and ``most_cold``: we take the pod-seconds
    of min-scale 1 and the cold requests of Knative as it is. 1 would be no cold request for no pod.
    NaN where the rectangle is empty.
    """
    if not (most_pod_s > 0 and most_cold > 0):
        return np.nan
    at, least = _frontier(curve_pod_s, curve_cold)
    if at[0] >= most_pod_s:
        return 0.0
    corners = np.concatenate([at[at < most_pod_s], [most_pod_s]])
    # Where a segment meets the upper edge there is one more corner.
    over, below = least[:-1] > most_cold, least[1:] < most_cold
    for i in np.flatnonzero(over & below):
        share = (least[i] - most_cold) / (least[i] - least[i + 1])
        corners = np.append(corners, at[i] + share * (at[i + 1] - at[i]))
    corners = np.unique(corners[corners <= most_pod_s])
    gained = np.maximum(most_cold - np.interp(corners, at, least), 0.0)
    return float(np.trapezoid(gained, corners) / (most_pod_s * most_cold))


def _frontier(pod_s: FloatArray, cold: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pod-seconds ascending, and the fewest cold requests for at most as many."""
    order = np.lexsort((cold, pod_s))
    return pod_s[order], np.minimum.accumulate(cold[order])
