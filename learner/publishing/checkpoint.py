"""What a learner needs to publish at once after a restart, in two files beside the bundle.

``*.state.npz`` holds the past of all levels and the newest demand (some 50 KB a service),
``*.model.npz`` the fitted model and its calibration (some MB). Each is of use without the other.
Both are written beside the loop, after each fit and every few minutes, whole or not at all; of two
learners that write the later one wins. What cannot be used is said, and begun anew.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autoscaler.errors import AutoscalerError, PermanentError
from autoscaler.health import Health
from autoscaler.logs import get_logger
from learner.background import Begin, in_background
from learner.demand import Demand
from learner.engine import ExpertsFactory, NewModel, mixed
from learner.experts.model import Experts
from learner.experts.recency import Recency
from learner.models import Model
from learner.models.pooled import Pooled
from learner.publishing.fitted_file import Fitted, load_fitted, save_fitted
from learner.publishing.refits import Refits
from learner.sharding.shards import Shards
from learner.sources.remembered import Remembered
from learner.state.carried import CarriedState
from learner.state.file import SavedState, load_state, save_state
from learner.state.level_state import LevelState
from learner.state.periods import FEWEST_STEPS
from learner.state.stepping import MOST_LEFT_OUT

SAVE_S = 300.0  # between two writings
ABANDONED_S = 3600.0  # age of a draft whose writer is gone
SAVING = "saving what a restart goes on from"  # as a part that may be faulty

T = TypeVar("T")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """What a learner begins with."""

    prior: Model | None = None
    """Answers until then; None = the first fit is waited for."""

    model: NewModel = mixed
    """Makes what is fitted."""

    checkpoint: "Checkpoint | None" = None
    """What a former process knew; None = the past is read anew."""

    shards: Shards | None = None
    """Carry the state, for models that are their tasks; None = this process does."""


class Checkpoint:
    """The two files of a learner."""

    def __init__(
        self,
        bundle: Path,
        source: Remembered,
        *,
        windows: tuple[int, ...],
        step_s: float,
        history_s: float,
        experts: ExpertsFactory | None = None,
        begin: Begin = in_background,
    ) -> None:
        """``source``: goes on from the newest demand; ``experts``: are what is fitted.

        The others: as the learner runs now.
        """
        self._state_path = bundle.with_name(f"{bundle.stem}.state.npz")
        self._model_path = bundle.with_name(f"{bundle.stem}.model.npz")
        self._source, self._windows = source, windows
        self._step_s, self._history_s = step_s, history_s
        self._begin, self._experts = begin, experts or ExpertsFactory(windows)
        self._faults = Health()
        self._saving: Future[None] | None = None
        self._saved_s = 0.0  # Unix s

    def resume(self, refits: Refits, now: float) -> CarriedState:
        """Go on from what a former process saved, as far as it can be used. now: Unix s."""
        self._saved_s = now
        self._remove_drafts(now)
        fitted = self._loaded(self._model_path, self._usable_model, now)
        if fitted:
            model = self._experts.of(fitted.model, fitted.recency)
            refits.resume(model, fitted.calibration, fitted.fitted_at_s)
            log.info("the fitted model is that of a former process", path=str(self._model_path))
        saved = self._loaded(self._state_path, self._usable_state, now)
        if saved is None:
            return CarriedState()
        self._source.resume(saved.recent)
        log.info(
            "the past is that of a former process",
            path=str(self._state_path),
            services=len(saved.state.services),
            age_s=round(now - saved.state.end_s),
        )
        return CarriedState(saved.state, saved.recent)

    def save(
        self, refits: Refits, carried: CarriedState, demand: Demand, now: float, *, at_once: bool
    ) -> None:
        """Write both beside the loop, if it is time, or ``at_once``; not while they are written."""
        if self._saving is not None:
            if not self._saving.done():
                return
            self._note(self._saving, now)
            self._saving = None
        state, learner = carried.oldest, refits.fitted
        if state is None or not (at_once or now - self._saved_s >= SAVE_S):
            return
        fitted = None
        if learner is not None and isinstance(learner.model_, Experts):
            boosting, recency = learner.model_.models[:2]
            assert isinstance(boosting, Pooled)
            assert isinstance(recency, Recency)
            fitted = Fitted(
                model=boosting,
                recency=recency,
                weights=learner.model_.mixture.arrays(),
                calibration=refits.calibration,
                fitted_at_s=learner.fitted_at_s_,
                step_s=demand.step_s,
            )
        self._saved_s = now
        self._saving = self._begin(lambda: self._write(state, demand, fitted))

    def _write(self, state: LevelState, demand: Demand, fitted: Fitted | None) -> None:
        if fitted is not None:
            save_fitted(fitted, self._model_path)
        save_state(state, demand, self._state_path)

    def _note(self, saving: "Future[None]", now: float) -> None:
        error = saving.exception()
        self._faults.report(SAVING, f"{error!s:.200}" if error else "", now)

    def _loaded(self, path: Path, load: Callable[[Path, float], T], now: float) -> T | None:
        """None = there is no such file, or it cannot be used, which is said."""
        if not path.exists():
            return None
        try:
            return load(path, now)
        except AutoscalerError as error:
            log.warning("begins anew", why=str(error))
        except Exception as error:
            log.exception("begins anew", path=str(path), why=f"{error!r:.200}")
        return None

    def _usable_model(self, path: Path, now: float) -> Fitted:
        fitted = load_fitted(path)
        windows, age_s = fitted.model.windows, now - fitted.fitted_at_s
        for name, value, allowed, fits in (
            ("windows", windows, self._windows, windows == self._windows),
            ("step_s", fitted.step_s, self._step_s, fitted.step_s == self._step_s),
            ("age", age_s, f"0 to {self._history_s:g} s", 0 <= age_s <= self._history_s),
        ):
            if not fits:
                raise PermanentError(f"{path}: {name} is {value}; allowed: {allowed}")
        self._experts.mixture.resume(fitted.weights)
        return fitted

    def _usable_state(self, path: Path, now: float) -> SavedState:
        saved = load_state(path)
        state, window = saved.state, max(round(self._history_s / self._step_s), FEWEST_STEPS)
        kept = state.ring.window  # less than it may be where all of the past was too much
        age_s, most_s = now - state.end_s, MOST_LEFT_OUT * self._step_s
        for name, value, allowed, fits in (
            ("step_s", state.step_s, self._step_s, state.step_s == self._step_s),
            ("steps kept", kept, f"{FEWEST_STEPS} to {window}", FEWEST_STEPS <= kept <= window),
            ("age", age_s, f"0 to {most_s:g} s", 0 <= age_s <= most_s),
        ):
            if not fits:
                raise PermanentError(f"{path}: {name} is {value}; allowed: {allowed}")
        return saved

    def _remove_drafts(self, now: float) -> None:
        """What a process was writing when it was killed: as large as the files."""
        for path in (self._state_path, self._model_path):
            for draft in path.parent.glob(f".{path.name}.*"):
                try:
                    if now - draft.stat().st_mtime > ABANDONED_S:
                        draft.unlink()
                except OSError as error:
                    log.warning("a draft stays", path=str(draft), why=str(error))
