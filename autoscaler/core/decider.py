"""decide(): one pure step over the fleet.

    want = zero machine( bounds( max( kpa, predicted, surge ) ) )

Without a forecast and without an upstream's pull, or where the mode forbids them, this is Knative's
answer to the digit. With one it is never below that, unless the revision's mode is `full`: then
pods may go earlier, but never below what the panic window sees.
"""

import numpy as np

from autoscaler.core.bounds import clip
from autoscaler.core.decision import Candidates, Decisions, reasons
from autoscaler.core.fleet import ALL, Fleet, Rows, take
from autoscaler.core.predictive import NO_FORECAST, Outlook, pods_ahead
from autoscaler.core.reactive import Reactive, react
from autoscaler.core.revision import Memory, Mode, SpecArrays
from autoscaler.core.surge import Links, surge
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.core.zero import last_pod


def decide(
    fleet: Fleet,
    outlook: Outlook | None,
    *,
    now: float | FloatArray,
    rows: IntArray | None = None,
    links: Links | None = None,
) -> Decisions:
    """Decide for all rows, or for some.

    now: Unix s, one for all or (n,). rows: (n,) rows to decide for; all where it is left out.
    links: who pulls whom; read for a fleet of another layout, they count nothing.
    Changes nothing: hand the answer to `Fleet.remember` to carry the memory on.
    """
    which: Rows = ALL if rows is None else rows
    index = np.arange(len(fleet)) if rows is None else rows
    spec, seen = take(fleet.spec, which), take(fleet.seen, which)
    memory = take(fleet.memory, which)
    at = np.broadcast_to(np.asarray(now, dtype=np.float64), index.shape)

    averages = _averages(fleet, which, index, spec, at)
    reactive = react(spec, memory, seen.ready, averages, at)
    kpa, slow = _delayed(fleet, index, spec, reactive, at)
    # Rows have moved since it was read: until it is read anew, this is Knative.
    current = outlook if outlook and outlook.layout == fleet.layout else None
    predicted = _predicted(current, which, spec, reactive, at)
    pulled = surge(fleet, links, index, at)
    surged = _allowed(pulled.pods, spec, reactive)
    desired = _combine(kpa, predicted, surged, spec, reactive)

    bounded = clip(desired, spec, seen)
    last = last_pod(bounded, spec, seen, at)
    spare = reactive.excess_burst_capacity
    candidates = Candidates(
        no_data=reactive.no_data,
        panicking=reactive.panicking,
        undelayed=reactive.desired,
        kpa=kpa,
        predicted=predicted,
        surged=surged,
    )
    return Decisions(
        rows=index,
        now=at,
        no_data=reactive.no_data,
        stable=averages[0],
        panic=averages[1],
        panicking=reactive.panicking,
        kpa=kpa,
        predicted=predicted,
        surged=surged,
        pulled=pulled,
        desired=desired,
        want=last.want,
        apply=last.apply & (last.want != seen.replicas),
        probe=last.probe,
        proxy=(last.want <= 0) | (spare < 0),
        activators=_activators(spec, seen.ready),
        reason=reasons(candidates, desired, bounded, last.want),
        memory=Memory(
            panic_since_s=reactive.panic_since_s,
            max_panic_pods=reactive.max_panic_pods,
            kpa=kpa,
            excess_burst_capacity=spare,
            called_s=pulled.called_s,
            begun_s=pulled.begun_s,
        ),
        delay_rows=index[slow],
        delay_now=at[slow],
        delay_desired=reactive.desired[slow],
    )


def _averages(
    fleet: Fleet, which: Rows, index: IntArray, spec: SpecArrays, at: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Stable and panic averages, and where there is no data; (n,) each."""
    second = np.floor(at).astype(np.int64)
    stable = fleet.stable.average(which, second, spec.metric)
    panic = fleet.panic.average(which, second, spec.metric)
    weighted = np.flatnonzero(spec.weighted_exponential)
    if len(weighted):
        some = index[weighted], second[weighted], spec.metric[weighted]
        stable[weighted] = fleet.stable.exponential(*some)
        panic[weighted] = fleet.panic.exponential(*some)
    no_data = fleet.stable.empty(which, second) & spec.has_scrape_target
    return stable, panic, no_data


def _delayed(
    fleet: Fleet, index: IntArray, spec: SpecArrays, reactive: Reactive, at: FloatArray
) -> tuple[IntArray, IntArray]:
    """KPA's answer after scale-down delay, and which positions had one."""
    delayed = fleet.delay.delayed(index) & spec.reachable & ~reactive.no_data
    slow = np.flatnonzero(delayed)
    if not len(slow):
        return reactive.desired, slow
    kpa = reactive.desired.copy()
    kpa[slow] = fleet.delay.greatest(index[slow], at[slow], kpa[slow])
    return kpa, slow


def _predicted(
    outlook: Outlook | None, which: Rows, spec: SpecArrays, reactive: Reactive, at: FloatArray
) -> IntArray:
    """Pods that the forecast asks for, within the scale-up rate; -1 = no forecast."""
    if outlook is None:
        return np.full(at.shape, NO_FORECAST)
    return _allowed(pods_ahead(outlook, outlook.demand[which], spec, at), spec, reactive)


def _allowed(pods: IntArray, spec: SpecArrays, reactive: Reactive) -> IntArray:
    """Pods ahead within activation scale, scale-up rate and mode; -1 = none is asked for."""
    woken = np.where(pods > 0, np.maximum(pods, spec.activation_scale), pods)
    allowed = np.minimum(woken, reactive.max_up).astype(np.int64)
    return np.where(spec.mode == Mode.OFF, NO_FORECAST, allowed)


def _combine(
    kpa: IntArray,
    predicted: IntArray,
    surged: IntArray,
    spec: SpecArrays,
    reactive: Reactive,
) -> IntArray:
    """KPA, the forecast and the upstreams together, as the mode allows; -1 = no decision."""
    ahead = np.maximum(predicted, surged)
    # A forecast of nothing is no reason to decide where KPA holds: only pods are.
    outward = np.where(ahead > 0, np.maximum(kpa, ahead), kpa)
    early = np.maximum(ahead, reactive.seen_by_panic)
    full = np.where((predicted >= 0) & (kpa >= 0), np.where(early < kpa, early, outward), outward)
    free = np.where(spec.mode == Mode.FULL, full, outward)
    return np.where(spec.mode >= Mode.OUTWARD, free, kpa)


def _activators(spec: SpecArrays, ready: IntArray) -> IntArray:
    """(n,) activators to have in the path (knative/serving pkg/reconciler/.../kpa/kpa.go)."""
    burst = spec.target_burst_capacity
    load = ready * spec.total + np.maximum(burst, 0.0)
    needed = np.maximum(2, np.ceil(load / spec.activator_capacity))
    return np.where(burst == 0, 2, needed).astype(np.int64)
