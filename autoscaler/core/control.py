"""control(): the control loop as a state machine. Events in, instructions out, no I/O.

    instructions = control(state, event, now)

The state is the fleet's columns and the advice in force. An event is something that happened
outside: statistics arrived, a revision's objects changed, the activator answered a probe, a tick is
due. The instructions list the revisions whose objects have to be written: those whose decision
differs from what was requested of the cluster last, or whose objects have changed since. The same
events give the same instructions on a cluster, in the simulator, and when a recording is replayed.

An instruction that could not be carried out is reported as `Failed` and repeated after a while.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from autoscaler.core.decider import Step, decide
from autoscaler.core.demand import count_cold
from autoscaler.core.kpa.zero import next_active
from autoscaler.core.prediction.advice import NO_PATHS, Advice, Paths
from autoscaler.core.prediction.path_ends import average_rates, downstream_rows
from autoscaler.core.state.fleet import ALL, LARGEST_SAMPLE, Fleet, Rows, take
from autoscaler.core.state.revision import UNDECIDED, Active, ObservedArrays, SpecArrays
from autoscaler.core.state.services import IDLE_S
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0  # until a failed instruction is repeated


@dataclass(slots=True, kw_only=True)
class ControlState:
    """Everything the loop knows. Changed by `control`, and by who adds and removes revisions."""

    fleet: Fleet = field(default_factory=Fleet)
    advice: Advice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Two seconds have passed: decide for all revisions, or for all whose answer may be another."""

    rows: IntArray | None = None  # (n,) those; None = all, as a bill has it, which counts ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """Statistics of one second for some revisions; each row once, several reporters summed up."""

    rows: IntArray  # (n,)
    seconds: IntArray  # (n,) whole Unix s
    samples: FloatArray  # (2, n) requests in flight; requests per second
    by_activator: bool  # requests wait for pods: revisions at zero are decided at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Objects of some revisions changed. New revisions are decided; conditions are updated."""

    rows: IntArray  # (n,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The activator answered a probe at the address of some revisions."""

    rows: IntArray  # (n,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Instructions for some revisions could not be carried out."""

    rows: IntArray  # (n,)
    wait_s: FloatArray  # (n,) least wait that the API server asks for, s; 0 = none


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """Instructions for some revisions were carried out."""

    rows: IntArray  # (n,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """The advice in force was replaced; None = there is none."""

    advice: Advice | None


Event: TypeAlias = Tick | Reported | Changed | Answered | Failed | Succeeded | Advised


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What has to be done: for each row, bring its objects to what `Fleet.requested` says."""

    rows: IntArray  # (k,) of the fleet, ascending
    decided: IntArray  # rows whose wanted pods have changed
    before: IntArray  # pods wanted of them before; -1 = no answer, -2 = nothing was decided
    initialized: IntArray  # rows whose scale target has just become ready for the first time


_NO_ROWS = np.zeros(0, dtype=np.int64)
NOTHING = Instructions(rows=_NO_ROWS, decided=_NO_ROWS, before=_NO_ROWS, initialized=_NO_ROWS)


def control(state: ControlState, event: Event, now: float | FloatArray) -> Instructions:
    """Apply an event to the state at Unix s ``now``; returns what has to be done.

    now: one for all rows of the event, or (n,); for a tick of all, one for each row of the fleet.
    """
    match event:
        case Tick(rows=due):
            return _tick(state, due, now)
        case Reported():
            return _report(state, event, now)
        case Changed(rows=rows):
            return _objects_changed(state, rows, now)
        case Answered(rows=rows):
            state.fleet.observed.probe_passed[rows] = True
        case Failed():
            _back_off(state.fleet, event, now)
        case Succeeded(rows=rows):
            requested = state.fleet.requested
            requested.wait_s[rows], requested.retry_s[rows] = 0.0, np.nan
        case _:  # Advised, as mypy checks
            state.advice = event.advice
    return NOTHING


def _tick(state: ControlState, rows: IntArray | None, now: float | FloatArray) -> Instructions:
    latest = float(np.max(now))
    instructions = _decide(state, rows, now)
    paths = _paths_in_force(state)
    if len(paths):
        upstreams, fleet = paths.upstreams, state.fleet
        rates = np.zeros(len(fleet.services))
        # Only upstreams called within the longest window have an average other than 0.
        last_call_s = fleet.services.calls.last_call_s[upstreams]
        recent = upstreams[latest - last_call_s <= fleet.spec.stable_window_s.max(initial=0)]
        rates[recent] = average_rates(fleet, recent, latest)
        fleet.services.rates.record(upstreams, latest, rates[upstreams])
    return instructions


def _report(state: ControlState, event: Reported, now: float | FloatArray) -> Instructions:
    """Record statistics; decide at once for requests that an activator holds."""
    fleet, rows = state.fleet, event.rows
    fleet.record(rows, event.seconds, event.samples)
    if event.by_activator:
        count_cold(fleet, rows, event.samples[1])
    called = np.flatnonzero((event.samples > 0).any(axis=0))
    if not len(called):
        return NOTHING
    at = np.full(len(rows), now, dtype=np.float64)[called]
    rows, (in_flight, requests) = rows[called], event.samples.take(called, axis=1)
    # Undecided (-1) counts as zero: a revision that was idle when the controller started would
    # otherwise wait for a tick, as it does in Knative.
    at_zero = fleet.no_pod_wanted(rows) | (fleet.memory.kpa[rows] < 0)
    after_idle = _called_after_idle(state, rows, at)
    _note_calls(fleet, rows, at, in_flight, requests)
    if not event.by_activator:
        return NOTHING
    held = np.flatnonzero((in_flight > 0) & at_zero)
    starting = np.flatnonzero((in_flight > 0) & (at_zero | after_idle))
    downstream = downstream_rows(fleet, _paths_in_force(state), rows[starting])
    if len(downstream):
        # An upstream that has pods is left to its tick: an edge that names it must not change
        # when it is decided.
        return _decide(state, np.union1d(rows[held], downstream), float(at.max()))
    return _decide(state, rows[held], at[held]) if len(held) else NOTHING


def _note_calls(
    fleet: Fleet, rows: IntArray, at: FloatArray, in_flight: FloatArray, requests: FloatArray
) -> None:
    """Requests (k,) arrived at rows (k,), each once, at Unix s (k,); so many (k,) are in flight."""
    spec, service, services = fleet.spec, fleet.service[rows], fleet.services
    idle = services.note_calls(service, at, fleet.memory.kpa[rows] == 0)
    # A sample that is not counted (`Fleet.record`) is none here either.
    requests = np.where(requests <= LARGEST_SAMPLE, np.maximum(requests, 0.0), 0.0)
    services.waits.note(service, at, requests, begins=idle, lead_s=spec.lead_s[rows])
    places = fleet.observed.ready[rows] * spec.pod_capacity[rows]
    served_s = np.where(in_flight <= places, np.maximum(in_flight, 0.0), places)
    services.waits.note_served(service, served_s, requests)


def _called_after_idle(state: ControlState, rows: IntArray, now: FloatArray) -> BoolArray:
    """(n,) which rows are of upstream services that had no call for `IDLE_S` before this one."""
    paths, service = _paths_in_force(state), state.fleet.service[rows]
    if not len(paths):
        return np.zeros(len(rows), dtype=np.bool_)
    place = np.minimum(np.searchsorted(paths.upstreams, service), len(paths.upstreams) - 1)
    idle_s = now - state.fleet.services.calls.last_call_s[service]
    # Never called is NaN, which compares False, and counts as idle.
    return np.asarray((paths.upstreams[place] == service) & ~(idle_s <= IDLE_S))


def _objects_changed(state: ControlState, rows: IntArray, now: float | FloatArray) -> Instructions:
    """Decide for rows that are new; update the conditions of all.

    Known rows are decided at the next tick only: Knative's rule counts ticks.
    """
    state.fleet.requested.changed[rows] = True
    new = state.fleet.decision.want[rows] == UNDECIDED
    decided = _decide(state, rows[new], now) if new.any() else NOTHING
    known = rows[~new]
    spec, observed = take(state.fleet.spec, known), take(state.fleet.observed, known)
    initialized = _update_conditions(state.fleet, known, spec, observed, now)
    return Instructions(
        rows=np.union1d(decided.rows, _request(state.fleet, known, now)),
        decided=decided.decided,
        before=decided.before,
        initialized=np.concatenate([decided.initialized, initialized]),
    )


def _back_off(fleet: Fleet, event: Failed, now: float | FloatArray) -> None:
    """Double the wait of failed rows, within its bounds and as the API server asks."""
    requested, rows = fleet.requested, event.rows
    wait_s = np.clip(2 * requested.wait_s[rows], SHORTEST_WAIT_S, LONGEST_WAIT_S)
    requested.wait_s[rows] = np.maximum(wait_s, event.wait_s)
    requested.retry_s[rows] = now + requested.wait_s[rows]


def _decide(state: ControlState, rows: IntArray | None, now: float | FloatArray) -> Instructions:
    """Decide for some rows, or for all (None), and apply the decisions to the state."""
    fleet = state.fleet
    selected: Rows = ALL if rows is None else rows
    before = fleet.decision.want[selected].copy()
    step: Step = decide(fleet, state.advice, now=now, rows=rows)
    step.apply(fleet)
    changed = step.decision.want != before
    initialized = _update_conditions(fleet, selected, step.spec, step.observed, now)
    return Instructions(
        rows=_request(fleet, selected, now),
        decided=step.rows[changed],
        before=before[changed],
        initialized=initialized,
    )


def _update_conditions(
    fleet: Fleet, rows: Rows, spec: SpecArrays, former: ObservedArrays, now: float | FloatArray
) -> IntArray:
    """Set the conditions that follow from what is wanted; returns rows just initialized.

    spec, former: settings of the rows, and what was observed of them.
    """
    observed = fleet.observed
    active = next_active(fleet.decision.want[rows], spec, former)
    changed = active != former.active
    observed.active[rows] = active
    observed.active_since_s[rows] = np.where(changed, now, former.active_since_s)
    observed.probe_passed[rows] = former.probe_passed & (active == int(Active.FALSE))
    # Last: being initialized changes the threshold of Active from the next pass on.
    min_scale = np.where(spec.reachable, spec.min_scale, 0)
    enough = former.ready >= np.maximum(min_scale, spec.initial_scale)
    initialized = ~former.initialized & enough & former.named
    observed.initialized[rows] = former.initialized | initialized
    return np.arange(len(fleet))[rows][initialized]


def _request(fleet: Fleet, rows: Rows, now: float | FloatArray) -> IntArray:
    """Rows whose answer or objects differ from what was requested last, noted as requested now."""
    requested, decision, observed = fleet.requested, fleet.decision, fleet.observed
    pairs = (
        (requested.want, decision.want),
        (requested.scale, decision.scale),
        (requested.probe, decision.probe),
        (requested.proxy, decision.proxy),
        (requested.activators, decision.activators),
        (requested.active, observed.active),
        (requested.ready, observed.ready),
        (requested.initialized, observed.initialized),
    )
    # Nothing to retry is NaN, which compares False.
    due = requested.changed[rows] | (requested.retry_s[rows] <= now)
    for last, present in pairs:
        due |= last[rows] != present[rows]
    due_rows = np.arange(len(fleet))[rows][due]
    for last, present in pairs:
        last[due_rows] = present[due_rows]
    requested.changed[due_rows] = False
    requested.retry_s[due_rows] = np.nan
    return np.sort(due_rows)


def _paths_in_force(state: ControlState) -> Paths:
    advice = state.advice
    return advice.paths if advice and advice.layout == state.fleet.layout else NO_PATHS
