"""A part of a benchmark: contenders plan for a scene, are simulated, and counted."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.harness.fleet import Fleet
from benchmarks.harness.rules import RULES, OtherRules
from benchmarks.harness.scene import Part, scene_of
from benchmarks.policies.contender import Contender, Plan, Scene
from benchmarks.whatif.warning import without_warning
from learner.models.levels import pods_needed

OnProgress = Callable[[str, float], None]  # what is done, and the share of it that is


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What became of one contender, at each of its knob's values."""

    services: tuple[str, ...]  # (n,)
    values: FloatArray  # (k,) of the knob
    days_s: FloatArray  # (n_days,) s that are counted of each
    columns: dict[str, npt.NDArray[Any]]  # (k, n, n_days) by `COLUMNS`
    histograms: dict[str, IntArray]  # (k, BINS) over all services, by `HISTOGRAMS`
    rules: dict[str, FloatArray]  # (k,) by `RULES`; NaN = those rules do not say
    plan_s: float  # CPU time of all plans, fits included
    simulate_s: float  # CPU time of the simulation, its share of it
    peak_mb: float  # of the process, up to the end of its plans
    starts: int  # of pods that its forecasts were asked for; 0 = it has none
    surprises: int  # of them without warning


def _show_nothing(_stage: str, _share: float) -> None:
    """Show no progress."""


def counted(
    part: Part, contenders: Sequence[Contender], progress: OnProgress = _show_nothing
) -> dict[str, Counted]:
    """By contender's name. Raises PermanentError."""
    scene, where = scene_of(part), f"{part.name}, seed {part.seed}"
    plans: dict[str, list[Plan]] = {}
    costs: dict[str, tuple[float, float]] = {}
    for each in contenders:
        progress(f"{where}: planning {each.name}", 0.0)  # how long that takes is not known
        begun = time.process_time()
        plans[each.name] = [each.plan(scene, value) for value in each.knob.values]
        costs[each.name] = time.process_time() - begun, _peak_mb()
    fleet = Fleet(scene=scene, warm_up_s=part.settings.warm_up_s, plans=plans)
    progress(f"{where}: simulating", 0.0)
    fleet.run(lambda share: progress(f"{where}: simulating", share))
    found, others = {}, OtherRules.of(scene, part.settings.warm_up_s)
    for each in contenders:
        outcome, (plan_s, peak_mb) = fleet.outcomes[each.name], costs[each.name]
        surprises, starts = _surprises(scene, plans[each.name][0])
        planned = zip(plans[each.name], each.knob.values, strict=True)
        rules = [others.played(each, plan, value) for plan, value in planned]
        found[each.name] = Counted(
            services=scene.demand.services,
            values=np.array(each.knob.values),
            days_s=fleet.days_s,
            columns={key: np.array(rows) for key, rows in outcome.columns.items()},
            histograms={key: np.array(rows) for key, rows in outcome.histograms.items()},
            rules={key: np.array([one[key] for one in rules]) for key in RULES},
            plan_s=plan_s,
            simulate_s=outcome.cpu_s,
            peak_mb=peak_mb,
            starts=starts,
            surprises=surprises,
        )
    return found


def _surprises(scene: Scene, plan: Plan) -> tuple[int, int]:
    """Starts that came without warning by a plan's forecasts, and all of them."""
    if plan.forecasts is None:
        return 0, 0
    given = plan.forecasts.exceedance[:, :, 0, 0].astype(np.float64)
    return without_warning(pods_needed(scene.demand)[:, scene.first :], given)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
