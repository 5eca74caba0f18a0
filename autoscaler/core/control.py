"""control(): the loop as a state machine. Events in, instructions out, no I/O.

    instructions = control(state, event, now)

The state is the fleet's columns and the advice in force. An event is what happened outside: a
statistic came, a revision's objects changed, the activator answered, two seconds went by. The
instructions say for which revisions the outside has something to do, and what: those for which
what is wanted differs from what was asked of the cluster last, or whose objects have changed since.
The same events give the same instructions: on a cluster, in the simulator, and when a recording is
replayed.

Who carries out instructions and fails says so (`Failed`), and is told again after a while.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from autoscaler.core.decider import Step, decide
from autoscaler.core.demand import count_cold
from autoscaler.core.kpa.zero import next_active
from autoscaler.core.prediction.advice import NO_PATHS, Advice, Paths
from autoscaler.core.prediction.anticipated import average_rates, downstream
from autoscaler.core.state.fleet import ALL, Fleet, Rows, take
from autoscaler.core.state.revision import UNDECIDED, Active
from autoscaler.core.state.services import IDLE_S
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0  # until what failed is tried again


@dataclass(slots=True, kw_only=True)
class ControlState:
    """All that the loop knows. Changed by `control` alone, and by who keeps the fleet's rows."""

    fleet: Fleet = field(default_factory=Fleet)
    advice: Advice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Two seconds went by: decide for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """Statistics of one second for some revisions; each row once, what several say added up."""

    rows: IntArray  # (n,)
    seconds: IntArray  # (n,) whole Unix s
    samples: FloatArray  # (2, n) requests in flight; requests per second
    by_activator: bool  # it waits for pods: who is at zero is decided at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Objects of some revisions changed. What is new is decided; conditions follow of all."""

    rows: IntArray  # (n,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The activator answers at the address of some revisions."""

    rows: IntArray  # (n,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Instructions for some revisions could not be carried out."""

    rows: IntArray  # (n,)
    wait_s: FloatArray  # (n,) s that the cluster asks to wait at least; 0 = it does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """Instructions for some revisions were carried out."""

    rows: IntArray  # (n,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """Other advice is in force; None = none."""

    advice: Advice | None


Event: TypeAlias = Tick | Reported | Changed | Answered | Failed | Succeeded | Advised


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What has to be done: for each row, bring its objects to what `Fleet.asked` says."""

    rows: IntArray  # (k,) of the fleet, ascending
    decided: IntArray  # rows whose wanted pods are others now
    before: IntArray  # pods that were wanted of them; -1 = no answer, -2 = nothing was decided
    initialized: IntArray  # rows whose scale target was ready now for the first time


_NO_ROWS = np.zeros(0, dtype=np.int64)
NOTHING = Instructions(rows=_NO_ROWS, decided=_NO_ROWS, before=_NO_ROWS, initialized=_NO_ROWS)


def control(state: ControlState, event: Event, now: float | FloatArray) -> Instructions:
    """Take in an event at Unix s ``now``, one for all of its rows or (n,); say what has to be done.

    A tick takes one ``now``, or one for each row of the fleet.
    """
    fleet = state.fleet
    match event:
        case Tick():
            return _tick(state, now)
        case Reported():
            return _report(state, event, now)
        case Changed(rows=rows):
            return _follow(state, rows, now)
        case Answered(rows=rows):
            fleet.observed.probe_passed[rows] = True
        case Failed(rows=rows, wait_s=asked_s):
            asked = fleet.asked
            doubled = np.maximum(2 * asked.wait_s[rows], SHORTEST_WAIT_S)
            asked.wait_s[rows] = np.maximum(np.minimum(doubled, LONGEST_WAIT_S), asked_s)
            asked.retry_s[rows] = now + asked.wait_s[rows]
        case Succeeded(rows=rows):
            fleet.asked.wait_s[rows], fleet.asked.retry_s[rows] = 0.0, np.nan
        case Advised(advice=advice):
            state.advice = advice
    return NOTHING


def _tick(state: ControlState, now: float | FloatArray) -> Instructions:
    latest = float(np.max(now))
    done = _decide(state, None, now)
    paths = _paths(state)
    if len(paths):
        upstreams, fleet = paths.upstreams, state.fleet
        rates = np.zeros(len(fleet.services))
        # Most upstreams were not called for longer than any window: nothing has to be averaged.
        called_s = fleet.services.calls.last_call_s[upstreams]
        lately = upstreams[latest - called_s <= fleet.spec.stable_window_s.max(initial=0)]
        rates[lately] = average_rates(fleet, lately, latest)
        fleet.services.rates.record(upstreams, latest, rates[upstreams])
    return done


def _report(state: ControlState, event: Reported, now: float | FloatArray) -> Instructions:
    fleet, rows = state.fleet, event.rows
    fleet.record(rows, event.seconds, event.samples)
    if event.by_activator:
        count_cold(fleet, rows, event.samples[1])
    called = np.flatnonzero((event.samples > 0).any(axis=0))
    if not len(called):
        return NOTHING
    at = np.broadcast_to(now, rows.shape)[called]
    rows, load = rows[called], event.samples[0, called]
    # Knative waits for a tick where nothing was decided yet: for who slept at its start.
    at_zero = fleet.memory.kpa[rows] <= 0
    starts = _starts(state, rows, at)
    fleet.services.note_calls(fleet.service[rows], at, fleet.memory.kpa[rows] == 0)
    if not event.by_activator:
        return NOTHING
    wait = np.flatnonzero((load > 0) & at_zero)
    begin = np.flatnonzero((load > 0) & (at_zero | starts))
    follow = downstream(fleet, _paths(state), rows[begin])
    if len(follow):
        # Who begins while it has pods waits for its tick: nobody is decided otherwise because of
        # those who name it as their upstream.
        return _decide(state, np.union1d(rows[wait], follow), float(at.max()))
    return _decide(state, rows[wait], at[wait]) if len(wait) else NOTHING


def _starts(state: ControlState, rows: IntArray, now: FloatArray) -> BoolArray:
    """(n,) rows of upstream services that are called now after they slept."""
    paths, service = _paths(state), state.fleet.service[rows]
    if not len(paths):
        return np.zeros(len(rows), dtype=np.bool_)
    place = np.minimum(np.searchsorted(paths.upstreams, service), len(paths.upstreams) - 1)
    idle_s = now - state.fleet.services.calls.last_call_s[service]
    # Never called is NaN, which compares False: it slept.
    return np.asarray((paths.upstreams[place] == service) & ~(idle_s <= IDLE_S))


def _follow(state: ControlState, rows: IntArray, now: float | FloatArray) -> Instructions:
    """Decide for rows that are new; bring the conditions of all up to what was observed.

    For the others nothing is decided: that is for ticks, as in Knative, whose rule counts them.
    """
    state.fleet.asked.changed[rows] = True
    new = state.fleet.decision.want[rows] == UNDECIDED
    made = _decide(state, rows[new], now) if new.any() else NOTHING
    known = rows[~new]
    reached = _conclude(state.fleet, known, now)
    due = _due(state.fleet, known, now)
    return Instructions(
        rows=np.union1d(made.rows, due),
        decided=made.decided,
        before=made.before,
        initialized=np.concatenate([made.initialized, reached]),
    )


def _decide(state: ControlState, rows: IntArray | None, now: float | FloatArray) -> Instructions:
    fleet = state.fleet
    which: Rows = ALL if rows is None else rows
    before = fleet.decision.want[which].copy()
    step: Step = decide(fleet, state.advice, now=now, rows=rows)
    step.keep(fleet)
    others = step.decision.want != before
    reached = _conclude(fleet, which, now)
    return Instructions(
        rows=_due(fleet, which, now),
        decided=step.rows[others],
        before=before[others],
        initialized=reached,
    )


def _conclude(fleet: Fleet, rows: Rows, now: float | FloatArray) -> IntArray:
    """Conditions that follow from what is wanted of rows; returns rows initialized only now."""
    observed = fleet.observed
    spec, seen = take(fleet.spec, rows), take(observed, rows)
    active = next_active(fleet.decision.want[rows], spec, seen)
    changed = active != seen.active
    observed.active[rows] = active
    observed.active_since_s[rows] = np.where(changed, now, seen.active_since_s)
    observed.probe_passed[rows] = seen.probe_passed & (active == Active.FALSE)
    # Last: what was reached only now sets the threshold of the next pass.
    least = np.where(spec.reachable, spec.min_scale, 0)
    enough = seen.ready >= np.maximum(least, spec.initial_scale)
    reached = ~seen.initialized & enough & seen.named
    observed.initialized[rows] = seen.initialized | reached
    return np.arange(len(fleet))[rows][reached]


def _due(fleet: Fleet, rows: Rows, now: float | FloatArray) -> IntArray:
    """Rows whose answer or whose objects have changed since something was asked; it is, now."""
    asked, decision, observed = fleet.asked, fleet.decision, fleet.observed
    pairs = (
        (asked.want, decision.want),
        (asked.scale, decision.scale),
        (asked.probe, decision.probe),
        (asked.proxy, decision.proxy),
        (asked.activators, decision.activators),
        (asked.active, observed.active),
        (asked.ready, observed.ready),
        (asked.initialized, observed.initialized),
    )
    # Nothing to try again is NaN, which compares False.
    due = asked.changed[rows] | (asked.retry_s[rows] <= now)
    for last, present in pairs:
        due |= last[rows] != present[rows]
    found = np.arange(len(fleet))[rows][due]
    for last, present in pairs:
        last[found] = present[found]
    asked.changed[found] = False
    asked.retry_s[found] = np.nan
    return np.sort(found)


def _paths(state: ControlState) -> Paths:
    advice = state.advice
    return advice.paths if advice and advice.layout == state.fleet.layout else NO_PATHS
