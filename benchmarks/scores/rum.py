"""RUM, the score of FeMux: what cold starts and wasted memory cost together, per block.

Source: ubc-cirrus-lab/femux. A cold start is taken to last 0.808 s; 99.69 GB-s of waste weigh as
much as one second of it (FeMux's code does not say why).
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray

COLD_START_S, GB_S_PER_S = 0.808, 99.69
BLOCK = 504  # minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighting:
    """How much cold starts and waste count."""

    cold: float = 1.0
    waste: float = 1.0


DEFAULT, COLD_STARTS, MEMORY = Weighting(), Weighting(cold=4.0), Weighting(waste=4.0)


def rum(cold: FloatArray, wasted_gb_s: FloatArray, weighting: Weighting = DEFAULT) -> FloatArray:
    """Of so many cold starts, and so much waste; arrays of one shape."""
    return weighting.cold * COLD_START_S * cold + weighting.waste * wasted_gb_s / GB_S_PER_S


def rum_by_execution(
    cold: FloatArray, wasted_gb_s: FloatArray, execution_ms: FloatArray
) -> FloatArray:
    """RUM-exec: cold starts beside the mean execution time, which counts as 1 ms at least."""
    slowed = np.sqrt(COLD_START_S * cold / np.maximum(execution_ms, 1.0))
    return np.asarray(slowed + wasted_gb_s / GB_S_PER_S)


def in_blocks(minutes: FloatArray) -> FloatArray:
    """(..., n_minutes) to (..., n_blocks): sums over whole blocks from the first minute on."""
    blocks = minutes.shape[-1] // BLOCK
    whole = minutes[..., : blocks * BLOCK]
    return np.asarray(whole.reshape(*whole.shape[:-1], blocks, BLOCK).sum(axis=-1))


def for_training(rums: FloatArray, invocations: FloatArray, wasted_gb_s: FloatArray) -> FloatArray:
    """RUM of blocks as FeMux learns from it: 0 where nobody called, or nothing was wasted."""
    return np.where((invocations > 0) & (wasted_gb_s > 0), rums, 0.0)


def counted(allocated_gb_s: FloatArray) -> BoolArray:
    """(n, n_blocks) whether a block counts: any of the policies (n_policies, ...) allocated."""
    return np.asarray((allocated_gb_s > 0).any(axis=0))
