"""The state on disk, so that a restart of the learner reads no history anew.

Beside it lies the newest demand, which forecasts read too. An npz of plain arrays, never pickle,
written whole or not at all: of two learners that write the later one wins. It is not compressed,
which would take longer than reading the history does.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.bundle.checks import faults_of_names, texts_of
from autoscaler.bundle.npz import Arrays, read_npz
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from autoscaler.limits import STATE_BYTES
from learner.demand import Demand, ExternalSeries
from learner.models import RECENT_STEPS
from learner.models.columns import HALF_LIVES
from learner.models.levels import LEVELS
from learner.state.level_state import LevelState, NeededLevels, cells_needed, empty_state
from learner.state.periods import FEWEST_STEPS, turns_of
from learner.state.ring import MOST_NEED, SPARE, NeedRing
from learner.state.runs import NEVER, RUNS

MAGIC = "kn-ahead learner state"
VERSION = 2  # 2: with the window, and the newest demand
# What the numbers in the file mean; a learner that counts otherwise cannot use them.
MEANING = f"{RUNS} runs; half-lives {HALF_LIVES}; levels {LEVELS[LEVELS <= MOST_NEED].tolist()}"

_ALLOWED = f"a {MAGIC} of version {VERSION}"
_SCALARS = {"start_s": "f", "step_s": "f", "steps": "i", "spread": "i"}
_OF_SERVICES = ("known", "greatest", "at_greatest")
_RECENT = "recent_"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """A state, and the last steps of the demand that it goes on with."""

    state: LevelState
    recent: Demand


def save_state(state: LevelState, demand: Demand, path: Path) -> None:
    """Write state and the newest of ``demand`` to ``path``, atomically.

    Raises PermanentError where it cannot be written, and where the state was stepped on so far
    meanwhile that it is void: another may write while the loop goes on.
    """
    arrays: dict[str, Any] = {name: getattr(state, name) for name in (*_SCALARS, *_OF_SERVICES)}
    arrays |= state.levels.arrays() | _recent_arrays(demand.last(RECENT_STEPS))
    arrays["services"] = np.array(state.services, dtype=np.str_)
    arrays["need"] = state.ring.values
    with whole_file(path) as file:
        np.savez(file, allow_pickle=False, magic=MAGIC, version=VERSION, meaning=MEANING, **arrays)
        if state.ring.newest - state.steps >= SPARE:
            raise PermanentError(
                f"{path}: {state.ring.newest - state.steps} steps came while the state was written;"
                f" allowed: < {SPARE}"
            )


def load_state(path: Path) -> SavedState:
    """Read what `save_state` wrote.

    Raises PermanentError, naming the file, where it is missing, foreign, damaged, of another
    version or too large: whoever asks begins anew, and says why.
    """
    arrays = read_npz(path, allowed=_ALLOWED, packed=STATE_BYTES, unpacked=STATE_BYTES)
    expected = {"magic": MAGIC, "version": str(VERSION), "meaning": MEANING}
    for name, value in expected.items():
        if str(arrays.get(name)) != value:
            held = f"{arrays.get(name)!s:.80}"
            raise PermanentError(f"{path}: {name} is {held}; allowed: {_ALLOWED}, {value:.80}")
    try:
        return SavedState(state=_state(arrays), recent=_recent(arrays))
    except PermanentError as error:
        raise PermanentError(f"{path}: {error!s:.200}; allowed: {_ALLOWED}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise PermanentError(f"{path}: {error!s:.200}; allowed: {_ALLOWED}") from error


def _state(arrays: Arrays) -> LevelState:
    """The state. Raises ValueError, TypeError or KeyError where arrays do not fit each other."""
    scalars = {name: _scalar(arrays[name], kind) for name, kind in _SCALARS.items()}
    if arrays["services"].dtype.kind != "U" or arrays["services"].ndim != 1:
        raise ValueError("services is no list of names")
    if scalars["spread"] < 1:
        raise ValueError("refreshes are spread over no step")
    services = tuple(texts_of(arrays["services"]))
    if faults_of_names(services) or list(services) != sorted(services):
        raise ValueError("services are not names in order")
    window = arrays["need"].shape[-1] - SPARE
    if not FEWEST_STEPS <= window < MOST_NEED:
        raise ValueError(f"need holds {window} steps; expected {FEWEST_STEPS} to {MOST_NEED}")
    empty = empty_state(start_s=scalars["start_s"], step_s=scalars["step_s"], window=window)
    known, greatest, at_greatest = (
        _column(arrays, name, np.zeros(len(services), dtype=np.int32), 0, most)
        for name, most in zip(_OF_SERVICES, (window, MOST_NEED, window), strict=True)
    )
    need = np.zeros((len(services), window + SPARE), dtype=np.uint16)
    steps = int(scalars["steps"])
    return replace(
        empty,
        services=services,
        steps=steps,
        spread=int(scalars["spread"]),
        turn=turns_of(services, int(scalars["spread"])),
        known=known,
        greatest=greatest,
        at_greatest=at_greatest,
        ring=NeedRing(_column(arrays, "need", need, 0, MOST_NEED + 1), steps),
        levels=_levels(arrays, NeededLevels.of(cells_needed(greatest)), steps, window),
    )


def _levels(arrays: Arrays, blank: NeededLevels, steps: int, window: int) -> NeededLevels:
    """Those of ``blank``, with their past."""
    least = {"start": NEVER, "last_call": NEVER, "strength": -np.inf}
    most = {
        "number": window,
        "smooth": 1 + 1e-9,
        "period": window // 2,
        "strength": np.inf,
        "start": steps - 1,
        "last_call": steps - 1,
        "gap": 3,
    }
    checked = {
        name: _column(arrays, name, like, least.get(name, 0), most[name])
        for name, like in blank.arrays().items()
    }
    return NeededLevels.from_arrays(service=blank.service, cell=blank.cell, arrays=checked)


def _recent_arrays(demand: Demand) -> Arrays:
    external = demand.external or ExternalSeries(
        names=(), followers=(), values=np.zeros((0, demand.n_steps))
    )
    arrays: Arrays = {
        "services": np.array(demand.services, dtype=np.str_),
        "start_s": np.array(float(demand.start_s)),
        "arrivals": demand.arrivals.astype(np.float64),
        "peak": demand.peak.astype(np.float64),
        "capacity": np.asarray(demand.capacity),
        "names": np.array(external.names, dtype=np.str_),
        "followers": np.array(external.followers, dtype=np.str_),
        "external": np.asarray(external.values),
    }
    return {_RECENT + name: array for name, array in arrays.items()}


def _recent(arrays: Arrays) -> Demand:
    """Raises PermanentError, ValueError, TypeError or KeyError for demand that cannot be."""
    mine = {
        name.removeprefix(_RECENT): array
        for name, array in arrays.items()
        if name.startswith(_RECENT)
    }
    texts = {name: tuple(texts_of(mine[name])) for name in ("services", "names", "followers")}
    shape = mine["peak"].shape
    numbers = ("arrivals", "peak", "capacity", "external")
    if any(mine[name].dtype != np.float64 for name in numbers) or len(shape) != 2:
        raise ValueError("recent demand is of other kinds of numbers")
    if faults_of_names(texts["services"]) or not set(texts["services"]) <= set(
        texts_of(arrays["services"])
    ):
        raise ValueError("recent demand is of services that the state does not know")
    values = mine["external"]
    if values.shape != (len(texts["names"]), shape[1]) or len(texts["followers"]) != len(values):
        raise ValueError("external series do not fit recent demand")
    external = ExternalSeries(names=texts["names"], followers=texts["followers"], values=values)
    return Demand(
        services=texts["services"],
        start_s=_scalar(mine["start_s"], "f"),
        step_s=_scalar(arrays["step_s"], "f"),
        arrivals=mine["arrivals"],
        peak=mine["peak"],
        capacity=mine["capacity"],
        external=external if texts["names"] else None,
    )


def _scalar(array: np.ndarray[Any, Any], kind: str) -> float:
    value = float(array) if array.dtype.kind == kind and array.ndim == 0 else -1.0
    if not 0 < value + (kind == "i") < 1e12:
        raise ValueError(f"{array!s:.50} is no time and no number of steps")
    return value


def _column(
    arrays: Arrays, name: str, like: np.ndarray[Any, Any], least: float, most: float
) -> np.ndarray[Any, Any]:
    """One array, of the shape and dtype of another, within bounds."""
    array = arrays[name]
    if (array.shape, array.dtype) != (like.shape, like.dtype):
        raise ValueError(
            f"{name} is {array.dtype!s:.50} of shape {array.shape}; expected"
            f" {like.dtype} of {like.shape}"
        )
    if array.size and not (least <= array.min() and array.max() <= most):
        raise ValueError(f"{name} holds {array.min()} to {array.max()}; expected {least} to {most}")
    return array
