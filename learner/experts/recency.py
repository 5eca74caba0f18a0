"""An expert that counts: how often was a level needed soon after it had been idle for so long?

It is a keep-alive that knows its odds. A keep-alive of ten minutes says that what was needed within
the last ten minutes will be needed; this one says how often that was so of this service in the last
days, for pauses of each length. Of a service that it knows little of it says what holds for all.

Boosting has more to go by, and wins within minutes. An hour ahead a past has few hours that do not
overlap: there a table of seven pauses is beaten by no number of trees.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.boosting import forecast_of
from learner.models.known_rows import KnownRows, pieces_of
from learner.models.levels import LEVELS, pods_needed
from learner.models.rows import LevelRows, greatest_ahead

PAUSES = np.array([1, 5, 10, 20, 60, 240])  # steps idle: where one kind of pause ends
COUNTED_STEPS = 5_760  # of the past: four days of minutes
MOST_CELLS = 16  # of a service; of levels above it says what it does of the last one
OF_ALL = 10.0  # outcomes of all services that count beside those of its own
SERVICES_AT_ONCE = 256  # whose steps are counted together: some 12 MB for each array

Shares = npt.NDArray[np.float32]


class Recency:
    """Shares of outcomes by service, level, pause and window."""

    name = "recency"

    def __init__(self, windows: tuple[int, ...]) -> None:
        self.windows = windows

    @classmethod
    def of(cls, windows: tuple[int, ...], services: Sequence[str], shares: Shares) -> Self:
        """With shares counted elsewhere, as ``fit`` leaves them."""
        made = cls(windows)
        made.services_, made.shares_ = tuple(services), shares
        return made

    def fit(self, demand: Demand, edges: Edges | None = None) -> Self:  # noqa: ARG002
        """Count the last days."""
        recent = demand.last(COUNTED_STEPS)
        n = len(demand.services)
        pieces = np.array_split(np.arange(n), n // SERVICES_AT_ONCE + 1)
        # Made twice, as all of them together are large.
        needs = (pods_needed(recent.only(rows)) for rows in pieces)
        greatest = max(np.nanmax(need, initial=1.0) for need in needs)
        n_cells = min(int(np.searchsorted(LEVELS, greatest, side="right")) + 1, MOST_CELLS)
        # (2, n, n_cells, n_pauses, n_windows) outcomes, and those of them in which it was needed
        needs = (pods_needed(recent.only(rows)) for rows in pieces)
        number = np.concatenate([_counted(need, n_cells, self.windows) for need in needs], axis=1)
        of_all = number.sum(axis=1)
        usual = (of_all[1] + 0.5) / (of_all[0] + 1.0)
        own = (number[1] + OF_ALL * usual) / (number[0] + OF_ALL)
        self.services_ = demand.services
        # The last row is of services that are not among them.
        self.shares_: Shares = np.concatenate([own, usual[None]]).astype(np.float32)
        return self

    def predict(
        self, demand: Demand, origins: IntArray, known: KnownRows | None = None
    ) -> Forecast:
        """What was counted after such pauses."""
        row_of = {name: row for row, name in enumerate(self.services_)}
        table = np.array([row_of.get(name, len(row_of)) for name in demand.services], np.int64)
        pieces = [known] if known else pieces_of(demand, origins, self.windows)
        # No pause that counts is longer.
        begin = max(int(origins.min(initial=demand.n_steps)) - int(PAUSES[-1]), 0)
        need = pods_needed(demand.last(demand.n_steps - begin))
        answers = ((piece, self._answer(need, begin, table, piece.rows)) for piece in pieces)
        return forecast_of(demand, len(origins), len(self.windows) - 1, answers)

    def followed(self, services: Sequence[str]) -> set[str]:  # noqa: ARG002
        """Nobody."""
        return set()

    def _answer(self, need: FloatArray, begin: int, table: IntArray, rows: LevelRows) -> FloatArray:
        """(n_rows, n_windows) probabilities.

        need: from step ``begin`` on. table: (n,) row of each service's shares.
        """
        answer = np.empty((len(rows), len(self.windows) - 1))
        for cell in np.unique(rows.cell):
            mine = np.flatnonzero(rows.cell == cell)
            asked, service = np.unique(rows.service[mine], return_inverse=True)
            pause = _pauses(need[asked], cell)[service, rows.origin[mine] - begin]
            known = min(int(cell), self.shares_.shape[1] - 1)
            answer[mine] = self.shares_[table[rows.service[mine]], known, pause]
        return answer


def _counted(need: FloatArray, n_cells: int, windows: tuple[int, ...]) -> FloatArray:
    """(2, n, n_cells, n_pauses, n_windows) outcomes of some services."""
    n, n_steps = need.shape
    n_pauses = len(PAUSES) + 1
    number = np.zeros((2, n, n_cells, n_pauses, len(windows) - 1))
    ahead = [greatest_ahead(need, begin, end) for begin, end in pairwise(windows)]
    service = np.repeat(np.arange(n), n_steps)
    for cell in range(n_cells):
        place = service * n_pauses + _pauses(need, cell)[:, :-1].ravel()
        for window, (greatest, some_missing) in enumerate(ahead):
            came = greatest >= LEVELS[cell]
            for row, counts in enumerate((came | ~some_missing, came)):
                counted = np.bincount(place, counts.ravel(), minlength=n * n_pauses)
                number[row, :, cell, :, window] = counted.reshape(n, n_pauses)
    return number


def _pauses(need: FloatArray, cell: int) -> IntArray:
    """(n, n_steps + 1) the kind of pause that each service's level is in, at each origin."""
    n, n_steps = need.shape
    step = np.arange(n_steps, dtype=np.int32)
    never = -int(PAUSES[-1]) - 1
    last = np.maximum.accumulate(np.where(need >= LEVELS[cell], step, never), axis=1)
    last = np.concatenate([np.full((n, 1), never, dtype=last.dtype), last], axis=1)
    idle = np.arange(n_steps + 1) - 1 - last
    return np.asarray(np.searchsorted(PAUSES, idle, side="right"), dtype=np.int64)
