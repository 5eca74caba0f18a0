"""Request counts without their level and season."""

import numpy as np

from autoscaler.core.types import FloatArray

BLOCK = 60  # steps over which the level is linear: longer than any lag searched
HOUR_S, DAY_S = 3600.0, 86400.0
LEAST_CYCLES = 4  # of a season, below which it is not removed
CLIP = 5.0  # standard deviations at which values are clipped


def residuals(counts: FloatArray, start_s: float, step_s: float) -> FloatArray:
    """Counts (n, T) less their level and their daily and hourly profiles; gaps are 0.

    start_s, step_s: Unix s of the first step, s.
    """
    level = _level(counts)
    some = np.maximum(level, 1e-9)
    left = (counts - level) / some  # a profile is a share of the level, not a number
    for season_s in (DAY_S, HOUR_S):
        left -= _profile(left, start_s, step_s, season_s)
    left *= some
    return np.nan_to_num(left)


def standardized(counts: FloatArray, start_s: float, step_s: float) -> FloatArray:
    """Residuals (n, T) of counts at an even scale, mean 0 and deviation 1; all 0 if constant.

    The root equalises the variance of low and high counts (Anscombe); tails are clipped.
    """
    left = residuals(2.0 * np.sqrt(counts + 0.375), start_s, step_s)
    for clip in (CLIP, np.inf):
        left -= left.mean(axis=1, keepdims=True)
        deviation = left.std(axis=1, keepdims=True)
        left = np.where(deviation > 1e-6, left / np.maximum(deviation, 1e-6), 0.0)
        np.clip(left, -clip, clip, out=left)
    return left


def _level(counts: FloatArray) -> FloatArray:
    """(n, T) means of blocks, joined by straight lines, over blocks without data too."""
    n, length = counts.shape
    n_blocks = max(length // BLOCK, 1)
    edges = np.linspace(0, length, n_blocks + 1).astype(np.int64)
    known = ~np.isnan(counts)
    total = np.add.reduceat(np.nan_to_num(counts), edges[:-1], axis=1)
    many = np.add.reduceat(known, edges[:-1], axis=1, dtype=np.int64)
    middle = (edges[:-1] + edges[1:] - 1) / 2
    steps = np.arange(length)
    if known.all() and n_blocks > 1:
        mean = total / many
        right = np.clip(np.searchsorted(middle, steps), 1, n_blocks - 1)
        share = (steps - middle[right - 1]) / np.diff(middle)[
            right - 1
        ]  # beyond 0 to 1 at the ends
        return np.asarray(mean[:, right - 1] * (1 - share) + mean[:, right] * share)
    level = np.zeros((n, length))
    for row in range(n):
        has = many[row] > 0
        if has.any():
            level[row] = np.interp(steps, middle[has], total[row, has] / many[row, has])
    return level


def _profile(left: FloatArray, start_s: float, step_s: float, season_s: float) -> FloatArray:
    """(n, T) the median of each phase of the season; 0 where it was not seen often enough."""
    n, length = left.shape
    period = round(season_s / step_s)
    if period < 2 or abs(period * step_s - season_s) > 1e-6 or length < LEAST_CYCLES * period:
        return np.zeros((n, 1))
    ahead = int(start_s // step_s) % period
    cycles = -(-(ahead + length) // period)
    padded = np.full((n, cycles * period), np.nan)
    padded[:, ahead : ahead + length] = left
    folded = padded.reshape(n, cycles, period)
    if not np.isnan(left).any() and cycles > 2:
        folded = folded[:, 1:-1]  # whole cycles only: a median without NaN is far quicker
        middle = np.median(folded, axis=1)
    else:
        known = ~np.isnan(folded).all(axis=1, keepdims=True)
        middle = np.nanmedian(np.where(known, folded, 0.0), axis=1)
    return np.asarray(np.tile(middle, (1, cycles))[:, ahead : ahead + length])
