"""Knative's reactive rule (KPA) for the whole fleet at once.

Two windows watch the same demand: the stable one asks for ``ceil(average / target)`` pods, the
panic one, a tenth as long, does the same sooner. When it asks for ``panic_threshold`` times
the ready pods, the revision panics: until a stable window passed without that, pods only grow.

Source: knative/serving pkg/autoscaler/scaling/autoscaler.go; the names follow it.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.state.revision import MemoryArrays, SpecArrays
from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactive:
    """The rule's answer, before delay and bounds; (n,) each."""

    no_data: BoolArray  # nothing to decide on: hold
    desired: IntArray  # pods
    panicking: BoolArray
    panic_since_s: FloatArray  # Unix s; NaN = not panicking
    max_panic_pods: IntArray
    excess_burst_capacity: FloatArray  # requests in flight
    seen_by_panic: IntArray  # pods that the panic window alone asks for
    max_up: FloatArray  # most pods that the scale-up rate allows


def react(
    spec: SpecArrays,
    memory: MemoryArrays,
    ready: IntArray,
    averages: tuple[FloatArray, FloatArray, BoolArray],
    now: FloatArray,
) -> Reactive:
    """One tick of KPA.

    ready: (n,) pods ready. averages: (n,) stable, panic, and whether there is no data; totals over
    all pods. now: (n,) Unix s.
    """
    stable, panic, no_data = averages
    base = np.maximum(ready, 1).astype(np.float64)
    up = np.ceil(spec.max_scale_up_rate * base)
    down = np.where(spec.reachable, np.floor(base / spec.max_scale_down_rate), 0.0)
    want_stable = np.ceil(stable / spec.target)
    want_panic = np.ceil(panic / spec.target)
    by_stable = np.minimum(np.maximum(want_stable, down), up)
    by_panic = np.minimum(np.maximum(want_panic, down), up)
    floor = np.where(spec.activation_scale > 1, spec.activation_scale, 0)
    by_stable = np.where(want_stable > 0, np.maximum(by_stable, floor), by_stable)
    by_panic = np.where(want_panic > 0, np.maximum(by_panic, floor), by_panic)

    over = want_panic / base >= spec.panic_threshold
    since = np.where(over, now, memory.panic_since_s)
    # A comparison with NaN is False: whoever does not panic stays calm.
    calm = ~over & (since + spec.stable_window_s < now)
    since = np.where(calm, np.nan, since)
    panicking = ~np.isnan(since)
    desired = np.where(panicking, np.maximum(by_stable, by_panic), by_stable)
    highest = np.where(calm, 0, memory.max_panic_pods)
    highest = np.where(panicking, np.maximum(highest, desired), highest)
    desired = np.where(panicking, highest, desired)

    hold = no_data
    return Reactive(
        no_data=hold,
        desired=np.where(hold, memory.kpa, desired).astype(np.int64),
        panicking=np.where(hold, ~np.isnan(memory.panic_since_s), panicking),
        panic_since_s=np.where(hold, memory.panic_since_s, since),
        max_panic_pods=np.where(hold, memory.max_panic_pods, highest).astype(np.int64),
        excess_burst_capacity=np.where(
            hold, memory.excess_burst_capacity, _spare(spec, ready, panic)
        ),
        seen_by_panic=np.where(
            want_panic > 0, np.maximum(np.minimum(want_panic, up), floor), 0
        ).astype(np.int64),
        max_up=up,
    )


def _spare(spec: SpecArrays, ready: IntArray, panic: FloatArray) -> FloatArray:
    """Excess burst capacity: requests that the ready pods could take beyond the burst wanted."""
    burst = spec.target_burst_capacity
    spare = np.floor(ready * spec.total - burst - panic)
    return np.where(burst > 0, spare, np.where(burst < 0, -1.0, 0.0))
