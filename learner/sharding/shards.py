"""The newest forecast of all services, from that of their shards.

A service's shard follows from its name and the number of shards, so it is the same wherever tasks
run; the number doubles as services come, and never shrinks.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import numpy as np

from autoscaler.core.types import IntArray
from autoscaler.errors import TransientError
from autoscaler.logs import get_logger
from learner.demand import Demand
from learner.models import RECENT_STEPS, Forecast, Model
from learner.models.levels import pods_needed
from learner.models.periods import REFRESH_LATER
from learner.sharding.backend import Backend
from learner.sharding.shard import Answer, Asked, Faulty, Lacking, Past
from learner.state.ring import as_pods

SERVICES_A_SHARD = 2_500  # at most, or nearly: a state of 100 MB, a step of 0.1 s
SERVICES_AT_ONCE = 256  # whose past is copied
MOST_LOST = 4  # times in a step that who answers a shard is lost

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shard:
    name: str
    services: IntArray  # (n,) rows of demand


class Shards:
    """Forecasts the end of demand, which goes on from call to call."""

    def __init__(self, backend: Backend, services_a_shard: int = SERVICES_A_SHARD) -> None:
        self.backend, self._most = backend, services_a_shard
        self._name = uuid4().hex
        self._n_shards = 1
        self._model: Model | None = None
        self._fits = 0  # models so far
        self._begun_s = np.nan  # Unix s of the first step ever seen
        self.fault = ""  # of a state, at the last forecast

    def forecast(self, model: Model, demand: Demand) -> Forecast:
        """What ``model`` says at the end of ``demand``. Raises as it and the backend do."""
        if model is not self._model:
            self._model, self._fits = model, self._fits + 1
        shards = self._shards(demand.services)
        row_of = {name: row for row, name in enumerate(demand.services)}
        recent = demand.last(RECENT_STEPS)
        asked = [self._asked(shard, model, recent, row_of) for shard in shards]
        answers = self.backend.answers(asked)
        for _ in range(MOST_LOST):
            lacking = {
                place: self._with(one, asked[place], shards[place], demand)
                for place, one in enumerate(answers)
                if isinstance(one, Lacking)
            }
            if not lacking:
                break
            anew = sum(one.past is not None for one in lacking.values())
            if anew:
                log.info("states are made anew from the past", shards=anew, of=len(shards))
            again = self.backend.answers(list(lacking.values()))
            for place, answer in zip(lacking, again, strict=True):
                answers[place] = answer
        faults = [one.why for one in answers if isinstance(one, Faulty)]
        self.fault = faults[0] if faults else ""
        return _merged(
            len(demand.services),
            [shard.services for shard in shards],
            [_sound(one, model, demand, shard) for shard, one in zip(shards, answers, strict=True)],
        )

    def _with(self, lacking: Lacking, asked: Asked, shard: _Shard, demand: Demand) -> Asked:
        """The same once more, with what was lacking."""
        return replace(
            asked,
            past=self._past(demand, shard.services) if lacking.past else None,
            model=self._model if lacking.model else None,
        )

    def _shards(self, services: Sequence[str]) -> list[_Shard]:
        """Those that have services."""
        self._n_shards = max(self._n_shards, shards_of(len(services), self._most))
        # Not the last bits: by those the turns of periods go.
        hashes = [zlib.crc32(name.encode()) >> 8 for name in services]
        number = np.array(hashes, dtype=np.int64) % self._n_shards
        return [
            _Shard(
                name=f"{self._name}/{one + 1} of {self._n_shards}",
                services=np.flatnonzero(number == one),
            )
            for one in np.unique(number).tolist()
        ]

    def _asked(
        self, shard: _Shard, model: Model, recent: Demand, row_of: Mapping[str, int]
    ) -> Asked:
        followed = model.followed([recent.services[row] for row in shard.services])
        others = [row_of[name] for name in sorted(followed) if name in row_of]
        rows = np.concatenate([shard.services, others]).astype(np.int64)
        return Asked(
            shard=shard.name,
            fit=f"{self._name}/{self._fits}",
            n=len(shard.services),
            recent=recent.only(rows),
        )

    def _past(self, demand: Demand, services: IntArray) -> Past:
        """All of some services'. Steps are counted as by those who are not asked for it."""
        steps = (demand.start_s - self._begun_s) / demand.step_s
        if not steps >= 0 or steps != round(steps):
            self._begun_s, steps = demand.start_s, 0.0
        return Past(
            begun_s=demand.start_s - steps % REFRESH_LATER * demand.step_s,
            start_s=demand.start_s,
            pods=np.concatenate(
                [
                    as_pods(pods_needed(demand.only(some)))
                    for some in np.array_split(services, len(services) // SERVICES_AT_ONCE + 1)
                ]
            ),
        )


def shards_of(n_services: int, most: int = SERVICES_A_SHARD) -> int:
    """A power of two, so that it changes seldom."""
    return 1 << (max(-(-n_services // most), 1) - 1).bit_length()


def _sound(one: Answer, model: Model, demand: Demand, shard: _Shard) -> Forecast:
    """The answer; of a shard without a state that of the whole past. Raises TransientError."""
    if isinstance(one, Lacking):
        raise TransientError(f"shard {shard.name} was lost {MOST_LOST} times in a step")
    if isinstance(one, Faulty):
        return model.predict(demand.only(shard.services), np.array([demand.n_steps]))
    return one


def _merged(n: int, rows: Sequence[IntArray], parts: Sequence[Forecast]) -> Forecast:
    """That of all n services, of those of some rows each."""
    n_cells = max(part.exceedance.shape[3] for part in parts)
    exceedance = np.zeros((n, *parts[0].exceedance.shape[1:3], n_cells), dtype=np.float32)
    edges, reason = np.zeros((n, n_cells + 1)), np.zeros(n, dtype=np.object_)
    for some, part in zip(rows, parts, strict=True):
        own = part.exceedance.shape[3]
        exceedance[some, :, :, :own] = part.exceedance
        edges[some] = np.pad(part.demand_edges, ((0, 0), (0, n_cells - own)), mode="edge")
        reason[some] = part.reason
    return Forecast(demand_edges=edges, exceedance=exceedance, reason=tuple(reason.tolist()))
