"""The contract of a model: fit on past demand, forecast at any origin from what came before it.

Step i covers
``[start_s + i * step_s, + step_s)``; a forecast at **origin** i has seen the steps before i only.
Window j of a forecast covers the steps ``[origin + windows[j], origin + windows[j + 1])``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import numpy.typing as npt

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand

if TYPE_CHECKING:
    from learner.models.known_rows import KnownRows

Exceedance = npt.NDArray[np.float32]

# Before an origin, of which a model needs more than the rows that are known: the longest pause that
# `learner.experts.recency` tells apart, and what `learner.models.upstream` looks back, and spare.
RECENT_STEPS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Probability that peak demand exceeds each cell's lower edge within each window."""

    demand_edges: FloatArray  # (n, n_cells + 1) requests in flight, from 0; the last repeats
    exceedance: (
        Exceedance  # (n, n_origins, n_windows, n_cells) falling along cells; NaN = no answer
    )
    reason: tuple[str, ...]  # (n,) why a service has no forecast; "" = it has one
    by: tuple[str, ...] = ()  # (n,) which models gave it; empty = the one that was asked

    def __post_init__(self) -> None:
        """Check shapes."""
        n, _, _, n_cells = self.exceedance.shape
        assert self.demand_edges.shape == (n, n_cells + 1)
        assert len(self.reason) == n
        assert len(self.by) in {0, n}

    def among(self, rows: IntArray, capacity: FloatArray, reasons: Sequence[str]) -> "Forecast":
        """This one as that of ``rows`` among n services; the others have none, for a reason.

        capacity, reasons: (n,) of all; a reason in ``rows`` is replaced.
        """
        exceedance = np.full((len(capacity), *self.exceedance.shape[1:]), np.nan, dtype=np.float32)
        exceedance[rows] = self.exceedance
        edges = np.where(np.arange(self.demand_edges.shape[1]) > 0, capacity[:, None], 0.0)
        edges[rows] = self.demand_edges
        reason, by = list(reasons), [""] * len(reasons) if self.by else []
        for place, row in enumerate(rows):
            reason[row] = self.reason[place]
            if by:
                by[row] = self.by[place]
        return Forecast(
            demand_edges=edges, exceedance=exceedance, reason=tuple(reason), by=tuple(by)
        )


class Model(Protocol):
    """A forecaster. The constructor stores, ``fit`` learns, ``predict`` is causal."""

    name: str
    windows: tuple[int, ...]  # (n_windows + 1,) edges in steps after the origin, ascending from 0

    def fit(self, demand: Demand, edges: Edges | None = None) -> Self:
        """Learn from all of ``demand``; edges: who follows whom in it, where that is known."""
        ...

    def predict(
        self, demand: Demand, origins: IntArray, known: "KnownRows | None" = None
    ) -> Forecast:
        """Forecast at each origin (0 ... n_steps) from the steps of ``demand`` before it.

        known: all rows, where they are known already: a model then need not work them out from the
        whole of ``demand``, which may begin `RECENT_STEPS` before the first origin.
        """
        ...

    def followed(self, services: Sequence[str]) -> set[str]:
        """Other services, from whose demand of the last hours those are forecast as well."""
        ...
