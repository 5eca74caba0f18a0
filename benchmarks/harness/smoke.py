"""A small fixed benchmark, held to what was recorded of it: no worse than its interval.

Made services of all kinds, a made shop, and Poisson calls, of which nothing can be learned but
their rates. All of it is synthetic, and seeded.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from benchmarks.harness.chosen import KPA
from benchmarks.harness.results import KEPT, TraceResult
from benchmarks.harness.settings import BenchSettings
from benchmarks.policies.contenders import OURS
from benchmarks.policies.gate import poisson_calls
from benchmarks.traces.synthetic import synthetic_shop
from benchmarks.traces.trace import Trace
from learner.models.made_services import made_services

RECORDED = Path(__file__).with_suffix(".json")
CONTENDERS = (OURS, KEPT)  # and the reference
DAYS, SEED = 3, 11  # two of them are learned from
SETTINGS = BenchSettings(fit_until="2d", end="51h")

Figures = dict[str, dict[str, float]]  # by name: value, low, high; more is better


def smoke_traces() -> dict[str, Trace]:
    """By name."""
    minutes = 1440 * DAYS
    return {
        "made services": _trace(made_services(2, minutes, SEED)),
        "shop": synthetic_shop(DAYS, SEED),
        "Poisson": _trace(poisson_calls(40, minutes, SEED)),
    }


def figures(results: Sequence[TraceResult]) -> Figures:
    """What is held: kn-ahead's curve, and the cold requests that it spares at KPA's pods."""
    found: Figures = {}
    for result in results:
        ours, beside = result.entry(OURS), result.against(KPA)
        if ours and beside:
            area, change = ours.hypervolume, beside.cold_change
            found[f"{result.trace}: hypervolume"] = _figure(area.value, area.low, area.high)
            found[f"{result.trace}: cold requests spared"] = _figure(
                -change.value, -change.high, -change.low
            )
    return found


def worse(now: Figures, recorded: Figures) -> Iterator[str]:
    """A sentence for each figure below its recorded interval, or that is not recorded."""
    for name, figure in now.items():
        if name not in recorded:
            yield f"{name} is not recorded; allowed: what --record has written"
        elif not figure["value"] >= recorded[name]["low"]:
            low, high = recorded[name]["low"], recorded[name]["high"]
            yield f"{name} is {figure['value']:.3f}; allowed: {low:.3f} to {high:.3f}, or more"


def read(path: Path = RECORDED) -> Figures:
    """What was recorded. Raises PermanentError."""
    try:
        found: Figures = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PermanentError(f"{path} cannot be read: {error}; allowed: a recorded file") from error
    return found


def record(now: Figures, path: Path = RECORDED) -> None:
    """Record in place of the former figures."""
    with whole_file(path) as file:
        file.write(json.dumps(now, indent=1).encode() + b"\n")


def _figure(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}


def _trace(counts: FloatArray) -> Trace:
    return Trace(
        services=tuple(f"made/{row:03}" for row in range(len(counts))),
        start_s=0.0,
        step_s=60.0,
        counts=counts.astype(np.float64),
        duration_s=np.full(counts.shape, np.nan),
        kind="counts",
    )
