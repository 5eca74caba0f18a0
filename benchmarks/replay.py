"""Replay: fit on a trace's past, simulate its future under every policy, and score them.

The past is the trace's own, or read from a Prometheus. No forecast sees the future: that of a step
is made from the steps before it, and published `PUBLISH_S` seconds after the last of them ended.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.state.revision import KNATIVE_DEFAULTS
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.policies.policies import (
    FULL,
    OUTWARD,
    baselines,
    configured,
    copy,
    oracle,
    ours,
)
from benchmarks.scores.score import PolicyScore, score
from benchmarks.simulator.arrivals import draw, measure
from benchmarks.simulator.forecasts import (
    ForecastTable,
    copied_forecasts,
    joined,
    oracle_forecasts,
)
from benchmarks.simulator.settings import Configured
from benchmarks.simulator.simulation import Policy, World
from benchmarks.simulator.spans import SideBySide, Spans
from benchmarks.traces.trace import Trace
from learner.demand import Demand
from learner.engine import Learner, NewModel, mixed
from learner.settings import LearnerSettings

WARM_UP_S = 600.0  # s at the start of the replayed part that are not scored
SPAN_WARM_UP_S = 3600.0  # likewise, of each span: longer than Knative keeps pods that nobody calls
STEPS_AT_ONCE = 10  # simulated before anybody is told: parts of the services wait for each other
SERIES = ("allocated_s", "cold_from_zero", "cold_scale_out")  # that are counted at each step
ORIGINS_AT_ONCE = 240  # forecasts made in one call: bounds memory, and lets progress be shown
MODEL, ORACLE, COPY = "model", "oracle", "copy"
WEEK_S = 604_800.0

OnProgress = Callable[[str, float], None]  # current stage, and the share of it that is done
OnStep = Callable[["Replay"], None]  # called after every few replayed steps


def _ignore_progress(_stage: str, _share: float) -> None:
    """Show no progress."""


def _ignore_step(_replay: "Replay") -> None:
    """Do nothing after a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """Settings of a replay."""

    fit_until_s: float
    """Unix s at which the past ends and the replayed part begins."""

    warm_up_s: float = WARM_UP_S
    """At the start of the replayed part, not scored, s."""

    step_s: float = 60.0
    """Step of the demand that the learner sees, s; at least the trace's own."""

    start_up_s: float = 5.0
    """From creating a pod until it is ready, s."""

    drain_s: float = KNATIVE_DEFAULTS.drain_s
    """From letting a pod go until it is gone, s."""

    concurrency: int = 1
    """Requests in flight that one pod takes; 0 = no limit."""

    service_s: float = 0.2
    """Execution time of a request where the trace has none, s."""

    price_s: float = 600.0
    """Price of a cold request, s of idle pod."""

    swept: tuple[str, ...] = (OUTWARD, FULL)
    """Modes of kn-ahead that are simulated at other prices as well."""

    seed: int = 0
    """Seed of the arrival times within steps."""

    learner: LearnerSettings = field(default_factory=LearnerSettings)
    """Limits of the fit."""

    def __post_init__(self) -> None:
        """Check each number once."""
        allowed = {
            "step": (self.step_s, self.step_s >= 1 and self.step_s % 1 == 0, "whole seconds >= 1"),
            "start-up": (self.start_up_s, 0 <= self.start_up_s < np.inf, "seconds >= 0"),
            "drain": (self.drain_s, 0 <= self.drain_s < np.inf, "seconds >= 0"),
            "concurrency": (self.concurrency, self.concurrency >= 0, "0 (no limit) or more"),
            "service-time": (self.service_s, 0 <= self.service_s < np.inf, "seconds >= 0"),
            "warm-up": (self.warm_up_s, 0 <= self.warm_up_s < np.inf, "seconds >= 0"),
            "price": (self.price_s, 0 <= self.price_s < np.inf, "seconds of idle pod >= 0"),
        }
        for name, (value, fits, what) in allowed.items():
            if not fits:
                raise PermanentError(f"{name} is {value:g}; allowed: {what}")


@dataclass(slots=True, kw_only=True)
class StepSeries:
    """Pods and cold requests per step; (n_rows, n_steps) each, filled step by step."""

    pods: FloatArray  # mean over the step
    cold: FloatArray  # cold requests


class Replay:
    """One trace under all policies: `fit` on its past, then `run` its future."""

    def __init__(
        self, trace: Trace, settings: ReplaySettings, services: Configured | None = None
    ) -> None:
        """services: how each is set; None = all as the settings say."""
        s = self.settings = settings
        self.trace = trace
        self.configured = services or configured(s.concurrency, s.start_up_s, s.drain_s)
        capacity = self.configured.revision.pod_capacity
        self.requests = draw(trace, service_s=settings.service_s, seed=settings.seed)
        self.demand = measure(self.requests, trace, step_s=settings.step_s, capacity=capacity)
        self.first = _first_step(self.demand, settings)

    def fit(
        self,
        past: Demand | None = None,
        progress: OnProgress = _ignore_progress,
        model: NewModel = mixed,
    ) -> None:
        """Fit on the past, and forecast every step of the future from the steps before it.

        past: demand up to ``fit_until_s`` as recorded elsewhere; the trace's own by default.
        ``model``: makes the one that is fitted.
        """
        own = self.demand.until(self.first)
        if past is not None:
            self.demand = _continued(_aligned(past, own), self.demand)
        learner = Learner(self.settings.learner, model).fit(
            self.demand.until(self.first), progress=progress
        )
        self.table = self._forecast(learner, progress)
        self.learner = learner

    def _forecast(self, learner: Learner, progress: OnProgress) -> ForecastTable:
        origins = np.arange(self.first, self.demand.n_steps)
        pieces = []
        for begin in range(0, len(origins), ORIGINS_AT_ONCE):
            progress("forecasting", begin / len(origins))
            pieces.append(learner.predict(self.demand, origins[begin : begin + ORIGINS_AT_ONCE]))
        bundle = learner.bundle(self.demand.until(self.first))
        edges, exceedance = joined(pieces)
        return ForecastTable(
            services=self.demand.services,
            made_at_s=np.asarray(self.demand.start_s + origins * self.demand.step_s, np.float64),
            fitted_at_s=self.demand.start_s + self.first * self.demand.step_s,
            window_edges_s=bundle.window_edges_s,
            demand_edges=edges,
            exceedance=exceedance,
            model=bundle.model,
            reason=bundle.reason,
        )

    def policies(self) -> list[Policy]:
        """All policies compared."""
        s, base = self.settings, self.configured.revision
        copied = [copy(base, COPY)] if self._knows_a_week else []
        mine = ours(base, s.price_s, MODEL, s.swept)
        return [*baselines(base), *copied, *mine, oracle(base, ORACLE)]

    @property
    def _knows_a_week(self) -> bool:
        """Whether each step of the future has one a week before it."""
        steps = WEEK_S / self.demand.step_s
        return steps == round(steps) and self.first >= steps

    def run(
        self, on_step: OnStep = _ignore_step, *, processes: int = 1, span_s: float = np.inf
    ) -> list[PolicyScore]:
        """Simulate the future under every policy; scores without the warm-up.

        processes: that may simulate side by side. span_s: of spans of about that length that are
        simulated beside each other, each from an hour of warm-up.
        """
        spans = self._spans(span_s)
        origins = np.arange(self.first, self.demand.n_steps)
        tables = {ORACLE: oracle_forecasts(self.table, self.demand, origins)}
        if self._knows_a_week:
            tables[COPY] = copied_forecasts(self.table, self.demand, origins, WEEK_S)
        simulation = SideBySide(self.world(tables), self.policies(), spans, processes=processes)
        self.simulation, self.scored_from_s = simulation, spans.begin_s
        with closing(simulation):
            simulation.warm_up()
            self._run_steps(on_step)
            return self.scores()

    def _spans(self, span_s: float) -> Spans:
        """Of the steps after the warm-up; the first of them are left out where one does not fit."""
        s, begin_s = self.settings, float(self.table.made_at_s[0]) + self.settings.warm_up_s
        number = max(1, round((self.demand.end_s - begin_s) / span_s))
        if number == 1:
            length_s = self.demand.end_s - begin_s
            return Spans(begin_s=begin_s, length_s=length_s, number=1, warm_up_s=s.warm_up_s)
        n_steps = int((self.demand.end_s - begin_s) // s.step_s) // number
        length_s = n_steps * s.step_s
        return Spans(
            begin_s=self.demand.end_s - number * length_s,
            length_s=length_s,
            number=number,
            warm_up_s=max(s.warm_up_s, SPAN_WARM_UP_S),
        )

    def world(self, more: Mapping[str, ForecastTable]) -> World:
        """All services, with the model's forecasts and more."""
        revision = self.configured.revision
        return World(
            services=self.demand.services,
            requests=self.requests,
            tables={MODEL: self.table, **more},
            concurrency=self.configured.concurrency,
            start_up_s=revision.lead_s,
            drain_s=revision.drain_s,
        )

    def _run_steps(self, on_step: OnStep) -> None:
        spans, step_s = self.simulation.spans, self.settings.step_s
        n_steps = int(np.ceil(spans.length_s / step_s))
        # Where the first step is a part of one, the others end with those of the tables.
        ends_s = spans.length_s - step_s * np.arange(n_steps)[::-1]
        shape = len(self.simulation.policies), len(self.demand.services)
        size = shape[0] * shape[1], spans.number * n_steps
        self.series = StepSeries(pods=np.zeros(size, np.float32), cold=np.zeros(size, np.float32))
        pods_s = cold = np.zeros((shape[0], spans.number, shape[1]))
        took_s = np.diff(ends_s, prepend=0.0)
        for begin in range(0, n_steps, STEPS_AT_ONCE):
            some = ends_s[begin : begin + STEPS_AT_ONCE].tolist()
            for i, counts in enumerate(self.simulation.run_through(some, SERIES), begin):
                pods_s_then, cold_then = pods_s, cold
                pods_s = counts["allocated_s"]
                cold = counts["cold_from_zero"] + counts["cold_scale_out"]
                steps = i + n_steps * np.arange(spans.number)
                self.series.pods[:, steps] = _rows((pods_s - pods_s_then) / took_s[i])
                self.series.cold[:, steps] = _rows(cold - cold_then)
            on_step(self)

    def scores(self) -> list[PolicyScore]:
        """Scores up to the simulation's present."""
        hours = (self.simulation.now - self.scored_from_s) / 3600.0
        return score(self.simulation, hours=hours)

    @property
    def share_done(self) -> float:
        """Share of the future that has been simulated."""
        return self.simulation.share_done

    def last_bundle(self) -> ForecastBundle:
        """The last forecasts."""
        return self.table.bundle(len(self.table.made_at_s) - 1)


def _rows(by_span: FloatArray) -> FloatArray:
    """(n_policies * n, n_spans) of (n_policies, n_spans, n)."""
    return np.moveaxis(by_span, 1, 2).reshape(-1, by_span.shape[1])


def _first_step(demand: Demand, settings: ReplaySettings) -> int:
    """The step at which the future begins."""
    if demand.start_s % 1:
        raise PermanentError(f"the trace starts at {demand.start_s} s; allowed: a whole second")
    past = np.ceil((settings.fit_until_s - demand.start_s) / demand.step_s)
    least = int(np.ceil(2 * settings.warm_up_s / demand.step_s))
    if not 0 < past <= demand.n_steps - least:
        raise PermanentError(
            f"fit-until is {settings.fit_until_s - demand.start_s:.0f} s after the trace's start; "
            f"allowed: > 0 and <= {(demand.n_steps - least) * demand.step_s:.0f} s, "
            "so that something is left to replay"
        )
    return int(past)


def _aligned(past: Demand, own: Demand) -> Demand:
    """The recorded past in the order of the trace's services.

    Raises PermanentError where a service is missing, or steps differ.
    """
    missing = sorted(set(own.services) - set(past.services))
    if missing:
        raise PermanentError(
            f"{len(missing)} services of the trace are not in the recorded past, such as "
            f"{missing[0]!r}; it has {', '.join(past.services[:5])}"
        )
    if past.arrivals.shape[1] != own.n_steps or past.step_s != own.step_s:
        raise PermanentError(
            f"the recorded past has {past.n_steps} steps of {past.step_s:g} s; "
            f"allowed: {own.n_steps} of {own.step_s:g} s"
        )
    order = [past.services.index(name) for name in own.services]
    return Demand(
        services=own.services,
        start_s=own.start_s,
        step_s=own.step_s,
        arrivals=past.arrivals[order],
        peak=past.peak[order],
        capacity=own.capacity,
    )


def _continued(past: Demand, whole: Demand) -> Demand:
    """The recorded past, followed by the trace's future."""
    rest = slice(past.n_steps, None)
    return Demand(
        services=whole.services,
        start_s=whole.start_s,
        step_s=whole.step_s,
        arrivals=np.concatenate([past.arrivals, whole.arrivals[:, rest]], axis=1),
        peak=np.concatenate([past.peak, whole.peak[:, rest]], axis=1),
        capacity=whole.capacity,
    )
