"""Fitting the models anew while forecasts go on.

Fits run beside the loop. Until the first is done the prior answers; the first is not begun before a
day is known, as fits on less have more cold starts than the prior. Without a prior it is waited
for. While little is known, the next comes as soon as much more is. A fit's models take over when it
is done; where it fails, the former models stay until it is time for the next.
"""

import math
from collections.abc import Callable
from concurrent.futures import Future

from autoscaler.health import Health
from autoscaler.logs import get_logger
from learner.background import in_background
from learner.calibration.rolling import RollingCalibration
from learner.demand import Demand
from learner.engine import Learner, NewModel, mixed
from learner.models import Model
from learner.settings import LearnerSettings

GROWTH = 4  # as many steps known as at the last fit are reason for another before its time
FIRST_S = 86_400.0  # that are known when the first fit begins, while a prior answers
FITTING = "fitting"  # as a part that may be faulty

Start = Callable[[Callable[[], Learner]], "Future[Learner]"]

log = get_logger(__name__)


class Refits:
    """The models in force, fitted anew every ``refit_s`` seconds."""

    def __init__(
        self,
        settings: LearnerSettings,
        *,
        refit_s: float,
        faults: Health,
        heartbeat: Callable[[], None],
        prior: Model | None = None,
        model: NewModel = mixed,
        start: Start = in_background,
    ) -> None:
        """``prior``: answers until the first fit is done; None = that is waited for.

        ``model``: makes what is fitted.
        """
        self._settings, self._refit_s = settings, refit_s
        self._faults, self._heartbeat, self._start = faults, heartbeat, start
        self._model = model
        self.fitted: Learner | None = None  # on demand of these services
        self._fitting: Future[Learner] | None = None
        self.calibration = RollingCalibration(settings.windows)  # of all models in their turn
        self._prior = Learner.of(prior, settings, self.calibration) if prior else None
        self._begun_s = -math.inf  # Unix s at which the last fit began
        self._known = 0  # steps that it learned from

    def resume(self, model: Model, calibration: RollingCalibration, fitted_at_s: float) -> None:
        """Go on with what a former process fitted, at Unix s ``fitted_at_s``."""
        self.calibration = calibration
        self.fitted = Learner.of(model, self._settings, calibration, fitted_at_s)
        self._prior = None
        self._begun_s, self._known = fitted_at_s, calibration.knows

    def learner(self, demand: Demand, now: float, *, whole: bool = True) -> tuple[Learner, bool]:
        """The models in force at Unix s ``now``, and whether they are new.

        demand: what a fit that begins now learns from; whole: whether it is all of the past, else
        no fit begins as long as there are models. Raises what the first fit raises that is waited
        for.
        """
        waits = self.fitted is None and self._prior is None
        enough = GROWTH * max(self._known, 1)  # known steps
        grown = demand.n_steps >= enough and _known(demand) >= enough
        due = now - self._begun_s >= self._refit_s or grown
        if self.fitted is None:
            due &= _known(demand) * demand.step_s >= FIRST_S
        if self._fitting is None and (waits or (whole and due)):
            self._begun_s, self._known = now, _known(demand)
            self._fitting = self._start(lambda: self._fit(demand))
        fitted = self._done(now, waits=waits)
        if fitted is not None:
            self.fitted = fitted
            self.calibration.succeed(self._known)
            log.info("fitted", services=len(demand.services), took_s=round(now - self._begun_s))
        in_force = self.fitted or self._prior
        assert in_force is not None
        return in_force, fitted is not None

    def _done(self, now: float, *, waits: bool) -> Learner | None:
        """What the fit has come to, if it is over, or if it is waited for."""
        fitting = self._fitting
        if fitting is None or not (waits or fitting.done()):
            return None
        self._fitting = None
        try:
            fitted = fitting.result()
        except Exception as error:
            if waits:
                raise
            self._faults.report(FITTING, f"{error!r}", now)
            log.warning("the former models stay", exc_info=error)
            return None
        self._faults.report(FITTING, "", now)
        return fitted

    def _fit(self, demand: Demand) -> Learner:
        learner = Learner(self._settings, self._model, self.calibration)
        return learner.fit(demand, progress=lambda *_: self._heartbeat())


def _known(demand: Demand) -> int:
    """Steps known of the service of which most are."""
    return int(demand.known.sum(axis=1).max(initial=0))
