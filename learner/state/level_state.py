"""The state: what is carried of each service, and of each level that it needed within the window.

A level that was not needed within the window carries nothing: all that models ask of it follows
from its service.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.errors import PermanentError
from learner.models.columns import HALF_LIVES
from learner.models.levels import LEVELS, cells_up_to
from learner.state.periods import FEWEST_STEPS, SPREAD, turns_of
from learner.state.ring import GAP, NeedRing, Pods
from learner.state.runs import Runs

WINDOW = 20_160  # steps: 14 days of minutes
RUN_ARRAYS = ("start", "last_call", "gap")

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededLevels:
    """The levels that were needed within the window: service after service, each from its first."""

    service: npt.NDArray[np.int32]  # (n_rows,) row of the service
    cell: npt.NDArray[np.int16]  # (n_rows,) place of the level on the grid
    number: npt.NDArray[np.int32]  # (n_rows,) steps of the window that needed the level
    smooth: FloatArray  # (n_rows, len(HALF_LIVES)) exponential averages
    period: npt.NDArray[np.int16]  # (n_rows,) steps; 0 = none
    strength: npt.NDArray[np.float32]  # (n_rows,) of the period
    runs: Runs

    @classmethod
    def of(cls, n_cells: IntArray) -> Self:
        """As many as each service has, (n,), without a past."""
        service, cell = cells_of(n_cells)
        n_rows = len(service)
        return cls(
            service=service.astype(np.int32),
            cell=cell.astype(np.int16),
            number=np.zeros(n_rows, dtype=np.int32),
            smooth=np.zeros((n_rows, len(HALF_LIVES))),
            period=np.zeros(n_rows, dtype=np.int16),
            strength=np.zeros(n_rows, dtype=np.float32),
            runs=Runs.never(n_rows),
        )

    @classmethod
    def from_arrays(
        cls, *, service: npt.NDArray[np.int32], cell: npt.NDArray[np.int16], arrays: Arrays
    ) -> Self:
        """Of what ``arrays`` gives."""
        return cls(
            service=service,
            cell=cell,
            runs=Runs(**{name: arrays[name] for name in RUN_ARRAYS}),
            **{name: array for name, array in arrays.items() if name not in RUN_ARRAYS},
        )

    def __len__(self) -> int:
        return len(self.service)

    def arrays(self) -> Arrays:
        """All that is carried of a level, by name; the rows come first in each."""
        return {
            "number": self.number,
            "smooth": self.smooth,
            "period": self.period,
            "strength": self.strength,
            "start": self.runs.start,
            "last_call": self.runs.last_call,
            "gap": self.runs.gap,
        }

    def followed_by(self, others: "NeededLevels", n: int) -> "NeededLevels":
        """Those of n services, and then those of others."""
        mine, more = self.arrays(), others.arrays()
        return NeededLevels.from_arrays(
            service=np.concatenate([self.service, others.service + np.int32(n)]),
            cell=np.concatenate([self.cell, others.cell]),
            arrays={name: np.concatenate([mine[name], more[name]]) for name in mine},
        )

    def taken(self, services: IntArray, n_cells: IntArray) -> "NeededLevels":
        """Those of other services: (k,) rows of the present ones, -1 = one without a past.

        n_cells: (k,) levels of each; those that are new have no past, those beyond are forgotten.
        """
        taken = NeededLevels.of(n_cells)
        former = np.bincount(self.service, minlength=int(services.max(initial=-1)) + 1)
        first = np.cumsum(former) - former
        source, cell = services[taken.service], taken.cell.astype(np.int64)
        kept = np.flatnonzero((source >= 0) & (cell < np.append(former, 0)[source]))
        rows = first[source[kept]] + cell[kept]
        mine = self.arrays()
        for name, array in taken.arrays().items():
            array[kept] = mine[name][rows]
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelState:
    """Everything up to a step. All but the ring is a value: a step makes a new state."""

    services: tuple[str, ...]  # (n,) "namespace/service", sorted
    start_s: float  # Unix s at which step 0 began
    step_s: float  # s
    steps: int  # so far
    spread: int  # steps over which refreshes of periods are spread
    turn: IntArray  # (n,) step of the spread at which each service's are
    known: npt.NDArray[np.int32]  # (n,) steps of the window that are no gap
    greatest: npt.NDArray[np.int32]  # (n,) pods: the greatest need within the window
    at_greatest: npt.NDArray[np.int32]  # (n,) steps of the window that needed so many, if any
    ring: NeedRing
    levels: NeededLevels

    @property
    def end_s(self) -> float:
        """Unix s at which the last step ended."""
        return self.start_s + self.steps * self.step_s

    @property
    def since(self) -> int:
        """The first step of the window."""
        return max(0, self.steps - self.ring.window)

    @property
    def reach(self) -> IntArray:
        """(n,) cells that a forecast of each service has."""
        return cells_up_to(self.greatest.astype(np.float64))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, the ring's among them."""
        arrays: list[npt.NDArray[Any]] = [self.turn, self.known, self.greatest, self.at_greatest]
        arrays += [self.ring.values, self.levels.service, self.levels.cell]
        return sum(array.nbytes for array in (*arrays, *self.levels.arrays().values()))


def empty_state(
    *, start_s: float, step_s: float, window: int = WINDOW, spread: int = SPREAD
) -> LevelState:
    """That of no services, before step 0 at ``start_s``.

    window: steps that are remembered; spread: steps over which periods are refreshed. Raises
    PermanentError for a window shorter than what a refresh reads.
    """
    if window < FEWEST_STEPS:
        raise PermanentError(f"window is {window} steps; allowed: >= {FEWEST_STEPS}")
    none = np.zeros(0, dtype=np.int32)
    return LevelState(
        services=(),
        start_s=start_s,
        step_s=step_s,
        steps=0,
        spread=spread,
        turn=turns_of((), spread),
        known=none,
        greatest=none,
        at_greatest=none,
        ring=NeedRing.empty(0, window),
        levels=NeededLevels.of(none.astype(np.int64)),
    )


def cells_of(n_cells: IntArray) -> tuple[IntArray, IntArray]:
    """Service and cell of each level, of services with so many (n,) each."""
    service = np.repeat(np.arange(len(n_cells)), n_cells)
    first = np.cumsum(n_cells) - n_cells
    return service, np.arange(len(service)) - first[service]


def cells_needed(greatest: npt.NDArray[np.int32]) -> IntArray:
    """(n,) levels that a service needed whose greatest need was so many pods."""
    return np.asarray(np.searchsorted(LEVELS, greatest, side="right"))


def needed_in(pods: Pods, levels: NeededLevels) -> BoolArray:
    """(n_rows,) whether a step (n,) needed each level."""
    mine = pods[levels.service]
    return np.asarray((mine >= LEVELS[levels.cell]) & (mine != GAP))
