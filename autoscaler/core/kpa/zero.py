"""The scale-to-zero state machine, pure.

The last pod may go only when no request can be lost by it: the revision was active for a stable
window, the activator answers at its address, and has been in the path for a grace period. Every row
is in one state of the condition Active; `last_pod` decides for rows whose bounded answer is zero,
`next_active` computes the next state.

Source: knative/serving pkg/reconciler/autoscaling/kpa/scaler.go (handleScaleToZero) and kpa.go
(computeActiveCondition).
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.state.revision import NO_ANSWER, Active, ObservedArrays, SpecArrays
from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPod:
    """The answer after the scale-to-zero rule; (n,) each."""

    want: IntArray  # pods wanted; -1 = no decision
    apply: BoolArray  # whether the scale target is to be written
    probe: BoolArray  # whether the activator is to be probed


def last_pod(
    bounded: IntArray, spec: SpecArrays, observed: ObservedArrays, now: FloatArray
) -> LastPod:
    """The bounded answer, with the last pod held while it may not go. now: (n,) Unix s."""
    never_zero = (bounded == 0) & ~spec.enable_scale_to_zero
    zero = (bounded == 0) & spec.enable_scale_to_zero
    since = now - observed.active_since_s
    activating = zero & (observed.active == int(Active.UNKNOWN))
    active = zero & (observed.active == int(Active.TRUE))
    inactive = zero & (observed.active == int(Active.FALSE))
    given_up = activating & (since > spec.activation_timeout_s)
    too_young = active & (since < spec.stable_window_s)

    want = np.where(activating & ~given_up, NO_ANSWER, bounded)
    want = np.where(too_young | never_zero, 1, want)
    may_go = inactive & _may_go(spec, observed, since, now)
    apply = np.where(zero, given_up | too_young | may_go, (bounded > 0) | never_zero)
    burst_only = spec.target_burst_capacity == -1
    return LastPod(want=want, apply=apply, probe=inactive & ~burst_only & ~observed.probe_passed)


def _may_go(
    spec: SpecArrays, observed: ObservedArrays, since: FloatArray, now: FloatArray
) -> BoolArray:
    """Whether an inactive revision's last pod may go."""
    retention = np.where(spec.reachable, spec.retention_s, 0.0)
    waited = since >= np.maximum(spec.grace_s, retention)
    # Never proxied is NaN, which compares False.
    proxied = (now - observed.proxied_since_s >= spec.grace_s) & (since >= retention)
    safe = observed.probe_passed | (spec.target_burst_capacity == -1)
    return np.asarray(safe & (waited | proxied), dtype=np.bool_)


def next_active(want: IntArray, spec: SpecArrays, observed: ObservedArrays) -> IntArray:
    """(n,) the condition Active after a pass that wanted ``want`` pods.

    Activation takes ``max(min, initial)`` ready pods until that was reached once, then one.
    """
    least = np.where(spec.reachable, spec.min_scale, 0)
    threshold = np.maximum(least, np.where(observed.initialized, 1, spec.initial_scale))
    rising = np.where(observed.ready >= threshold, int(Active.TRUE), int(Active.UNKNOWN))
    undecided = (want == NO_ANSWER) & (observed.active == int(Active.FALSE))
    idle = (want == 0) | (threshold == 0) | undecided
    return np.where(idle, int(Active.FALSE), rising)
