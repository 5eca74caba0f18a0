"""Bounds: min-scale, max-scale and initial-scale, applied once and last.

Source: knative/serving pkg/reconciler/autoscaling/kpa/scaler.go (applyBounds) and
pkg/apis/autoscaling/v1alpha1/pa_lifecycle.go (ScaleBounds).
"""

import numpy as np

from autoscaler.core.state.revision import NO_ANSWER, Active, ObservedArrays, SpecArrays
from autoscaler.core.types import IntArray


def least(spec: SpecArrays, observed: ObservedArrays) -> IntArray:
    """(n,) fewest pods: min-scale, and initial-scale until it was reached once; 0 unreachable."""
    starting = ~observed.initialized & (spec.initial_scale > 1)
    floor = np.where(starting, np.maximum(spec.min_scale, spec.initial_scale), spec.min_scale)
    return np.where(spec.reachable, floor, 0)


def clip(desired: IntArray, spec: SpecArrays, observed: ObservedArrays) -> IntArray:
    """(n,) desired pods within bounds; min wins over max.

    No answer stays no answer, except while activating: then min-scale and initial-scale apply
    before the first statistic.
    """
    capped = np.where(spec.max_scale > 0, np.minimum(desired, spec.max_scale), desired)
    bounded = np.maximum(capped, least(spec, observed))
    undecided = (desired < 0) & (observed.active != int(Active.UNKNOWN))
    return np.where(undecided, NO_ANSWER, bounded)
