"""The state that a past leads to, computed at once instead of step by step.

Only the ring is written in order of time; all else follows from it, some services at a time.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from autoscaler.core.types import BoolArray, IntArray
from learner.demand import Demand
from learner.models.columns import HALF_LIVES
from learner.models.levels import LEVELS, pods_needed
from learner.state.level_state import (
    WINDOW,
    LevelState,
    NeededLevels,
    cells_needed,
    empty_state,
)
from learner.state.periods import SPREAD, periods_of, refreshed_until
from learner.state.ring import GAP, NeedRing, Pods, as_pods
from learner.state.runs import ENDED_IN_GAP, GAP_AFTER, RUNS, Runs
from learner.state.stepping import (
    NEGLIGIBLE,
    Counts,
    first_step,
    greatest_in,
    with_services,
)

ROWS_AT_ONCE = 256  # whose series of the whole window take 40 MB in double precision


def fill(
    pieces: Iterable[Demand], *, window: int = WINDOW, spread: int = SPREAD
) -> LevelState | None:
    """The state after all steps of demand, piece after piece; None = there is no piece.

    Within the window features are to the bit those of the state that `advance` leads to. Pieces may
    overlap, and have services of their own; steps between them are gaps, up to a window of them.
    window, spread: as in `empty_state`. Raises PermanentError as `advance` does.
    """
    state = None
    for piece in pieces:
        state = _written(state or _before(piece, window, spread), piece)
    return None if state is None else _counted(state)


def refilled(state: LevelState, demand: Demand) -> LevelState:
    """With some of its services filled anew, from all of their past up to its end.

    Raises PermanentError as `advance` does.
    """
    first = max(round((demand.start_s - state.start_s) / demand.step_s), 0)
    blank = _before(demand, state.ring.window, state.spread)
    blank = replace(
        blank, start_s=state.start_s, steps=first, ring=NeedRing(blank.ring.values, first)
    )
    until = round((state.end_s - demand.start_s) / demand.step_s)
    known = np.flatnonzero(np.isin(demand.services, state.services))
    return _with(state, _counted(_written(blank, demand.until(until).only(known))))


def _with(state: LevelState, anew: LevelState) -> LevelState:
    """With the services of ``anew`` as they are there, at the same step."""
    row_of = {name: row for row, name in enumerate(state.services)}
    n = len(state.services)
    source = np.arange(n)
    mine = np.array([row_of[name] for name in anew.services], dtype=np.int64)
    source[mine] = n + np.arange(len(mine))
    known, greatest, at_greatest = (
        np.concatenate([getattr(state, name), getattr(anew, name)])[source]
        for name in ("known", "greatest", "at_greatest")
    )
    ring = state.ring.taken(np.arange(n))  # a copy: who saves the state may be reading it
    ring.values[mine] = anew.ring.values
    return replace(
        state,
        known=known,
        greatest=greatest,
        at_greatest=at_greatest,
        ring=ring,
        levels=state.levels.followed_by(anew.levels, n).taken(source, cells_needed(greatest)),
    )


def _counted(state: LevelState) -> LevelState:
    """With all that follows from its ring."""
    known, greatest, at_greatest = _of_services(state.ring, state.steps)
    state = replace(state, known=known, greatest=greatest, at_greatest=at_greatest)
    return replace(state, levels=_levels(state))


def _before(piece: Demand, window: int, spread: int) -> LevelState:
    return empty_state(start_s=piece.start_s, step_s=piece.step_s, window=window, spread=spread)


def _written(state: LevelState, piece: Demand) -> LevelState:
    """With the piece in the ring, and the services that it knows."""
    first = first_step(state, piece, state.ring.window)
    state = with_services(state, piece)
    place = {name: row for row, name in enumerate(state.services)}
    rows = np.array([place[name] for name in piece.services], dtype=np.int64)
    begin = max(state.steps - first, 0)
    known = state.known.copy()
    for some in np.array_split(np.arange(len(rows)), len(rows) // ROWS_AT_ONCE + 1):
        new = pods_needed(piece.only(some))[:, begin:]
        state.ring.extend(rows[some], first + begin, as_pods(new))
        known[rows[some]] += (~np.isnan(new)).sum(axis=1)
    return replace(state, steps=first + piece.n_steps, known=known)


def _of_services(ring: NeedRing, steps: int) -> tuple[Counts, Counts, Counts]:
    """Known steps, greatest need and its number of steps, of all services."""
    n = len(ring.values)
    found = [np.zeros((3, 0), dtype=np.int32)]
    for rows in np.array_split(np.arange(n), n // ROWS_AT_ONCE + 1):
        pods = ring.between(rows, steps - ring.window, steps)
        known = (pods != GAP).sum(axis=1, dtype=np.int32)
        found.append(np.stack([known, *greatest_in(ring, rows, steps)]))
    known, greatest, at_greatest = np.concatenate(found, axis=1)
    return known, greatest, at_greatest


def _levels(state: LevelState) -> NeededLevels:
    """All levels that were needed within the window."""
    levels = NeededLevels.of(cells_needed(state.greatest))
    service, cell = levels.service.astype(np.int64), levels.cell.astype(np.int64)
    for rows in np.array_split(np.arange(len(levels)), len(levels) // ROWS_AT_ONCE + 1):
        _fill_rows(levels, rows, state)
    period, strength = periods_of(
        state.ring, service, cell, refreshed_until(state.steps, state.turn)[service]
    )
    return replace(levels, period=period.astype(np.int16), strength=strength)


def _fill_rows(levels: NeededLevels, rows: IntArray, state: LevelState) -> None:
    """Set what some levels carry but their periods, in place."""
    asked, mine = np.unique(levels.service[rows].astype(np.int64), return_inverse=True)
    pods = state.ring.between(asked, state.since, state.steps)
    active = pods[mine] >= LEVELS[levels.cell[rows]][:, None]
    active &= pods[mine] != GAP
    levels.number[rows] = active.sum(axis=1)
    for place, half_life in enumerate(HALF_LIVES):
        keep = 0.5 ** (1 / half_life)
        smooth = lfilter([1 - keep], [1, -keep], active.astype(np.float64), axis=1)
        levels.smooth[rows, place] = smooth[:, -1]
    levels.smooth[levels.smooth < NEGLIGIBLE] = 0
    _fill_runs(levels.runs, rows, active, _gaps_before(pods)[mine], state.since)


def _gaps_before(pods: Pods) -> npt.NDArray[np.int32]:
    """(k, n_steps + 1) number of gaps before each step."""
    gaps = np.zeros((len(pods), pods.shape[1] + 1), dtype=np.int32)
    np.cumsum(pods == GAP, axis=1, out=gaps[:, 1:])
    return gaps


def _fill_runs(
    runs: Runs, rows: IntArray, active: BoolArray, gaps: npt.NDArray[np.int32], since: int
) -> None:
    """Set the last runs of some levels, in place."""
    still = np.zeros((len(active), 1), dtype=np.bool_)
    row, start = np.nonzero(active & ~np.hstack([still, active[:, :-1]]))
    last_call = np.nonzero(active & ~np.hstack([active[:, 1:], still]))[1]
    number = np.bincount(row, minlength=len(rows))
    place = np.cumsum(number)[row] - 1 - np.arange(len(row))  # 0 = the latest of its level
    latest = place == 0
    n_steps = active.shape[1]
    before_next = np.where(latest, n_steps, np.append(start[1:], 0))
    after = gaps[row, before_next] > gaps[row, last_call + 1]
    ended = (last_call + 1 < n_steps) & (
        gaps[row, np.minimum(last_call + 2, n_steps)] > gaps[row, last_call + 1]
    )
    kept = place < RUNS
    where = rows[row[kept]], place[kept]
    runs.start[where] = start[kept] + since
    runs.last_call[where] = last_call[kept] + since
    runs.gap[where] = (after * GAP_AFTER + ended * ENDED_IN_GAP)[kept]
