"""The state, carried along with demand as it is read."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from autoscaler.core.types import IntArray
from autoscaler.errors import PermanentError
from autoscaler.logs import get_logger
from learner.demand import Demand
from learner.models.known_rows import KnownRows
from learner.state.features import features
from learner.state.fill import fill, refilled
from learner.state.level_state import LevelState
from learner.state.periods import FEWEST_STEPS
from learner.state.stepping import advance

CORRECTED_STEPS = 3  # the newest ones, whose samples may still have been on their way

log = get_logger(__name__)


class CarriedState:
    """What is known at the end of demand, from what was known some steps before."""

    def __init__(self, state: LevelState | None = None, recent: Demand | None = None) -> None:
        """``state``: what a former process carried; ``recent``: of which services."""
        some = () if state is None else (state,)
        # The oldest first.
        self._states: deque[LevelState] = deque(some, maxlen=CORRECTED_STEPS + 1)
        self._capacity = _capacities(recent) if recent else {}  # by service, of the states

    @property
    def oldest(self) -> LevelState | None:
        """What to go on from in another process, as this one would; None = nothing yet."""
        return self._states[0] if self._states else None

    def newest_rows(self, demand: Demand, windows: tuple[int, ...]) -> KnownRows:
        """The rows of all services at the end of ``demand``. windows: as `features` has them."""
        return rows_of(self.at_end_of(demand), demand, windows)

    def at_end_of(self, demand: Demand) -> LevelState:
        """The state at the end of ``demand``, which goes on from that of the last call.

        The last steps are taken anew, as samples of them may have come since. Where it does not go
        on, the state is made of the whole of it.
        """
        self._count_anew(demand)
        state = self.advanced(demand)
        if state is None:
            state = filled([demand], window=max(demand.n_steps, FEWEST_STEPS))
            self._states.append(state)
            self._capacity = _capacities(demand)
        return state

    def goes_on(self, demand: Demand) -> bool:
        """Whether ``demand`` has all steps since a state that is kept, of pods of its capacity."""
        while self._states and self._states[-1].end_s >= demand.end_s:
            self._states.pop()
        reaches = bool(self._states) and self._states[0].end_s >= demand.start_s
        return reaches and not len(self._changed(demand))

    def advanced(self, demand: Demand) -> LevelState | None:
        """From the oldest state kept, which is kept; None = ``demand`` does not go on from it."""
        if not self.goes_on(demand):
            return None
        oldest = self._states[0]
        if demand.n_steps > oldest.ring.window:  # more of the past is known than was
            self._states.clear()
            return None
        new = round((demand.end_s - oldest.end_s) / demand.step_s)
        try:
            state = advance(oldest, demand.last(new))
        except PermanentError as error:
            log.info("the learner's state is made anew", why=str(error))
            self._states.clear()
            return None
        self._states.append(state)
        self._capacity = _capacities(demand)
        return state

    def _changed(self, demand: Demand) -> IntArray:
        """Services whose pods take another number of requests than their states count with."""
        former = [
            self._capacity.get(name, capacity)
            for name, capacity in zip(demand.services, demand.capacity.tolist(), strict=True)
        ]
        return np.flatnonzero(demand.capacity != np.array(former))

    def _count_anew(self, demand: Demand) -> None:
        """Fill the states of services anew whose pods take another number of requests now."""
        changed = self._changed(demand)
        if len(changed) and self._states and demand.start_s < self._states[0].end_s:
            self._states = deque(
                [refilled(self._states[0], demand.only(changed))], maxlen=CORRECTED_STEPS + 1
            )
            self._capacity |= _capacities(demand.only(changed))


def _capacities(demand: Demand) -> dict[str, float]:
    return dict(zip(demand.services, demand.capacity.tolist(), strict=True))


def filled(pieces: Iterable[Demand], *, begun_s: float = np.inf, window: int) -> LevelState:
    """The state after demand, piece after piece, from nothing else.

    begun_s: Unix s from which steps are counted, as refreshes of periods go by their number, unless
    demand begins before. window: steps that are remembered.
    """
    state = fill(_begun(pieces, begun_s), window=window)
    assert state is not None
    return state


def _begun(pieces: Iterable[Demand], begun_s: float) -> Iterator[Demand]:
    """With a step of no services at ``begun_s``, where the first piece begins after that."""
    for place, piece in enumerate(pieces):
        if place == 0 and begun_s < piece.start_s:
            yield replace(_no_services(piece), start_s=begun_s)
        yield piece


def rows_of(state: LevelState, demand: Demand, windows: tuple[int, ...]) -> KnownRows:
    """The rows of the services of ``demand``, at the end of which the state is."""
    rows, known = features(state, windows)
    rows = replace(rows, origin=np.full(len(rows), demand.n_steps))
    place = {name: row for row, name in enumerate(state.services)}
    mine = np.array([place[name] for name in demand.services], dtype=np.int64)
    at_end = np.zeros(len(rows), dtype=np.int64)
    return KnownRows(rows=rows, place=at_end, features=known).only(mine)


def _no_services(demand: Demand) -> Demand:
    """A step of none."""
    return replace(demand.until(1).only(np.zeros(0, dtype=np.int64)), external=None)
