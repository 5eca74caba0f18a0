"""decide(): one pure step over the fleet.

    want = scale_to_zero( bill( bounds( max( kpa, predicted, anticipated ) ) ) )

Without a forecast and without calls of an upstream, or where the mode forbids them, the answer is
Knative's digit for digit. With them it is never below Knative's, unless the revision's mode is
`full`: then pods may go earlier where they were rarely missed before (`prediction.early`), but
never below what the panic window asks for, nor the last one while anything was seen for `SEEN_S`:
reports come a second or two later, and a panic window that is shorter, as Knative makes it of short
stable windows, misses requests that wait for a pod.
"""

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.billing import Asked, Billed, billed
from autoscaler.core.kpa.reactive import Averages, Reactive, react
from autoscaler.core.kpa.zero import last_pod
from autoscaler.core.prediction.advice import Advice, no_advice
from autoscaler.core.prediction.anticipated import Anticipated, anticipate
from autoscaler.core.prediction.early import are_missed, could_go, may_go, noted
from autoscaler.core.prediction.predictive import pods_ahead
from autoscaler.core.state.decision import Decision, DecisionArrays
from autoscaler.core.state.delay import DelayWindow
from autoscaler.core.state.early import EarlyArrays
from autoscaler.core.state.fleet import ALL, Fleet, Rows, take
from autoscaler.core.state.revision import (
    NO_ANSWER,
    Memory,
    MemoryArrays,
    Mode,
    ObservedArrays,
    SpecArrays,
    in_force,
)
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SEEN_S = 6  # s; Knative's own panic window, a tenth of its stable one, unless that is shorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a step decided, and what it leaves for the next; (n,) each, in the order of rows."""

    rows: IntArray  # of the fleet
    all_rows: bool  # whether these are all, in order
    spec: SpecArrays  # with modes in force
    observed: ObservedArrays
    decision: DecisionArrays
    memory: MemoryArrays
    early: EarlyArrays
    delayed: IntArray  # positions among these rows that have a scale-down delay
    bill: Billed

    def apply(self, fleet: Fleet) -> None:
        """Store memory, decisions, and the answers that scale-down delay looks back at."""
        rows: Rows = ALL if self.all_rows else self.rows
        fleet.remember(rows, self.memory, self.early, self.decision)
        fleet.pay(rows, self.bill.credit, self.bill.cluster)
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
    """Decide for all rows, or for some; changes nothing (see `Step.apply`).

    now: Unix s, one for all or (n,). rows: (n,) rows to decide for; None = all.
    advice: ignored if it was made for another layout of the fleet.
    """
    selected: Rows = ALL if rows is None else rows
    index = np.arange(len(fleet)) if rows is None else rows
    spec, observed = take(fleet.spec, selected), take(fleet.observed, selected)
    at = np.full(len(index), now, dtype=np.float64)
    if advice is None or advice.layout != fleet.layout:
        advice = no_advice(len(fleet), fleet.layout)
    withdrawn = _withdrawn(advice, selected, spec)
    spec = replace(spec, mode=in_force(spec.mode, withdrawn))

    averages = _averages(fleet, selected, index, spec, at)
    reactive = react(spec, take(fleet.memory, selected), observed.ready, averages, at)
    reactive = replace(reactive, seen_by_panic=_seen(fleet, index, spec, reactive, at))
    kpa, has_delay = delayed(fleet.delay, index, spec, reactive, at)
    predicted = allowed(pods_ahead(advice, selected, spec, observed.replicas, at), spec, reactive)
    upstream = anticipate(fleet, advice.paths, index, at)
    upstream = replace(upstream, pods=allowed(upstream.pods, spec, reactive))
    candidates = _Candidates(kpa=kpa, predicted=predicted, upstream=upstream, withdrawn=withdrawn)
    ahead = np.maximum(predicted, upstream.pods)
    enough = pods_enough(predicted, ahead, reactive)
    early = take(fleet.early, selected)
    seen = reactive.seen_by_panic
    beyond = are_missed(early, spec, averages.panic, seen)
    early = noted(early, enough=enough, ahead=ahead, kpa=kpa, seen=seen, beyond=beyond)
    goes = may_go(fleet, selected, early, spec, could_go(enough, kpa))
    together = combine(kpa, ahead, enough, let_go=goes)
    asked = Asked(
        rows=selected,
        spec=spec,
        observed=observed,
        at=at,
        demand=(averages.stable > 0) | (averages.panic > 0),
        kpa=kpa,
        together=together,
        advice=advice,
        called=upstream.called,
    )
    bill = billed(fleet, asked, tick=rows is None)
    return Step(
        rows=index,
        all_rows=rows is None,
        spec=spec,
        observed=observed,
        decision=_decision(asked, averages, reactive, candidates, bill),
        memory=Memory(
            panic_since_s=reactive.panic_since_s,
            max_panic_pods=reactive.max_panic_pods,
            kpa=kpa,
            excess_burst_capacity=reactive.excess_burst_capacity,
        ),
        early=early,
        delayed=has_delay,
        bill=bill,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidates:
    """The numbers of pods that compete; (n,) each."""

    kpa: IntArray
    predicted: IntArray
    upstream: Anticipated
    withdrawn: BoolArray  # Knative's alone counts, though the mode says otherwise


def _decision(
    asked: Asked,
    averages: Averages,
    reactive: Reactive,
    candidates: _Candidates,
    bill: Billed,
) -> DecisionArrays:
    """The candidates combined, bounded, within the bills, and held by the scale-to-zero rule."""
    upstream, spec, observed, at = candidates.upstream, asked.spec, asked.observed, asked.at
    last = last_pod(bill.bounded, spec, observed, at)
    # Nothing is decided until its ServerlessService is set up.
    want = np.where(observed.set_up, last.want, NO_ANSWER)
    return Decision(
        at_s=at,
        no_data=reactive.no_data,
        stable=averages.stable,
        panic=averages.panic,
        panicking=reactive.panicking,
        undelayed=reactive.desired,
        kpa=candidates.kpa,
        predicted=candidates.predicted,
        anticipated=upstream.pods,
        desired=asked.desired,
        bounded=bill.bounded,
        want=want,
        scale=last.apply & observed.set_up & (want != observed.replicas),
        probe=last.probe & observed.set_up,
        proxy=(last.want <= 0) | (reactive.excess_burst_capacity < 0),
        activators=_activators(spec, observed.ready),
        upstream=upstream.upstream,
        upstream_rate=upstream.rate,
        upstream_since_s=upstream.since_s,
        gain=upstream.gain,
        lag_s=upstream.lag_s,
        ahead=bill.ahead,
        extra=bill.extra,
        max_extra=bill.max_extra,
        credit_s=bill.credit_s,
        further_s=bill.further_s,
        of_cluster=bill.of_cluster,
        withdrawn=candidates.withdrawn,
    )


def _withdrawn(advice: Advice, selected: Rows, spec: SpecArrays) -> BoolArray:
    """(n,) which of the selected rows would have their forecast applied, were it not withdrawn."""
    if advice.withdrawn is None:
        return np.zeros(len(spec.mode), dtype=np.bool_)
    return np.asarray(advice.withdrawn[selected] & (spec.mode >= int(Mode.OUTWARD)))


def _averages(
    fleet: Fleet, selected: Rows, index: IntArray, spec: SpecArrays, at: FloatArray
) -> Averages:
    """Averages of the selected rows; their numbers are ``index`` (n,)."""
    second = np.floor(at).astype(np.int64)
    stable = fleet.stable.average(selected, second, spec.metric)
    panic = fleet.panic.average(selected, second, spec.metric)
    weighted = np.flatnonzero(spec.weighted_exponential)
    if len(weighted):
        some = index[weighted], second[weighted], spec.metric[weighted]
        stable[weighted] = fleet.stable.exponential(*some)
        panic[weighted] = fleet.panic.exponential(*some)
    no_data = fleet.stable.empty(selected, second) & spec.has_scrape_target
    return Averages(stable=stable, panic=panic, no_data=no_data)


def may_be_blind(spec: SpecArrays) -> BoolArray:
    """(n,) whether pods may go early by a panic window that is shorter than `SEEN_S`."""
    return np.asarray((spec.mode == int(Mode.FULL)) & (spec.panic_window_s < SEEN_S))


def _seen(
    fleet: Fleet, index: IntArray, spec: SpecArrays, reactive: Reactive, at: FloatArray
) -> IntArray:
    """(n,) pods that go for no forecast: those that the panic window asks for, or a last one."""
    some = np.flatnonzero(may_be_blind(spec) & (reactive.seen_by_panic == 0))
    if not len(some):
        return reactive.seen_by_panic
    position, second = fleet.stable.samples(index[some])
    called = some[position[second > np.floor(at[some[position]]) - SEEN_S]]
    seen = reactive.seen_by_panic.copy()
    seen[called] = np.maximum(spec.activation_scale[called], 1)
    return seen


def delayed(
    delay: DelayWindow, index: IntArray, spec: SpecArrays, reactive: Reactive, at: FloatArray
) -> tuple[IntArray, IntArray]:
    """(n,) the rule's answer after scale-down delay, and the positions that have such a delay.

    delay: what was desired of late, in which the rows' numbers are ``index`` (n,). spec: theirs.
    """
    has_delay = delay.delayed(index) & spec.reachable & ~reactive.no_data
    some = np.flatnonzero(has_delay)
    if not len(some):
        return reactive.desired, some
    kpa = reactive.desired.copy()
    kpa[some] = delay.greatest(index[some], at[some], kpa[some])
    return kpa, some


def allowed(pods: IntArray, spec: SpecArrays, reactive: Reactive) -> IntArray:
    """Pods ahead within activation scale, scale-up rate and mode; -1 = none is asked for."""
    activated = np.where(pods > 0, np.maximum(pods, spec.activation_scale), pods)
    allowed = np.minimum(activated, reactive.max_up).astype(np.int64)
    return np.where(spec.mode == int(Mode.OFF), NO_ANSWER, allowed)


def pods_enough(predicted: IntArray, ahead: IntArray, reactive: Reactive) -> IntArray:
    """(n,) pods that are enough by the forecast and by what is seen; -1 = there is no forecast."""
    return np.where(predicted >= 0, np.maximum(ahead, reactive.seen_by_panic), NO_ANSWER)


def combine(kpa: IntArray, ahead: IntArray, enough: IntArray, *, let_go: BoolArray) -> IntArray:
    """KPA's pods and those ahead together, shadow as if outward; -1 = no answer.

    ahead: by forecasts and upstreams. enough: of `pods_enough`. let_go: whether others go
    before Knative's rule lets them go.
    """
    # A forecast of zero must not decide where KPA has no answer.
    outward = np.where(ahead > 0, np.maximum(kpa, ahead), kpa)
    return np.where(let_go, enough, outward)


def _activators(spec: SpecArrays, ready: IntArray) -> IntArray:
    """(n,) activators to have in the path (knative/serving pkg/reconciler/.../kpa/kpa.go)."""
    burst = spec.target_burst_capacity
    load = ready * spec.total + np.maximum(burst, 0.0)
    needed = np.maximum(2, np.ceil(load / spec.activator_capacity))
    return np.where(burst == 0, 2, needed).astype(np.int64)
