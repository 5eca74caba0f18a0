"""Rolling calibration: forecasts are corrected by what came of those made in the last day.

What a model gave is kept until its windows are over, and then compared with what came. So the line
belongs to the models in force: one learned on held-back time belongs to models that knew less. What
came of former models' forecasts weighs as the square of the share that they knew: in the first hour
each knows far more than the last, and by outcomes of unsure models sure ones would be made unsure.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from autoscaler.bundle.npz import Arrays
from autoscaler.core.types import FloatArray, IntArray
from learner.calibration.reliability import Reliability, corrected
from learner.demand import Demand
from learner.models import Exceedance
from learner.models.levels import LEVELS, pods_needed

HALF_LIFE_S = 43_200.0  # after which what came weighs half
MOST_ORIGINS = 48  # of one call whose forecasts are kept; more would say the same
MOST_SERVICES = 256  # at one origin, drawn anew for each


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What a model gave at one origin."""

    services: tuple[str, ...]  # (k,)
    exceedance: Exceedance  # (k, n_windows, n_cells) not calibrated ...
    published: Exceedance  # ... and as it was then
    knew: int  # steps that the model had learned from


class RollingCalibration:
    """The line of each window, moved by what comes. Origins have to be handed over in order."""

    def __init__(self, windows: tuple[int, ...]) -> None:
        n_windows = len(windows) - 1
        self.windows = windows
        self._given: dict[int, _Given] = {}  # by origin, in steps since the epoch
        self._latest = 0  # the origin up to which outcomes were counted, likewise
        self.knows = 1  # steps that the models in force have learned from
        self.reliability = Reliability(n_windows)  # of what the model gave
        self.published = Reliability(n_windows)  # of what was made of it
        self.intercept, self.slope = np.zeros(n_windows), np.ones(n_windows)

    def arrays(self) -> Arrays:
        """What is carried over to another process: all but what was given in the last windows."""
        return {
            "model_outcomes": self.reliability.number,
            "published_outcomes": self.published.number,
            "line": np.stack([self.intercept, self.slope]),
            "counted_until": np.array(self._latest),
            "knows": np.array(self.knows),
        }

    @classmethod
    def of_arrays(cls, windows: tuple[int, ...], arrays: Arrays) -> Self:
        """The inverse of `arrays`. Raises KeyError or ValueError for what cannot be."""
        made = cls(windows)
        tables = {"model_outcomes": made.reliability, "published_outcomes": made.published}
        for name, table in tables.items():
            table.number = _numbers(arrays, name, table.number.shape, least=0.0)
        made.intercept, made.slope = _numbers(arrays, "line", (2, len(windows) - 1))
        made._latest = int(_numbers(arrays, "counted_until", (), least=0.0))
        made.knows = int(_numbers(arrays, "knows", (), least=1.0))
        return made

    def apply(self, exceedance: Exceedance) -> Exceedance:
        """Calibrated probabilities (n, n_origins, n_windows, n_cells)."""
        return corrected(exceedance, self.intercept, self.slope)

    def succeed(self, knows: int) -> None:
        """Models come into force that have learned from so many steps."""
        self.reliability.fade(_weight(self.knows, knows))
        self.knows = knows

    def settle(self, demand: Demand, origin: int) -> None:
        """Count what came of the windows that were over at an origin of ``demand``."""
        first = demand.first_step
        latest = first + origin
        due = [then for then in self._given if then + self.windows[-1] <= latest]
        if not due:
            return
        # Where the clock was set back, or a file says so, nothing has elapsed.
        elapsed_s = max(latest - self._latest, 0) * demand.step_s
        for table in (self.reliability, self.published):
            table.fade(0.5 ** (elapsed_s / HALF_LIFE_S) if self._latest else 1.0)
        self._latest = latest
        recent = demand.until(origin).last(latest - min(due))
        need, first = pods_needed(recent), recent.first_step
        row_of = {name: row for row, name in enumerate(demand.services)}
        for then in due:
            given = self._given.pop(then)
            present = np.array([name in row_of for name in given.services])
            rows = np.array([row_of[name] for name in given.services if name in row_of], np.int64)
            if then >= first and len(rows):
                came = need[rows, then - first :]
                weight = _weight(given.knew, self.knows)
                self._count(self.reliability, given.exceedance[present], came, weight)
                self._count(self.published, given.published[present], came, 1.0)
        self.intercept, self.slope = self.reliability.lines()

    def expect(self, demand: Demand, origins: IntArray, exceedance: Exceedance) -> None:
        """Keep some of what a model gives at some of the origins.

        exceedance: (n, n_origins, n_windows, n_cells), not calibrated.
        """
        first = demand.first_step
        chosen = np.linspace(0, len(origins) - 1, min(len(origins), MOST_ORIGINS)).astype(np.int64)
        for place in chosen:
            then = first + int(origins[place])
            n = len(demand.services)
            rows = np.random.default_rng(then).permutation(n)[:MOST_SERVICES]
            self._given[then] = _Given(
                services=tuple(demand.services[row] for row in rows),
                exceedance=exceedance[rows, place],
                published=self.apply(exceedance[rows, place][:, None])[:, 0],
                knew=self.knows,
            )

    def _count(
        self, table: Reliability, exceedance: Exceedance, need: FloatArray, weight: float
    ) -> None:
        """exceedance: (k, n_windows, n_cells). need: (k, n_steps) pods from the origin on."""
        levels = LEVELS[: exceedance.shape[2]]
        for window, (begin, end) in enumerate(pairwise(self.windows)):
            some = need[:, begin:end]
            known = np.flatnonzero(~np.isnan(some).any(axis=1))
            came = some[known].max(axis=1)[:, None] >= levels
            given = exceedance[known, window].astype(np.float64)
            table.add(window, given.ravel(), came.ravel(), weight)


def _weight(knew: int, knows: int) -> float:
    """Of what came of forecasts by models that knew so many steps, beside those in force."""
    return min(1.0, knew / max(knows, 1)) ** 2


def _numbers(
    arrays: Arrays, name: str, shape: tuple[int, ...], least: float = -np.inf
) -> FloatArray:
    numbers = arrays[name]
    if numbers.dtype.kind not in "if" or numbers.shape != shape:
        raise ValueError(f"{name} is {numbers.dtype!s:.40} of shape {numbers.shape}")
    if not (np.isfinite(numbers).all() and (numbers >= least).all() and (numbers < 1e15).all()):
        raise ValueError(f"{name} holds a number that cannot be")
    return numbers.astype(np.float64)
