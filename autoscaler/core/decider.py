"""decide(): one pure step over the fleet.

    want = zero machine( bounds( max( kpa, predicted, anticipated ) ) )

Without a forecast and without a call of an upstream, or where the mode forbids them, this is
Knative's answer to the digit. With one it is never below that, unless the revision's mode is
`full`: then pods may go earlier, but never below what the panic window sees.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.kpa.bounds import clip
from autoscaler.core.kpa.reactive import Reactive, react
from autoscaler.core.kpa.zero import last_pod
from autoscaler.core.prediction.advice import Advice, no_advice
from autoscaler.core.prediction.anticipated import anticipate
from autoscaler.core.prediction.predictive import pods_ahead
from autoscaler.core.state.decision import Decision, DecisionArrays
from autoscaler.core.state.fleet import ALL, Fleet, Rows, take
from autoscaler.core.state.revision import NO_ANSWER, Memory, MemoryArrays, Mode, SpecArrays
from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a step decided, and what it leaves for the next; (n,) each, in the order of rows."""

    rows: IntArray  # of the fleet
    all_rows: bool  # whether these are all, in order
    decision: DecisionArrays
    memory: MemoryArrays
    delayed: IntArray  # positions among these rows that have a scale-down delay to remember

    def keep(self, fleet: Fleet) -> None:
        """Carry it on: memory, decisions, and the answers that scale-down delay looks back at."""
        fleet.remember(ALL if self.all_rows else self.rows, self.memory, self.decision)
        if len(self.delayed):
            some = self.delayed
            at, desired = self.decision.at_s[some], self.decision.undelayed[some]
            fleet.delay.record(self.rows[some], at, desired)


def decide(
    fleet: Fleet,
    advice: Advice | None,
    *,
    now: float | FloatArray,
    rows: IntArray | None = None,
) -> Step:
    """Decide for all rows, or for some.

    now: Unix s, one for all or (n,). rows: (n,) rows to decide for; all where it is left out.
    advice: read for a fleet of another layout, it counts nothing.
    Changes nothing: `Step.keep` carries the answer on.
    """
    which: Rows = ALL if rows is None else rows
    index = np.arange(len(fleet)) if rows is None else rows
    spec, observed = take(fleet.spec, which), take(fleet.observed, which)
    at = np.broadcast_to(np.asarray(now, dtype=np.float64), index.shape)
    if advice is None or advice.layout != fleet.layout:
        advice = no_advice(len(fleet), fleet.layout)

    averages = _averages(fleet, which, index, spec, at)
    reactive = react(spec, take(fleet.memory, which), observed.ready, averages, at)
    kpa, delayed = _delayed(fleet, index, spec, reactive, at)
    ahead = pods_ahead(advice, advice.demand[which], spec, at)
    upstream = anticipate(fleet, advice.paths, index, at)
    predicted = _allowed(ahead, spec, reactive)
    anticipated = _allowed(upstream.pods, spec, reactive)
    desired = _combine(kpa, predicted, anticipated, spec, reactive)

    bounded = clip(desired, spec, observed)
    last = last_pod(bounded, spec, observed, at)
    # Where its ServerlessService is not set up yet, nothing is decided.
    want = np.where(observed.set_up, last.want, NO_ANSWER)
    spare = reactive.excess_burst_capacity
    return Step(
        rows=index,
        all_rows=rows is None,
        decision=Decision(
            at_s=at,
            no_data=reactive.no_data,
            stable=averages[0],
            panic=averages[1],
            panicking=reactive.panicking,
            undelayed=reactive.desired,
            kpa=kpa,
            predicted=predicted,
            anticipated=anticipated,
            desired=desired,
            bounded=bounded,
            want=want,
            scale=last.apply & observed.set_up & (want != observed.replicas),
            probe=last.probe & observed.set_up,
            proxy=(last.want <= 0) | (spare < 0),
            activators=_activators(spec, observed.ready),
            upstream=upstream.upstream,
            upstream_rate=upstream.rate,
            upstream_since_s=upstream.since_s,
            gain=upstream.gain,
            lag_s=upstream.lag_s,
        ),
        memory=Memory(
            panic_since_s=reactive.panic_since_s,
            max_panic_pods=reactive.max_panic_pods,
            kpa=kpa,
            excess_burst_capacity=spare,
        ),
        delayed=delayed,
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


def _allowed(pods: IntArray, spec: SpecArrays, reactive: Reactive) -> IntArray:
    """Pods ahead within activation scale, scale-up rate and mode; -1 = none is asked for."""
    woken = np.where(pods > 0, np.maximum(pods, spec.activation_scale), pods)
    allowed = np.minimum(woken, reactive.max_up).astype(np.int64)
    return np.where(spec.mode == Mode.OFF, NO_ANSWER, allowed)


def _combine(
    kpa: IntArray,
    predicted: IntArray,
    anticipated: IntArray,
    spec: SpecArrays,
    reactive: Reactive,
) -> IntArray:
    """KPA, the forecast and the upstreams together, as the mode allows; -1 = no answer."""
    ahead = np.maximum(predicted, anticipated)
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
