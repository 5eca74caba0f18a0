"""Knative's reactive rule (KPA) for the whole fleet at once.

Two windows average the same demand: the stable one asks for ``ceil(average / target)`` pods, the
panic one, a tenth as long, does the same sooner. When it asks for ``panic_threshold`` times the
ready pods or more, the revision panics: pods only grow until a stable window passed without that.

Source: knative/serving pkg/autoscaler/scaling/autoscaler.go; the names follow it.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.state.revision import MemoryArrays, SpecArrays
from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Averages:
    """Demand over the two windows, totals over all pods; (n,) each."""

    stable: FloatArray  # in flight or rps
    panic: FloatArray  # in flight or rps
    no_data: BoolArray  # no statistic within the stable window


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactive:
    """The rule's answer, before delay and bounds; (n,) each."""

    no_data: BoolArray  # the former answer stays
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
    averages: Averages,
    now: FloatArray,
) -> Reactive:
    """One tick of KPA. ready: (n,) pods ready. now: (n,) Unix s."""
    base = np.maximum(ready, 1).astype(np.float64)
    up = np.ceil(spec.max_scale_up_rate * base)
    down = np.where(spec.reachable, np.floor(base / spec.max_scale_down_rate), 0.0)
    floor = np.where(spec.activation_scale > 1, spec.activation_scale, 0)
    want_stable = np.ceil(averages.stable / spec.target)
    want_panic = np.ceil(averages.panic / spec.target)
    by_stable = _within_rates(want_stable, down, up, floor)
    by_panic = _within_rates(want_panic, down, up, floor)
    over = want_panic / base >= spec.panic_threshold
    panicking, since, highest = _panic(spec, memory, over, np.maximum(by_stable, by_panic), now)
    desired = np.where(panicking, highest, by_stable)
    spare = _spare(spec, ready, averages.panic)
    seen = np.where(want_panic > 0, np.maximum(np.minimum(want_panic, up), floor), 0)
    hold = averages.no_data
    if hold.any():
        desired = np.where(hold, memory.kpa, desired)
        panicking = np.where(hold, ~np.isnan(memory.panic_since_s), panicking)
        since = np.where(hold, memory.panic_since_s, since)
        highest = np.where(hold, memory.max_panic_pods, highest)
        spare = np.where(hold, memory.excess_burst_capacity, spare)
    return Reactive(
        no_data=hold,
        desired=desired.astype(np.int64),
        panicking=panicking,
        panic_since_s=since,
        max_panic_pods=highest.astype(np.int64),
        excess_burst_capacity=spare,
        seen_by_panic=seen.astype(np.int64),
        max_up=up,
    )


def _within_rates(
    wanted: FloatArray, down: FloatArray, up: FloatArray, floor: IntArray
) -> FloatArray:
    """(n,) wanted pods between the scale-down and scale-up rates, then at the activation scale."""
    allowed = np.minimum(np.maximum(wanted, down), up)
    return np.where(wanted > 0, np.maximum(allowed, floor), allowed)


def _panic(
    spec: SpecArrays, memory: MemoryArrays, over: BoolArray, pods: FloatArray, now: FloatArray
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """(n,) whether a revision panics, since when (Unix s), and most pods asked for meanwhile.

    over: (n,) demand is over the panic threshold. pods: (n,) asked for by either window.
    """
    since = np.where(over, now, memory.panic_since_s)
    # Not panicking is NaN, which compares False.
    ended = ~over & (since + spec.stable_window_s < now)
    since = np.where(ended, np.nan, since)
    panicking = ~np.isnan(since)
    highest = np.where(ended, 0, memory.max_panic_pods)
    return panicking, since, np.where(panicking, np.maximum(highest, pods), highest)


def _spare(spec: SpecArrays, ready: IntArray, panic: FloatArray) -> FloatArray:
    """Excess burst capacity: requests that the ready pods could take beyond the burst wanted."""
    burst = spec.target_burst_capacity
    spare = np.floor(ready * spec.total - burst - panic)
    return np.where(burst > 0, spare, np.where(burst < 0, -1.0, 0.0))
