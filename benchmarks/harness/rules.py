"""What plans cost by rivals' own rules: FeMux's, and those of "Serverless in the Wild".

Both know no start-up, no drain and no Knative, so a plan is read as its policy would be without
them, on the requests and over the time that are scored:

* a forecast of the mean in flight stands as it is;
* of exceedance curves the next step's is read at the price of a cold request: without lead and
  drain a pod is worth having iff ``p x price > (1 - p) x step``. Where there is none: the last
  step's need again, which is FeMux's "default Knative";
* floors stand as planned, without Knative's rule above;
* settings alone are a keep-alive of the stable window or of the retention, whichever is longer,
  and of min-scale for ever. FeMux knows Knative with windows of a minute alone.

Wild's windows follow each invocation, those of its own policy as the paper has them. Whoever plans
step by step has the image loaded in steps in which it wants a pod.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaler.core.prediction.forecasts import demand_at
from autoscaler.core.types import BoolArray, FloatArray
from benchmarks.policies.contender import Contender, Plan, Scene
from benchmarks.policies.femux_choice import MEMORY_GB
from benchmarks.policies.hybrid_histogram import HybridHistogram, windows_by_paper
from benchmarks.policies.point_forecast import in_flight
from benchmarks.scores import femux_rules, wild_rules
from benchmarks.scores.femux_rules import MINUTE_S, PROVIDES, most_of_last
from benchmarks.scores.wild_rules import WildOutcome
from benchmarks.simulator.settings import Settings

FEMUX = ("femux_cold_starts", "femux_allocated_gb_s", "femux_wasted_gb_s")
WILD = ("wild_cold_p75", "wild_always_cold", "wild_wasted_memory")
RULES = (*FEMUX, *WILD)


@dataclass(frozen=True)
class OtherRules:
    """Plays plans of a scene. Arrays of steps begin with the first that is planned."""

    scene: Scene
    actual: FloatArray  # (n, n_steps) in flight on average, the past included
    skipped: int  # steps that are planned, and not counted

    @classmethod
    def of(cls, scene: Scene, warm_up_s: float) -> "OtherRules":
        """Counting begins ``warm_up_s`` after the first step."""
        skipped = int(np.ceil(warm_up_s / scene.demand.step_s))
        return cls(scene, in_flight(scene), skipped)

    def played(self, contender: Contender, plan: Plan, value: float) -> dict[str, float]:
        """By `RULES`, of its plan with the knob at a value; NaN = the rules do not say."""
        planned, settings = self._planned(plan), plan.services.revision
        if planned is None:
            return self._by_femux(self._kept(settings)) | self._by_wild(self._keeping(settings))
        if isinstance(contender, HybridHistogram):
            return self._by_femux(planned) | self._by_wild(self._by_paper(value))
        return self._by_femux(planned) | self._by_wild(self._stepwise(planned >= PROVIDES))

    def _planned(self, plan: Plan) -> FloatArray | None:
        """(n, n_steps - first) containers wanted, before they are rounded up; None = settings."""
        if plan.mean_in_flight is not None:
            return plan.mean_in_flight
        if plan.forecasts is not None:
            table, step_s = plan.forecasts, self.scene.demand.step_s
            price_s = np.asarray(plan.services.revision.cold_price_s, dtype=np.float64)
            least = step_s / (step_s + price_s.reshape(-1, 1))
            worth = demand_at(table.exceedance[:, :, 0], table.demand_edges, least)
            return np.where(np.isnan(worth), self._most_of_last(1), worth)
        return None if plan.floors is None else plan.floors.astype(np.float64)

    def _kept(self, settings: Settings) -> FloatArray:
        """(n, n_steps - first) likewise, of settings alone; NaN = FeMux does not say."""
        n = len(self.actual)
        minutes = np.broadcast_to(np.maximum(1, np.rint(settings.retention_s / MINUTE_S)), n)
        kept = np.zeros((n, self.actual.shape[1] - self.scene.first))
        for each in np.unique(minutes):
            kept[minutes == each] = self._most_of_last(int(each))[minutes == each]
        least = np.broadcast_to(settings.min_scale, n)[:, None]
        known = np.broadcast_to(settings.stable_window_s, n)[:, None] == MINUTE_S
        return np.where(known, np.maximum(least, kept), np.nan)

    def _most_of_last(self, minutes: int) -> FloatArray:
        return most_of_last(minutes, self.actual, self.scene.first)

    def _by_femux(self, wanted: FloatArray) -> dict[str, float]:
        demand, since = self.scene.demand, self.scene.first + self.skipped
        if demand.step_s != MINUTE_S or (np.asarray(self.scene.services.concurrency) != 1).any():
            return dict.fromkeys(FEMUX, np.nan)
        minutes = femux_rules.played(
            self.actual[:, since:],
            wanted[:, self.skipped :],
            np.nan_to_num(demand.arrivals[:, since:]),
            np.full(len(wanted), MEMORY_GB),
        )
        sums = (minutes.cold, minutes.allocated_gb_s, minutes.wasted_gb_s)
        return {name: float(each.sum()) for name, each in zip(FEMUX, sums, strict=True)}

    def _by_wild(self, outcomes: Iterator[WildOutcome]) -> dict[str, float]:
        fixed = [
            wild_rules.fixed(calls, self.scene.demand.end_s, since_s=self._since_s)
            for calls in self._calls()
        ]
        found = wild_rules.scored(list(outcomes), fixed)
        values = (found.cold_p75, found.always_cold, found.wasted)
        return dict(zip(WILD, values, strict=True))

    def _keeping(self, settings: Settings) -> Iterator[WildOutcome]:
        """Of settings alone: a window after each invocation, without end where pods always stay."""
        demand, n = self.scene.demand, len(self.actual)
        kept_s = np.maximum(settings.stable_window_s, settings.retention_s)
        kept_s = np.where(np.asarray(settings.min_scale) > 0, np.inf, kept_s)
        for calls, keep_s in zip(self._calls(), np.broadcast_to(kept_s, n), strict=True):
            # What always stays was there before the first invocation.
            loads = np.append(demand.start_s, calls) if np.isinf(keep_s) else calls
            yield wild_rules.fixed(loads, demand.end_s, float(keep_s), self._since_s)

    def _by_paper(self, range_h: float) -> Iterator[WildOutcome]:
        """Of the hybrid histogram."""
        for calls in self._calls():
            first = max(0, int(np.searchsorted(calls, self._since_s)) - 1)
            windows = windows_by_paper(calls, first, range_h)
            yield wild_rules.played(
                calls[first:],
                windows.pre_s,
                windows.keep_s,
                self.scene.demand.end_s,
                self._since_s,
            )

    def _stepwise(self, loaded: BoolArray) -> Iterator[WildOutcome]:
        """Of plans, (n, n_steps - first) whether they want a pod."""
        for calls, row in zip(self._calls(), loaded[:, self.skipped :], strict=True):
            yield wild_rules.stepwise(calls, row, self._since_s, self.scene.demand.step_s)

    def _calls(self) -> Iterator[FloatArray]:
        """Unix s of each service's requests until the end, the past included."""
        requests = self.scene.requests
        for begin, end in pairwise(requests.offset):
            calls = requests.arrival_s[begin:end]
            yield calls[calls < self.scene.demand.end_s]

    @property
    def _since_s(self) -> float:
        demand = self.scene.demand
        return demand.start_s + (self.scene.first + self.skipped) * demand.step_s
