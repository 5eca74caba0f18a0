"""The state, carried along with demand as it is read."""

from collections import deque
from dataclasses import replace

import numpy as np

from autoscaler.errors import PermanentError
from autoscaler.logs import get_logger
from learner.demand import Demand
from learner.models.newest import NewestRows
from learner.state.features import features
from learner.state.fill import fill
from learner.state.level_state import LevelState
from learner.state.periods import FEWEST_STEPS
from learner.state.stepping import advance

CORRECTED_STEPS = 3  # the newest ones, whose samples may still have been on their way

log = get_logger(__name__)


class CarriedState:
    """What is known at the end of demand, from what was known some steps before."""

    def __init__(self, state: LevelState | None = None) -> None:
        """``state``: what a former process carried."""
        some = () if state is None else (state,)
        # The oldest first.
        self._states: deque[LevelState] = deque(some, maxlen=CORRECTED_STEPS + 1)

    @property
    def oldest(self) -> LevelState | None:
        """What to go on from in another process, as this one would; None = nothing yet."""
        return self._states[0] if self._states else None

    def newest_rows(self, demand: Demand, windows: tuple[int, ...]) -> NewestRows:
        """The rows of all services at the end of ``demand``. windows: as `features` has them."""
        state = self.at_end_of(demand)
        rows, known = features(state, windows)
        rows = replace(rows, origin=np.full(len(rows), demand.n_steps))
        place = {name: row for row, name in enumerate(state.services)}
        mine = np.array([place[name] for name in demand.services], dtype=np.int64)
        return NewestRows(rows=rows, features=known).only(mine)

    def at_end_of(self, demand: Demand) -> LevelState:
        """The state at the end of ``demand``, which goes on from that of the last call.

        The last steps are taken anew, as samples of them may have come since. Where it does not go
        on, the state is made of the whole of it.
        """
        state = self._advanced(demand) or _filled(demand)
        self._states.append(state)
        return state

    def _advanced(self, demand: Demand) -> LevelState | None:
        """From the oldest state kept; None = from none."""
        while self._states and self._states[-1].end_s >= demand.end_s:
            self._states.pop()
        if not self._states:
            return None
        oldest = self._states[0]
        if demand.n_steps > oldest.ring.window:  # more of the past is known than was
            self._states.clear()
            return None
        new = round((demand.end_s - oldest.end_s) / demand.step_s)
        try:
            return advance(oldest, demand.last(new))
        except PermanentError as error:
            log.info("the learner's state is made anew", why=str(error))
            self._states.clear()
            return None


def _filled(demand: Demand) -> LevelState:
    state = fill([demand], window=max(demand.n_steps, FEWEST_STEPS))
    assert state is not None
    return state
