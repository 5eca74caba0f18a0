"""One step on, for all services and levels at once; and all steps of new demand."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError
from learner.demand import Demand
from learner.models.columns import HALF_LIVES
from learner.models.levels import pods_needed
from learner.state.level_state import LevelState, NeededLevels, cells_needed, needed_in
from learner.state.periods import periods_of, refreshed_until, turns_of
from learner.state.ring import GAP, NeedRing, Pods, as_pods

NEGLIGIBLE = 1e-60  # averages below become 0: far below single precision, above denormal numbers
MOST_LEFT_OUT = 720  # steps; beyond, `learner.state.fill` is cheaper than stepping through gaps
RESCANNED_AT_ONCE = 256  # services: 10 MB

_KEEP = 0.5 ** (1 / np.array(HALF_LIVES, dtype=np.float64))

Counts = npt.NDArray[np.int32]


def step(state: LevelState, need: FloatArray) -> LevelState:
    """The state after one more step.

    need: (n,) pods that each service needed, NaN = gap. The ring is shared: states after ``state``
    are void from then on. Raises PermanentError, with nothing changed, for a state so old that the
    ring no longer holds its past.
    """
    pods, now = as_pods(need), state.steps
    left = state.ring.at(now - state.ring.window) if now >= state.ring.window else _gaps(state)
    left = left.copy()
    state.ring.write(now, pods)
    known = state.known + (pods != GAP) - (left != GAP)
    greatest, at_greatest = _greatest(state, pods, left)
    levels = state.levels
    if (greatest != state.greatest).any():
        services = np.arange(len(state.services))
        levels = levels.taken(services, cells_needed(greatest))
    stepped = replace(
        state,
        steps=now + 1,
        known=known.astype(np.int32),
        greatest=greatest,
        at_greatest=at_greatest,
        levels=_levels(levels, now, pods, left),
    )
    return _refreshed(stepped)


def advance(state: LevelState, demand: Demand) -> LevelState:
    """The state after all steps of ``demand`` that come after it; steps between are gaps.

    Services are known by name: new ones come in, and those are forgotten that are not in ``demand``
    and have nothing but gaps in the window. Raises PermanentError, with nothing changed, where
    ``demand`` ends before the state, lies between its steps, or begins long after it: whoever asks
    then fills a state anew. A step costs about as much as the thousandth part of a fill.
    """
    first = first_step(state, demand, MOST_LEFT_OUT)
    state = with_services(state, demand)
    place = {name: row for row, name in enumerate(state.services)}
    rows = [place[name] for name in demand.services]
    need = np.full(len(state.services), np.nan)
    for _ in range(max(first - state.steps, 0)):
        state = step(state, need)
    for column in pods_needed(demand)[:, state.steps - first :].T:
        need[rows] = column
        state = step(state, need)
    return state


def first_step(state: LevelState, demand: Demand, most_between: int) -> int:
    """The step at which ``demand`` begins.

    most_between: steps after the state that it may leave out. Raises PermanentError.
    """
    steps = (demand.start_s - state.start_s) / state.step_s
    if demand.step_s != state.step_s or steps != round(steps):
        raise PermanentError(
            f"demand begins at {demand.start_s}, in steps of {demand.step_s} s; allowed:"
            f" {state.start_s} and multiples of {state.step_s} s later"
        )
    if demand.end_s < state.end_s:
        raise PermanentError(
            f"demand ends at {demand.end_s}, before what is known; allowed: >= {state.end_s}"
        )
    if steps - state.steps > most_between:
        raise PermanentError(
            f"demand begins {steps - state.steps:.0f} steps after what is known;"
            f" allowed: <= {most_between}"
        )
    return round(steps)


def with_services(state: LevelState, demand: Demand) -> LevelState:
    """With the services of ``demand``, and of its own those that are known within the window."""
    present = set(demand.services)
    kept = [
        name
        for name, known in zip(state.services, state.known.tolist(), strict=True)
        if known or name in present
    ]
    services = tuple(sorted(present.union(kept)))
    if services == state.services:
        return state
    place = {name: row for row, name in enumerate(state.services)}
    rows = np.array([place.get(name, -1) for name in services], dtype=np.int64)
    return taken(state, services, rows)


def taken(state: LevelState, services: tuple[str, ...], rows: IntArray) -> LevelState:
    """With other services: (k,) rows of the present ones, -1 = one without a past."""
    known, greatest, at_greatest = (
        np.append(column, np.int32(0))[rows]
        for column in (state.known, state.greatest, state.at_greatest)
    )
    return replace(
        state,
        services=services,
        turn=turns_of(services, state.spread),
        known=known,
        greatest=greatest,
        at_greatest=at_greatest,
        ring=state.ring.taken(rows),
        levels=state.levels.taken(rows, cells_needed(greatest)),
    )


def _gaps(state: LevelState) -> Pods:
    return np.full(len(state.services), GAP, dtype=np.uint16)


def _greatest(state: LevelState, pods: Pods, left: Pods) -> tuple[Counts, Counts]:
    """The greatest need in the window, and its number of steps, from those of the last window."""
    came, went = (np.where(one == GAP, 0, one).astype(np.int32) for one in (pods, left))
    greatest = np.maximum(state.greatest, came)
    risen = came > state.greatest
    change = (came == state.greatest).astype(np.int32) - (went == state.greatest)
    at_greatest = np.where(risen, 1, state.at_greatest + change)
    at_greatest = np.where(greatest > 0, at_greatest, 0).astype(np.int32)
    # None is left: the window is searched, which is rare, as the greatest falls at most.
    gone = np.flatnonzero((greatest > 0) & (at_greatest == 0))
    for rows in np.array_split(gone, len(gone) // RESCANNED_AT_ONCE + 1):
        greatest[rows], at_greatest[rows] = greatest_in(state.ring, rows, state.steps + 1)
    return greatest, at_greatest


def greatest_in(ring: NeedRing, services: IntArray, now: int) -> tuple[Counts, Counts]:
    """Greatest need (k,) of some services in the window before ``now``, and steps that needed it.

    Neither counts where nothing was needed.
    """
    pods = ring.between(services, now - ring.window, now)
    pods[pods == GAP] = 0
    greatest = pods.max(axis=1, initial=0).astype(np.int32)
    number = (pods == greatest[:, None]).sum(axis=1, dtype=np.int32)
    return greatest, np.where(greatest > 0, number, 0).astype(np.int32)


def _levels(levels: NeededLevels, now: int, pods: Pods, left: Pods) -> NeededLevels:
    active = needed_in(pods, levels)
    known = (pods != GAP)[levels.service]
    smooth = _KEEP * levels.smooth
    smooth[active] += 1 - _KEEP
    smooth[smooth < NEGLIGIBLE] = 0
    return replace(
        levels,
        number=(levels.number + active - needed_in(left, levels)).astype(np.int32),
        smooth=smooth,
        runs=levels.runs.stepped(now, active, known),
    )


def _refreshed(state: LevelState) -> LevelState:
    """With the periods of the services whose turn it is."""
    levels, now = state.levels, state.steps
    until = refreshed_until(now, state.turn)
    due = until > refreshed_until(now - 1, state.turn)
    rows = np.flatnonzero(due[levels.service])
    if not len(rows):
        return state
    period, strength = levels.period.copy(), levels.strength.copy()
    service = levels.service[rows].astype(np.int64)
    period[rows], strength[rows] = periods_of(
        state.ring, service, levels.cell[rows].astype(np.int64), until[service]
    )
    return replace(state, levels=replace(levels, period=period, strength=strength))
