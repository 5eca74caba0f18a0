"""The learner's loop: read demand, forecast every step, publish; fit now and then beside it.

A failure (Prometheus gone, too little history) is logged once when it begins and once when it is
over. Meanwhile nothing is published and the last bundle grows old: the autoscaler then applies
Knative's rule until a new one appears.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoscaler.access import Access
from autoscaler.bundle.file import save_bundle
from autoscaler.clock import Clock, SystemClock
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.prediction.forecasts import MOST_NAMED, QUARANTINED, ForecastBundle
from autoscaler.errors import AutoscalerError, PermanentError
from autoscaler.health import Health
from autoscaler.limits import HISTORY
from autoscaler.logs import get_logger
from autoscaler.names import shown_name
from autoscaler.refusals import LimitError
from learner.background import in_background
from learner.calibration.reliability import EDGES
from learner.calibration.rolling import RollingCalibration
from learner.demand import Demand, DemandSource
from learner.dependency_search import DependencySearch, dependency_search_of
from learner.engine import ExpertsFactory, found_edges, pooled
from learner.models import Model
from learner.models.boosting import TrainingSet
from learner.models.known_rows import KnownRows
from learner.prior.file import SHIPPED, load_prior
from learner.publishing.checkpoint import Checkpoint, WarmStart
from learner.publishing.refits import Refits, Start
from learner.settings import LearnerSettings
from learner.sharding.backend import Backend
from learner.sharding.local import Local
from learner.sharding.model import Sharded
from learner.sharding.shards import Shards
from learner.sources.demand_reader import PrometheusReader, shown_after_s
from learner.sources.queries import PrometheusServer
from learner.sources.remembered import Remembered
from learner.sources.upstreams import UpstreamSeries, WithUpstreams
from learner.state.carried import CarriedState
from learner.status import LearnerStatus, Outcomes

STATE = "carried state"  # as a part that may be faulty
LEAST_HISTORY_S = 86_400.0  # a learner that may hold less has nothing to say
STORED_S = 1.0  # s after a scrape until its samples are in Prometheus

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishSettings:
    """How much is read, and how often."""

    bundle: Path
    """Where the bundle appears."""

    step_s: float = 60.0
    """Step of the demand, s."""

    history_s: float = 14 * 86_400.0
    """How far back is read, s."""

    refit_s: float = 3600.0
    """How often the models are fitted anew, s."""

    key: bytes | None = None
    """What the bundle is signed with; None = it is not."""

    learner: LearnerSettings = field(default_factory=LearnerSettings)
    """What a fit may cost."""


class Publisher:
    """Publishes a bundle every step."""

    def __init__(
        self,
        source: DemandSource,
        settings: PublishSettings,
        clock: Clock,
        sleep: Callable[[float], None],
        search: DependencySearch | None = None,
        status: LearnerStatus | None = None,
        warm: WarmStart | None = None,
        start: Start = in_background,
    ) -> None:
        """``search``: for the edges published with the forecasts; None = there are none.

        ``warm``: what there is before the first fit; None = nothing. ``start``: begins a fit.
        """
        self._status = status or LearnerStatus(clock)
        self._faults, warm = Health(), warm or WarmStart()
        self._source, self._settings, self._search = source, settings, search
        self._clock, self._sleep = clock, sleep
        self._refits = Refits(
            settings.learner,
            refit_s=settings.refit_s,
            faults=self._faults,
            heartbeat=self._status.heartbeat,
            prior=warm.prior,
            model=warm.model,
            start=start,
        )
        self._checkpoint, self._resumed = warm.checkpoint, False
        self._history_s = settings.history_s  # that is read; less where all is more than is held
        self._searched_s = -math.inf  # Unix s
        self._carried, self._shards = CarriedState(), warm.shards
        self._failing_since_s: float | None = None  # Unix s; None = the last step was published

    def run(self) -> None:
        """Publish once a step, for ever."""
        while True:
            self.wait()
            self._status.heartbeat()
            try:
                self.publish()
            except AutoscalerError as error:
                self._note_failure(str(error))
            except Exception as error:  # noqa: BLE001
                # An error in our code on one step's demand need not recur on the next.
                self._note_failure(f"{error!r}", traceback=error)
            else:
                self._note_recovery()

    def _note_failure(self, why: str, traceback: Exception | None = None) -> None:
        if self._failing_since_s is None:
            self._failing_since_s = self._clock.now()
            log.warning("nothing published; trying again every step", why=why, exc_info=traceback)

    def _note_recovery(self) -> None:
        if self._failing_since_s is not None:
            log.info("published again", after_s=round(self._clock.now() - self._failing_since_s))
            self._failing_since_s = None

    def wait(self) -> None:
        """Sleep until the next step has ended and settled."""
        step_s = self._settings.step_s
        now = self._clock.now() - settle_s(step_s)
        self._sleep(step_s - now % step_s)

    def publish(self) -> None:
        """Read, fit if it is time, forecast, write. Raises AutoscalerError."""
        if self._checkpoint and not self._resumed:
            self._resumed = True
            self._carried = self._checkpoint.resume(self._refits, self._clock.now())
        demand = self._read()
        now = self._clock.now()
        whole = demand.end_s - demand.start_s > self._history_s - demand.step_s
        learner, is_new = self._refits.learner(demand, now, whole=whole)
        bundle = learner.bundle(demand, None if self._shards else self._newest_rows(demand, now))
        if self._shards:
            self._faults.report(STATE, self._shards.fault, now)
        self._status.outcomes = outcomes_of(self._refits.calibration, demand.step_s)
        if self._search:
            self._search.restore(now)
            bundle = replace(bundle, edges=self._search.edges)
        self._save(bundle)
        self._note_quarantine(demand, bundle)
        if self._checkpoint:
            self._checkpoint.save(self._refits, self._carried, demand, now, at_once=is_new)
        # Forecasts are saved before the search: it may take long, or Prometheus may be gone.
        due = is_new or (whole and now - self._searched_s >= self._settings.refit_s)
        in_fit = learner.edges_ if is_new else None
        if self._search and self._searched(self._search, demand if due else None, in_fit, now):
            self._save(replace(bundle, edges=self._search.edges))

    def _searched(
        self, search: DependencySearch, demand: Demand | None, in_fit: Edges | None, now: float
    ) -> bool:
        """Search in what is new, and in ``demand``; whether the edges have changed.

        in_fit: what a fit on it found in counts; None = they have to be searched.
        """
        if demand is None:
            return search.update(None, now)
        self._searched_s = now
        return search.update(demand, now, found_edges(demand) if in_fit is None else in_fit)

    def _newest_rows(self, demand: Demand, now: float) -> KnownRows | None:
        """From the state carried; None = an error in it, and forecasts come from the whole past."""
        try:
            rows = self._carried.newest_rows(demand, self._settings.learner.windows)
        except Exception as error:
            log.exception("the state is of no use")
            self._carried = CarriedState()
            self._faults.report(STATE, f"{error!r:.200}", now)
            return None
        self._faults.report(STATE, "", now)
        return rows

    def _save(self, bundle: ForecastBundle) -> None:
        save_bundle(bundle, self._settings.bundle, self._settings.key)

    def _note_quarantine(self, demand: Demand, bundle: ForecastBundle) -> None:
        """Log which services are quarantined, when others are than before."""
        former, now = self._status.quarantined, dict(demand.quarantined)
        for name, why in zip(bundle.services, bundle.reason, strict=True):
            if why.startswith(QUARANTINED):
                now[name] = why.removeprefix(QUARANTINED)
        new = [f"{shown_name(name)}: {why}" for name, why in now.items() if name not in former]
        over = [shown_name(name) for name in former if name not in now]
        if new:
            log.warning("services quarantined", services=_some(new))
        if over:
            log.info("services no longer quarantined", services=_some(over))
        self._status.published(now)

    def _read(self) -> Demand:
        s, started_s = self._settings, self._clock.now()
        end_s = (started_s - settle_s(s.step_s)) // s.step_s * s.step_s
        demand = self._read_as_far_back_as_can_be(end_s)
        now = self._clock.now()
        slow = f"took {now - started_s:.0f} s; forecasts come every {s.step_s:.0f} s at best"
        self._faults.report("reading demand", slow if now - started_s > s.step_s else "", now)
        return demand

    def _read_as_far_back_as_can_be(self, end_s: float) -> Demand:
        """Half as far, and again half, where the past of all services is more than may be held."""
        step_s = self._settings.step_s
        while True:
            start_s = end_s - self._history_s
            try:
                return self._source.read(start_s=start_s, end_s=end_s, step_s=step_s)
            except LimitError as error:
                if error.limit is not HISTORY:
                    raise
                self._status.refuse(HISTORY, "demand")
                half_s = self._history_s / 2 // step_s * step_s
                if half_s < LEAST_HISTORY_S:
                    raise
                self._history_s = half_s
                shorter = f"{error}; {half_s / 86_400:.3g} days are read"
                self._faults.report("length of the past", shorter, self._clock.now())


def settle_s(step_s: float) -> float:
    """Time from the end of a step until it can be read, s."""
    return shown_after_s(step_s) + STORED_S


def prometheus_publisher(
    url: str,
    capacity: float,
    upstreams: Sequence[UpstreamSeries],
    settings: PublishSettings,
    status: LearnerStatus,
    prior: Path = SHIPPED,
    scheduler: str | None = None,
    access: Access | None = None,
) -> Publisher:
    """A publisher that reads a Prometheus. capacity: requests in flight that one pod takes,
    where Prometheus does not say.

    scheduler: address of a Dask cluster's, whose workers do what takes long; None = this process
    does. Raises PermanentError for an address that is none, or without Dask.
    """

    def quick() -> PrometheusServer:
        # A search that fails is repeated a step later; forecasts must not wait for its retries.
        return PrometheusServer(url, timeout_s=10.0, attempts=1, status=status, access=access)

    def reader() -> WithUpstreams:
        # Each its own connections, which send one request at a time.
        read = PrometheusReader(url, capacity=capacity, status=status, access=access)
        return WithUpstreams(read, quick(), upstreams)

    source = Remembered(reader(), beside=reader())
    if scheduler:
        warm = on_shards(Shards(_backend(scheduler)), *loaded_prior(prior, settings))
    else:
        experts = ExpertsFactory(settings.learner.windows, *loaded_prior(prior, settings))
        checkpoint = Checkpoint(
            settings.bundle, source, windows=settings.learner.windows, step_s=settings.step_s,
            history_s=settings.history_s, experts=experts,
        )  # fmt: skip
        warm = WarmStart(prior=experts.prior, model=experts, checkpoint=checkpoint)
    search = dependency_search_of(quick(), settings.bundle)
    return Publisher(source, settings, SystemClock(), time.sleep, search, status, warm)


def _backend(scheduler: str) -> Backend:
    if scheduler == "local":
        return Local()
    try:
        from learner.sharding.on_dask import OnDask  # noqa: PLC0415  # Dask is optional
    except ImportError as error:
        raise PermanentError(
            f"--scheduler {scheduler}: {error}; install kn-ahead with its extra `scale`"
        ) from error
    return OnDask(scheduler)


def loaded_prior(
    path: Path, settings: PublishSettings
) -> tuple[Model | None, Sequence[TrainingSet]]:
    """A prior and its rows; none, where it cannot be used here, which is said."""
    try:
        prior = load_prior(path)
        model = prior.model(windows=settings.learner.windows, step_s=settings.step_s)
    except AutoscalerError as error:
        log.warning("begins without a prior: the first fit is waited for", why=str(error))
        return None, ()
    return model, prior.rows


def on_shards(shards: Shards, prior: Model | None, others: Sequence[TrainingSet]) -> WarmStart:
    """Boosting alone, as tasks of shards, whose states are not saved."""

    def fitted(settings: LearnerSettings) -> Model:
        return Sharded(pooled(settings, others), shards)

    return WarmStart(prior=prior and Sharded(prior, shards), model=fitted, shards=shards)


def outcomes_of(calibration: RollingCalibration, step_s: float) -> list[Outcomes]:
    """The reliability of what was published, row by row."""
    number, came = calibration.published.table()
    return [
        Outcomes(
            window_end_s=end * step_s,
            probability_to=float(to),
            number=float(number[window, place]),
            came=float(came[window, place]),
        )
        for window, end in enumerate(calibration.windows[1:])
        for place, to in enumerate(EDGES[1:])
    ]


def _some(names: list[str]) -> str:
    more = f"; and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return "; ".join(names[:MOST_NAMED]) + more
