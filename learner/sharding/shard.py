"""One task: the newest forecast of a shard's services, from the state that this process carries.

State and model are kept by whoever answers. Where one is lacking that is the answer, and it is
asked again with what it takes.
"""

from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from autoscaler.logs import get_logger
from learner.demand import Demand
from learner.models import Forecast, Model
from learner.models.known_rows import KnownRows
from learner.state.carried import CORRECTED_STEPS, CarriedState, filled, rows_of
from learner.state.level_state import LevelState
from learner.state.periods import FEWEST_STEPS
from learner.state.ring import Pods, as_need

STEPS_AT_ONCE = 1440  # of a past, as demand: four times its size
KEPT_S = 900.0  # that a shard is kept which nobody asks for: s of demand's time

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """All that a state is made of, two bytes a step."""

    begun_s: float  # Unix s from which steps are counted, 0 ... 479 before the first one
    start_s: float  # Unix s of the first step
    pods: Pods  # (n, n_steps)

    def state(self, recent: Demand) -> LevelState:
        """As of some steps ago, as their samples are still corrected; recent: names and steps."""
        end = max(self.pods.shape[1] - CORRECTED_STEPS, 1)
        pieces = (
            self._piece(recent, begin, min(begin + STEPS_AT_ONCE, end))
            for begin in range(0, end, STEPS_AT_ONCE)
        )
        window = max(self.pods.shape[1], FEWEST_STEPS)
        return filled(pieces, begun_s=self.begun_s, window=window)

    def _piece(self, recent: Demand, begin: int, end: int) -> Demand:
        need = as_need(self.pods[:, begin:end])
        return Demand(
            services=recent.services,
            start_s=self.start_s + begin * recent.step_s,
            step_s=recent.step_s,
            arrivals=need,
            peak=need,
            capacity=np.ones(len(need)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a task is asked for: the forecast of the first ``n`` services of ``recent``."""

    shard: str  # unlike that of any other learner
    fit: str  # of which the model is; likewise
    n: int
    recent: Demand  # the last steps of the shard's services, and of those that they follow
    past: Past | None = None
    model: Model | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """The answer of who cannot do without."""

    past: bool
    model: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    """The answer of who has an error in the state; it is dropped."""

    why: str


Answer = Forecast | Lacking | Faulty


@dataclass(slots=True, kw_only=True)
class _Kept:
    lock: Lock = field(default_factory=Lock)  # a task given up may still run
    carried: CarriedState = field(default_factory=CarriedState)
    fit: str = ""
    model: Model | None = None
    asked_s: float = 0.0  # Unix s of demand


_kept: dict[str, _Kept] = {}  # by shard
_lock = Lock()


def answer(asked: Asked) -> Answer:
    """Answer from what is kept, and keep what is new. Raises what the model raises."""
    kept = _kept_for(asked)
    with kept.lock:
        if asked.model is not None:
            kept.fit, kept.model = asked.fit, asked.model
        model = kept.model if kept.fit == asked.fit else None
        mine = _first(asked.recent, asked.n)
        goes_on = asked.past is not None or kept.carried.goes_on(mine)
        if model is None or not goes_on:
            return Lacking(past=not goes_on, model=model is None)
        try:
            newest = _newest(kept, asked, mine, model.windows)
        except Exception as error:
            log.exception("the state of a shard is of no use", shard=asked.shard)
            kept.carried = CarriedState()
            return Faulty(why=f"{error!r:.200}")
        if newest is None:
            return Lacking(past=True, model=False)
    forecast = model.predict(asked.recent, np.array([asked.recent.n_steps]), newest)
    return Forecast(
        demand_edges=forecast.demand_edges[: asked.n],
        exceedance=forecast.exceedance[: asked.n],
        reason=forecast.reason[: asked.n],
    )


def _newest(kept: _Kept, asked: Asked, mine: Demand, windows: tuple[int, ...]) -> KnownRows | None:
    """None = the state does not go on."""
    if asked.past is not None:
        kept.carried = CarriedState(asked.past.state(mine), mine)
    state = kept.carried.advanced(mine)
    return rows_of(state, mine, windows) if state else None


def _kept_for(asked: Asked) -> _Kept:
    """What is kept of a shard; others that nobody asks for any more are dropped."""
    now = asked.recent.end_s
    with _lock:
        for shard in [one for one, kept in _kept.items() if kept.asked_s < now - KEPT_S]:
            del _kept[shard]
        kept = _kept.setdefault(asked.shard, _Kept())
        kept.asked_s = now
        if kept.fit != asked.fit:  # another shard may have been given the model
            kept.model = next((o.model for o in _kept.values() if o.fit == asked.fit), None)
            kept.fit = asked.fit if kept.model else ""
    return kept


def _first(demand: Demand, n: int) -> Demand:
    return demand if n == len(demand.services) else demand.only(np.arange(n))
