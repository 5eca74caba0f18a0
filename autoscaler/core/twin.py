"""The twin: what the policy that is not in force would do, with virtual pods, on the same demand.

Beside a revision that we scale (`outward`, `full`) runs Knative's rule; beside one that Knative's
rule scales (`off`, `shadow`) runs what `outward` would do. Both decide with the same functions as
the revision itself; what they want becomes virtual pods, ready after the service's start-up time.
A call that finds neither a pod nor one on its way starts one at once, as a poke does.

The statistics are those of the revision, as its twin would have got them: a revision without pods
is silent, so the average of one that has just been called is over its own age.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from autoscaler.core.decider import allowed, combine, delayed, pods_enough
from autoscaler.core.kpa.bounds import clip
from autoscaler.core.kpa.reactive import Averages, Reactive, react
from autoscaler.core.kpa.zero import last_pod, next_active
from autoscaler.core.prediction.advice import Advice
from autoscaler.core.prediction.early import could_go, may_go
from autoscaler.core.prediction.predictive import TICK_S, pods_ahead
from autoscaler.core.queues import start_up_s, step_silent
from autoscaler.core.state.decision import reasons
from autoscaler.core.state.fleet import Fleet, Rows, take
from autoscaler.core.state.revision import (
    NO_ANSWER,
    Active,
    Memory,
    Mode,
    Observed,
    ObservedArrays,
    SpecArrays,
)
from autoscaler.core.state.virtual import ALWAYS, NOT_YET
from autoscaler.core.state.window import Window, round6
from autoscaler.core.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """Pods that twins created and let go in a tick; (k,) each."""

    rows: IntArray
    created: IntArray
    let_go: IntArray
    at_s: FloatArray  # Unix s

    @classmethod
    def joined(cls, parts: Sequence["Scaled"]) -> "Scaled":
        """All of them; a row may be in several."""
        columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(cls)}
        return cls(**{name: np.concatenate(column) for name, column in columns.items()})


_NO_ROWS = np.zeros(0, dtype=np.int64)
NONE_SCALED = Scaled(rows=_NO_ROWS, created=_NO_ROWS, let_go=_NO_ROWS, at_s=np.zeros(0))


def step_twins(fleet: Fleet, advice: Advice | None, now: FloatArray) -> Scaled:
    """Let twins decide at Unix s ``now`` (n,), after the revisions did; their pods follow."""
    _begin(fleet, now)
    v = fleet.twins.view
    coming = np.flatnonzero(v.ready != v.replicas)
    become_ready(fleet, coming, now[coming])
    step_silent(fleet, now)
    scaled = []
    if len(called := np.flatnonzero(~np.isnan(v.called_s))):
        at = v.called_s[called]
        scaled.append(_decide(fleet, advice, called, _first_averages(fleet, called, at), at))
        v.called_s[called] = np.nan
    if len(awake := _awake(fleet)):
        at = now[awake]
        scaled.append(_decide(fleet, advice, awake, _averages(fleet, awake, at), at))
    return Scaled.joined(scaled) if scaled else NONE_SCALED


def _awake(fleet: Fleet) -> IntArray:
    """(n,) rows whose twin may want something: at zero, without calls, nothing would change."""
    v, mode, ahead = fleet.twins.view, fleet.modes, fleet.decision
    at_zero = (v.replicas == 0) & (v.kpa <= 0) & (v.active == Active.FALSE)
    at_zero &= np.isnan(v.panic_since_s) & (v.first_ready_s == NOT_YET)
    expected = (mode == Mode.SHADOW) & ((ahead.predicted > 0) | (ahead.anticipated > 0))
    return np.flatnonzero(v.begun & (~at_zero | expected))


def _decide(
    fleet: Fleet, advice: Advice | None, rows: IntArray, averages: Averages, at: FloatArray
) -> Scaled:
    """What twins of ascending rows want at Unix s ``at`` (n,) by averages; their pods follow."""
    v, part = fleet.twins.view, fleet.part(rows)
    spec, observed = take(fleet.spec, part), _observed(fleet, part, at)
    memory = Memory(**{f.name: getattr(v, f.name)[part] for f in fields(Memory)})
    reactive = react(spec, memory, observed.ready, averages, at)
    kpa, some = delayed(fleet.twins.delay, rows, spec, reactive, at)
    if len(some):
        fleet.twins.delay.record(rows[some], at[some], reactive.desired[some])
    asked = _asked(fleet, advice, part, spec, kpa, reactive, at)
    bounded = clip(asked.desired, spec, observed)
    last = last_pod(bounded, spec, observed, at)
    want = np.where(observed.set_up, last.want, NO_ANSWER)
    active = next_active(want, spec, observed)
    proxied = (want <= 0) | (reactive.excess_burst_capacity < 0) | (observed.ready == 0)
    since_s = np.where(np.isnan(observed.proxied_since_s), at, observed.proxied_since_s)
    # What was taken of all rows are the columns: from here on they change.
    v.panic_since_s[part] = reactive.panic_since_s
    v.max_panic_pods[part] = reactive.max_panic_pods
    v.excess_burst_capacity[part] = reactive.excess_burst_capacity
    v.kpa[part] = kpa
    v.active_since_s[part] = np.where(active != observed.active, at, observed.active_since_s)
    v.active[part] = active
    v.proxied_since_s[part] = np.where(proxied, since_s, np.nan)
    to_scale = np.flatnonzero(last.apply & (want >= 0) & (want != observed.replicas))
    if not len(to_scale):
        return NONE_SCALED
    made = _Made(asked=asked, reactive=reactive, kpa=kpa, bounded=bounded, want=want)
    v.reason[rows[to_scale]] = _reasons(fleet, rows[to_scale], made, to_scale)
    return _scale(fleet, rows[to_scale], want[to_scale], at[to_scale])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What twins are asked for; (n,) each, -1 = none, or no answer."""

    predicted: IntArray
    anticipated: IntArray
    desired: IntArray  # together with Knative's rule


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What became of it; (n,) each."""

    asked: _Asked
    reactive: Reactive
    kpa: IntArray
    bounded: IntArray
    want: IntArray


def _reasons(fleet: Fleet, rows: IntArray, made: _Made, some: IntArray) -> IntArray:
    """(k,) the Reason of twins in rows (k,), which are some (k,) of those that decided."""
    asked, reactive = made.asked, made.reactive
    return reasons(
        replace(
            take(fleet.decision, rows),
            no_data=reactive.no_data[some],
            panicking=reactive.panicking[some],
            undelayed=reactive.desired[some],
            kpa=made.kpa[some],
            predicted=asked.predicted[some],
            anticipated=asked.anticipated[some],
            desired=asked.desired[some],
            bounded=made.bounded[some],
            want=made.want[some],
            ahead=np.zeros_like(some),  # no bill holds for a twin
            extra=np.zeros_like(some),
        )
    )


def _begin(fleet: Fleet, now: FloatArray) -> None:
    """Make twins of revisions that have just been set up: copies of what was observed."""
    v, observed, memory = fleet.twins.view, fleet.observed, fleet.memory
    rows = np.flatnonzero(observed.set_up & ~v.begun)
    if not len(rows):
        return
    v.begun[rows] = True
    v.ready[rows] = observed.ready[rows]
    v.replicas[rows] = np.maximum(observed.replicas[rows], observed.ready[rows])
    coming = v.replicas[rows] - v.ready[rows]
    up = coming > 0
    _start(fleet, rows[up], coming[up], now[rows[up]] + start_up_s(fleet, rows[up]))
    for name in ("active", "active_since_s", "proxied_since_s"):
        getattr(v, name)[rows] = getattr(observed, name)[rows]
    for f in fields(Memory):
        getattr(v, f.name)[rows] = getattr(memory, f.name)[rows]
    v.stable_first_s[rows], v.last_s[rows] = fleet.stable.span(rows)
    v.panic_first_s[rows], _ = fleet.panic.span(rows)
    v.at_s[rows] = now[rows]
    v.pods[rows] = observed.ready[rows]
    v.cold_ready[rows] = observed.ready[rows] > 0
    _note_first_ready(fleet, rows)


def become_ready(fleet: Fleet, rows: IntArray, at: FloatArray) -> None:
    """Virtual pods of rows (n,) that are ready by Unix s ``at`` (n,)."""
    twins, v = fleet.twins, fleet.twins.view
    coming = np.flatnonzero(v.ready[rows] != v.replicas[rows])
    rows, at = rows[coming], at[coming]
    batch, place = np.nonzero(twins.ready_s[:, rows] <= at)
    row = rows[place]
    np.add.at(v.ready, row, twins.pods[batch, row])
    twins.ready_s[batch, row], twins.pods[batch, row] = NOT_YET, 0


def _observed(fleet: Fleet, rows: Rows, at: FloatArray) -> ObservedArrays:
    """What would be observed of the virtual pods of some rows at Unix s ``at`` (n,)."""
    v, real = fleet.twins.view, fleet.observed
    active_since_s = v.active_since_s[rows]
    return Observed(
        ready=v.ready[rows],
        replicas=v.replicas[rows],
        set_up=real.set_up[rows],
        named=real.named[rows],
        active=v.active[rows],
        active_since_s=active_since_s,
        proxied_since_s=v.proxied_since_s[rows],
        # It is asked at the tick after it became inactive, and has answered at the next one.
        probe_passed=at - active_since_s > 1.5 * TICK_S,
        initialized=real.initialized[rows],
    )


def hear(fleet: Fleet, rows: Rows, second: FloatArray) -> None:
    """Statistics of twins in rows (n,) for a second (n,): after silence, a series begins anew."""
    v, spec = fleet.twins.view, fleet.spec
    gap_s = second - v.last_s[rows]
    for first_s, length_s in (
        (v.stable_first_s, spec.stable_window_s),
        (v.panic_first_s, spec.panic_window_s),
    ):
        first_s[rows] = np.where(gap_s >= length_s[rows], second, first_s[rows])
    v.last_s[rows] = np.maximum(second, v.last_s[rows])


def _averages(fleet: Fleet, rows: IntArray, at: FloatArray) -> Averages:
    """What the windows would hold: the revision's demand, over the age of the twin's statistics."""
    v, twins, part, second = fleet.twins.view, fleet.twins, fleet.part(rows), np.floor(at)
    heard = np.flatnonzero((v.ready[part] > 0) | (v.first_ready_s[part] < NOT_YET))
    hear(fleet, fleet.part(rows[heard]), second[heard])
    stable_s, panic_s = fleet.spec.stable_window_s[part], fleet.spec.panic_window_s[part]
    stable = (fleet.stable, twins.stable), v.stable_first_s[part], stable_s
    panic = (fleet.panic, twins.panic), v.panic_first_s[part], panic_s
    metric, silent = fleet.spec.metric[part], second - v.last_s[part] > stable_s
    return Averages(
        stable=_average(rows, part, *stable, metric, second),
        panic=_average(rows, part, *panic, metric, second),
        no_data=silent & fleet.spec.has_scrape_target[part],
    )


def _first_averages(fleet: Fleet, rows: IntArray, at: FloatArray) -> Averages:
    """Of one request in flight, as the activator reports the first that it holds."""
    v, spec, second = fleet.twins.view, fleet.spec, np.floor(at)
    stable_s = np.clip(second - v.stable_first_s[rows] + 1.0, 1.0, spec.stable_window_s[rows])
    panic_s = np.clip(second - v.panic_first_s[rows] + 1.0, 1.0, spec.panic_window_s[rows])
    heard = np.zeros(len(rows), dtype=np.bool_)
    return Averages(stable=1.0 / stable_s, panic=1.0 / panic_s, no_data=heard)


def _average(
    rows: IntArray,
    part: Rows,
    windows: tuple[Window, Window],
    first_s: FloatArray,
    length_s: IntArray,
    metric: IntArray,
    second: FloatArray,
) -> FloatArray:
    """(n,) demand as measured, with what only the twin lets wait, over the age of the series."""
    whole = second.astype(np.int64)
    demand = windows[0].total(part, whole, metric)
    if len(some := np.flatnonzero(~windows[1].empty(part, whole))):
        demand[some] += windows[1].total(rows[some], whole[some], metric[some])
    age_s = np.clip(second - first_s + 1.0, 1.0, length_s)
    return round6(np.maximum(demand, 0.0) / age_s)


def _asked(
    fleet: Fleet,
    advice: Advice | None,
    rows: Rows,
    spec: SpecArrays,
    kpa: IntArray,
    reactive: Reactive,
    at: FloatArray,
) -> _Asked:
    """Knative's answer for some rows (n,); in shadow, with what forecasts and upstreams add."""
    shadow = fleet.modes[rows] == Mode.SHADOW
    if not shadow.any() or advice is None or advice.layout != fleet.layout:
        none = np.full_like(kpa, NO_ANSWER)
        return _Asked(predicted=none, anticipated=none, desired=kpa)
    # Where it is not in shadow, the twin is Knative's, to which forecasts are as good as off.
    ours = np.maximum(spec.mode, int(Mode.OUTWARD))  # where it is withdrawn, the mode that is set
    spec = replace(spec, mode=np.where(shadow, ours, int(Mode.OFF)))
    replicas = fleet.twins.view.replicas[rows]
    predicted = allowed(pods_ahead(advice, rows, spec, replicas, at), spec, reactive)
    anticipated = np.where(shadow, fleet.decision.anticipated[rows], NO_ANSWER)
    ahead = np.maximum(predicted, anticipated)
    enough = pods_enough(predicted, ahead, reactive)
    goes = may_go(fleet, rows, take(fleet.early, rows), spec, could_go(enough, kpa))
    desired = combine(kpa, ahead, enough, let_go=goes)
    return _Asked(predicted=predicted, anticipated=anticipated, desired=desired)


def _scale(fleet: Fleet, rows: IntArray, want: IntArray, at: FloatArray) -> Scaled:
    """Create virtual pods, or let them go: those on their way first, as a ReplicaSet does."""
    v = fleet.twins.view
    more = want - v.replicas[rows]
    created, let_go = np.maximum(more, 0), np.maximum(-more, 0)
    v.replicas[rows] = want
    up = created > 0
    _start(fleet, rows[up], created[up], at[up] + start_up_s(fleet, rows[up]))
    _let_go(fleet, rows[~up], let_go[~up])
    _note_first_ready(fleet, rows)
    return Scaled(rows=rows, created=created, let_go=let_go, at_s=at)


def _note_first_ready(fleet: Fleet, rows: IntArray) -> None:
    v, coming_s = fleet.twins.view, fleet.twins.ready_s[:, rows].min(axis=0)
    v.first_ready_s[rows] = np.where(v.ready[rows] > 0, ALWAYS, coming_s)


def _start(fleet: Fleet, rows: IntArray, pods: IntArray, ready_s: FloatArray) -> None:
    """Put pods on their way; where there is no batch free, with those that come last."""
    twins = fleet.twins
    free = np.argmax(twins.ready_s[:, rows], axis=0)  # without any, the one that comes last
    former = twins.ready_s[free, rows]
    twins.ready_s[free, rows] = np.where(np.isinf(former), ready_s, np.maximum(former, ready_s))
    twins.pods[free, rows] += pods


def _let_go(fleet: Fleet, rows: IntArray, pods: IntArray) -> None:
    """Let go those on their way, last first, then those that are ready."""
    twins, v = fleet.twins, fleet.twins.view
    left = pods.copy()
    order = np.argsort(-twins.ready_s[:, rows], axis=0)  # free batches, which hold none, first
    for batch in order:
        gone = np.minimum(left, twins.pods[batch, rows])
        twins.pods[batch, rows] -= gone
        left -= gone
        empty = twins.pods[batch, rows] == 0
        twins.ready_s[batch[empty], rows[empty]] = NOT_YET
    v.ready[rows] -= left
