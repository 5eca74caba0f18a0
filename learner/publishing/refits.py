"""Fitting the models anew while forecasts go on.

The first fit is waited for; while little is known, the next comes as soon as much more is. A later
one runs beside the loop, and its models take over when it is
done; where it fails, the former models stay until it is time for the next.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from autoscaler.health import Health
from autoscaler.logs import get_logger
from learner.calibration.rolling import RollingCalibration
from learner.demand import Demand
from learner.engine import Learner
from learner.settings import LearnerSettings

GROWTH = 4  # as many steps known as at the last fit are reason for another before its time
FITTING = "fitting"  # as a part that may be faulty

Start = Callable[[Callable[[], Learner]], "Future[Learner]"]

log = get_logger(__name__)


def in_background(fit: Callable[[], Learner]) -> "Future[Learner]":
    """Run ``fit`` in a thread that does not keep the process from ending."""
    future: Future[Learner] = Future()

    def run() -> None:
        try:
            future.set_result(fit())
        except BaseException as error:  # noqa: BLE001  # raised to who asks for the result
            future.set_exception(error)

    threading.Thread(target=run, name="fit", daemon=True).start()
    return future


class Refits:
    """The models in force, fitted anew every ``refit_s`` seconds."""

    def __init__(
        self,
        settings: LearnerSettings,
        *,
        refit_s: float,
        faults: Health,
        heartbeat: Callable[[], None],
        start: Start = in_background,
    ) -> None:
        self._settings, self._refit_s = settings, refit_s
        self._faults, self._heartbeat, self._start = faults, heartbeat, start
        self._learner: Learner | None = None
        self._fitting: Future[Learner] | None = None
        self.calibration = RollingCalibration(settings.windows)  # of all models in their turn
        self._begun_s = 0.0  # Unix s at which the last fit began
        self._known = 0  # steps that it learned from

    def learner(self, demand: Demand, now: float) -> tuple[Learner, bool]:
        """The models in force at Unix s ``now``, and whether they are new.

        demand: what a fit that begins now learns from. Raises what the first fit raises.
        """
        enough = GROWTH * max(self._known, 1)  # known steps
        grown = demand.n_steps >= enough and _known(demand) >= enough
        due = now - self._begun_s >= self._refit_s or grown
        if self._fitting is None and (due or self._learner is None):
            self._begun_s, self._known = now, _known(demand)
            self._fitting = self._start(lambda: self._fit(demand))
        fitted = self._fitted(now)
        if fitted is not None:
            self._learner = fitted
            self.calibration.succeed(self._known)
            log.info("fitted", services=len(demand.services), took_s=round(now - self._begun_s))
        assert self._learner is not None
        return self._learner, fitted is not None

    def _fitted(self, now: float) -> Learner | None:
        """What the fit has come to, if it is over; waits for the first."""
        fitting = self._fitting
        if fitting is None or (self._learner is not None and not fitting.done()):
            return None
        self._fitting = None
        try:
            fitted = fitting.result()
        except Exception as error:
            if self._learner is None:
                raise
            self._faults.report(FITTING, f"{error!r}", now)
            log.warning("the former models stay", exc_info=error)
            return None
        self._faults.report(FITTING, "", now)
        return fitted

    def _fit(self, demand: Demand) -> Learner:
        learner = Learner(self._settings, calibration=self.calibration)
        return learner.fit(demand, progress=lambda *_: self._heartbeat())


def _known(demand: Demand) -> int:
    """Steps known of the service of which most are."""
    return int(demand.known.sum(axis=1).max(initial=0))
