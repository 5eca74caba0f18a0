"""How much each expert counts, service by service and window by window.

The weight of an expert is what it would be if one of them told the truth of that service: it grows
with the likelihood of what came (Bayesian model averaging; "learning from expert advice",
Cesa-Bianchi and Lugosi 2006, with forgetting). Outcomes count for less than one each, as those of
neighbouring origins and levels are nearly the same: a service would be left to one expert after an
hour.

Log odds are mixed, not probabilities: an expert that gives every pause the same small chance would
drown what another knows of the rare ones, on which keep-alives depend. As a product of powers adds
up to at most 1 over what may come (Hoelder), the mixture's log loss is at most the mean of the
experts' losses by their weights: one that is wrong costs its weight times its loss.

So a model loses its say where it is wrong, visibly, and gets it back: its weight is what it said
of a service that came true, the older the less. One that is now as wrong as it was right has less
than half of it after `HALF_LIFE_S`, however long it was right; one that is r times as wrong after
log2(1 + 1 / r) of that. There is no further test that withdraws it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from autoscaler.bundle.checks import texts_of
from autoscaler.bundle.npz import Arrays
from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import Exceedance, Forecast
from learner.models.levels import LEVELS, pods_needed

HALF_LIFE_S = 43_200.0  # after which what came weighs half
FIRST = 0.7  # weight of the first expert where nothing is known; the others share the rest
AN_OUTCOME = 0.2  # that one of a window of one step counts for; of a wider one by its root
LEAST = 1e-4  # probability, and its distance from 1, that an expert is held to
LEAST_MIXED = 1e-6  # likewise, in the mixture
ORIGINS_A_WINDOW = 4  # that are compared with what came, in the width of a window

Answers = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What the experts gave for one window at one origin."""

    services: tuple[str, ...]  # (n,)
    answers: Answers  # (n_experts, n, n_cells)


class Mixture:
    """Weights of experts, moved by what comes. Origins have to be handed over in order."""

    def __init__(self, n_experts: int, windows: tuple[int, ...]) -> None:
        self.windows = windows
        others = (1 - FIRST) / max(n_experts - 1, 1)
        first = np.array([FIRST if n_experts > 1 else 1.0] + [others] * (n_experts - 1))
        self._first = np.log(first)[:, None, None]
        self._row: dict[str, int] = {}  # by service
        self._gain = np.zeros((n_experts, 0, len(windows) - 1))  # log likelihood, faded
        self._given: dict[tuple[int, int], _Given] = {}  # by origin, steps since the epoch; window
        self._latest = 0  # the origin up to which outcomes were counted, likewise

    def arrays(self) -> Arrays:
        """What is carried over to another process: all but what was given in the last windows."""
        return {
            "weighed_services": np.array(list(self._row), dtype=np.str_),
            "gain": self._gain.astype(np.float32),
            "weighed_until": np.array(self._latest),
        }

    def resume(self, arrays: Arrays) -> None:
        """Go on from `arrays`. Raises KeyError or ValueError for what cannot be.

        Of other experts there is nothing to go on from.
        """
        services, gain = texts_of(arrays["weighed_services"]), arrays["gain"]
        latest = arrays["weighed_until"]
        n_experts, _, n_windows = self._gain.shape
        fits = gain.ndim == 3 and gain.shape[1:] == (len(services), n_windows)
        if gain.dtype.kind != "f" or not fits or not np.isfinite(gain).all():
            raise ValueError(f"gain is {gain.dtype!s:.40} of shape {gain.shape}")
        if latest.dtype.kind != "i" or latest.ndim or latest < 0:
            raise ValueError(f"weighed_until is {latest!s:.40}")
        if len(gain) == n_experts:
            self._row = {name: row for row, name in enumerate(services)}
            self._gain, self._latest = gain.astype(np.float64), int(latest)

    def weights(self, services: Sequence[str]) -> FloatArray:
        """(n_experts, n, n_windows), of each service and window adding up to 1."""
        rows = np.array([self._row.get(name, -1) for name in services], dtype=np.int64)
        gain = np.where(rows[:, None] >= 0, self._gain[:, rows], 0.0) if self._row else 0.0
        log = self._first + np.broadcast_to(
            gain, (len(self._first), len(rows), len(self.windows) - 1)
        )
        weight = np.exp(log - log.max(axis=0))
        return np.asarray(weight / weight.sum(axis=0))

    def mixed(self, demand: Demand, origins: IntArray, given: Sequence[Forecast]) -> Forecast:
        """One forecast of the experts', by what came of earlier ones up to the first origin.

        Where the first expert sees no level in reach, there is none.
        """
        exceedance = _aligned(given)
        self._settle(demand, int(origins.min(initial=demand.n_steps)))
        weights = self.weights(demand.services).astype(np.float32)
        odds = logit(np.clip(exceedance, LEAST_MIXED, 1 - LEAST_MIXED))
        mixed = expit(np.einsum("enw,enowc->nowc", weights, odds))
        self._expect(demand, origins, exceedance)
        return replace(given[0], exceedance=np.where(exceedance[0] > 0, mixed, exceedance[0]))

    def _settle(self, demand: Demand, origin: int) -> None:
        """Count what came of the windows that were over at an origin of ``demand``."""
        first = demand.first_step
        latest = first + origin
        due = [key for key in self._given if key[0] + self.windows[key[1] + 1] <= latest]
        if not due:
            return
        # Where the clock was set back, or a file says so, nothing has elapsed.
        elapsed_s = max(latest - self._latest, 0) * demand.step_s if self._latest else 0.0
        self._gain *= 0.5 ** (elapsed_s / HALF_LIFE_S)
        self._latest = latest
        self._know(demand.services)
        recent = demand.until(origin).last(latest - min(then for then, _ in due))
        need, first = pods_needed(recent), recent.first_step
        present = {name: row for row, name in enumerate(demand.services)}
        for then, window in sorted(due):
            given = self._given.pop((then, window))
            if then >= first:
                begin, end = self.windows[window], self.windows[window + 1]
                came = need[:, then - first + begin : then - first + end]
                self._count(given, window, present, came)

    def _count(self, given: _Given, window: int, present: dict[str, int], need: FloatArray) -> None:
        """need: (n, width) pods in the window, of the services present."""
        some = [name in present for name in given.services]
        names = [name for name in given.services if name in present]
        came = need[[present[name] for name in names]]
        known = ~np.isnan(came).any(axis=1)
        rows = np.array([self._row[name] for name in names], dtype=np.int64)[known]
        answers = given.answers[:, some][:, known].astype(np.float64)
        inside = np.clip(answers, LEAST, 1 - LEAST)
        needed = came[known].max(axis=1, initial=0.0)[:, None] >= LEVELS[: answers.shape[2]]
        log = np.where(answers[0] > 0, np.log(np.where(needed, inside, 1 - inside)), 0.0)
        width = self.windows[window + 1] - self.windows[window]
        self._gain[:, rows, window] += AN_OUTCOME * _stride(width) / width**0.5 * log.sum(axis=2)

    def _expect(self, demand: Demand, origins: IntArray, exceedance: Exceedance) -> None:
        """Keep what will be compared with what comes."""
        first = demand.first_step
        for place, origin in enumerate(origins.tolist()):
            then = first + origin
            for window in range(len(self.windows) - 1):
                width = self.windows[window + 1] - self.windows[window]
                if then % _stride(width) == 0:
                    answers = exceedance[:, :, place, window].astype(np.float16)
                    self._given[then, window] = _Given(services=demand.services, answers=answers)

    def _know(self, services: Sequence[str]) -> None:
        """Have a row for each service; forget those that are gone once they are the most."""
        if len(self._row) > 2 * len(services):
            kept = [name for name in services if name in self._row]
            self._gain = self._gain[:, [self._row[name] for name in kept]]
            self._row = {name: row for row, name in enumerate(kept)}
        new = [name for name in services if name not in self._row]
        self._row |= {name: len(self._row) + i for i, name in enumerate(new)}
        none = np.zeros((len(self._first), len(new), len(self.windows) - 1))
        self._gain = np.concatenate([self._gain, none], axis=1)


def _stride(width: int) -> int:
    """Steps from an origin of which a window is compared with what came to the next one."""
    return max(width // ORIGINS_A_WINDOW, 1)


def _aligned(given: Sequence[Forecast]) -> Exceedance:
    """(n_experts, n, n_origins, n_windows, n_cells) in the first one's cells."""
    n_cells = given[0].exceedance.shape[3]
    whole = np.zeros((len(given), *given[0].exceedance.shape), dtype=np.float32)
    for place, each in enumerate(given):
        own = min(n_cells, each.exceedance.shape[3])
        whole[place, ..., :own] = each.exceedance[..., :own]
    return whole
