"""The learner's own model under the rules of FeMux (Azure Functions 2019, one-minute containers).

    python -m benchmarks.policies.femux [--fit FILE] --trace FILE [--json FILE] [--max-rows N]

Rules: the containers of a minute are decided from the minutes before it, start at once and live for
that minute; a missing container is cold, and allocated too. Keep-alive k provides the maximum that
the last k minutes needed; k = 1 stands for default Knative. Policies are compared at equal
allocation: ours is a curve over prices of a cold start, in idle container-minutes. The model is
never fitted on the applications that it is scored on: without ``--fit``, five folds by application.

Each result is shown beside its keep-alive and the least possible allocation.
"""

import argparse
import json
import sys
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from autoscaler.core.types import FloatArray
from autoscaler.errors import AutoscalerError, PermanentError
from benchmarks.scores.femux_rules import most_of_last
from learner.demand import Demand
from learner.dependencies.count_search import edges_in_counts
from learner.models import Model
from learner.models.pooled import Pooled

KEEP_ALIVES = (1, 2, 5, 10, 20)  # minutes
PRICES = np.geomspace(0.02, 1e5, 60)  # idle container-minutes that a cold start is worth
FOLDS = 5
MAX_ROWS = 200_000
SEED = 0
TABLE_WIDTH = 110  # characters; a pipe would get 80, and cut the numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class FemuxOutcome:
    """A policy's outcome for each application."""

    cold: FloatArray  # (n,) containers that were missing
    allocated: FloatArray  # (n,) container-minutes, cold ones included


@dataclass(frozen=True, slots=True, kw_only=True)
class FemuxCurve:
    """Our policy at every price."""

    price: FloatArray  # (n_prices,) idle container-minutes per cold start
    cold: FloatArray  # (n_prices, n)
    allocated: FloatArray  # (n_prices, n)

    def at(self, allocated: float) -> FemuxOutcome:
        """Outcomes interpolated between two prices, where all applications allocate so much."""
        total = self.allocated.sum(axis=1)
        order = np.argsort(total, kind="stable")
        right = int(np.clip(np.searchsorted(total[order], allocated), 1, len(total) - 1))
        low, high = order[right - 1], order[right]
        width = total[high] - total[low]
        share = float(np.clip((allocated - total[low]) / width, 0, 1)) if width else 0.0
        return FemuxOutcome(
            cold=self.cold[low] + share * (self.cold[high] - self.cold[low]),
            allocated=self.allocated[low] + share * (self.allocated[high] - self.allocated[low]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FemuxComparison:
    """One keep-alive and our policy at its allocation."""

    keep_alive: int  # minutes
    allocated: float  # container-minutes of both
    cold: float  # of the keep-alive
    ours: float  # cold containers of our policy
    change: float  # of cold containers, as a fraction; negative = fewer
    fewer: int  # applications with fewer cold containers than the keep-alive
    equal: int
    more: int
    median_cold_rate: float  # the median application's cold / needed, under the keep-alive
    median_cold_rate_ours: float


def score(need: FloatArray, provided: FloatArray) -> FemuxOutcome:
    """Apply the rules. need, provided: (n, n_minutes) containers."""
    cold = np.maximum(need - provided, 0)
    return FemuxOutcome(cold=cold.sum(axis=1), allocated=(provided + cold).sum(axis=1))


def sweep(need: FloatArray, p: FloatArray) -> FemuxCurve:
    """Provide level k where ``p * price > 1 - p``. p: (n, n_minutes, n_levels), falling."""
    outcomes = [score(need, (p * price > 1 - p).sum(axis=2)) for price in PRICES]
    return FemuxCurve(
        price=PRICES,
        cold=np.array([outcome.cold for outcome in outcomes]),
        allocated=np.array([outcome.allocated for outcome in outcomes]),
    )


def exceedance(train: FloatArray, test: FloatArray, max_rows: int = MAX_ROWS) -> FloatArray:
    """(n_test, n_minutes, n_levels): probability of each level, from the minutes before.

    train, test: (n, n_minutes) containers needed. max_rows: that the model learns from.
    """
    past = _demand(train)
    model = Pooled(windows=(0, 1), max_rows=max_rows).fit(past, edges_in_counts(past))
    return forecast_by(model, test)


def forecast_by(model: Model, need: FloatArray) -> FloatArray:
    """(n, n_minutes, n_levels): probability of each level in the minute after each origin."""
    origins = np.arange(need.shape[1])
    return model.predict(_demand(need), origins).exceedance[:, :, 0].astype(np.float64)


def exceedance_by_folds(
    need: FloatArray, max_rows: int = MAX_ROWS, folds: int = FOLDS
) -> FloatArray:
    """As ``exceedance``, each fold of applications predicted by a model fitted on the others.

    Raises PermanentError where there are fewer applications than folds.
    """
    if len(need) < folds:
        raise PermanentError(f"the trace holds {len(need)} applications; allowed: >= {folds}")
    fold = np.random.default_rng(SEED).permutation(len(need)) % folds
    parts = [
        (fold == each, exceedance(need[fold != each], need[fold == each], max_rows))
        for each in range(folds)
    ]
    width = max(part.shape[2] for _, part in parts)
    together = np.zeros((*need.shape, width))
    for mine, part in parts:
        together[mine, :, : part.shape[2]] = part
    return together


def _demand(need: FloatArray) -> Demand:
    return Demand(
        services=tuple(f"app-{row}" for row in range(len(need))),
        start_s=0.0,
        step_s=60.0,
        arrivals=need,
        peak=need,
        capacity=np.ones(len(need)),
    )


def compare(need: FloatArray, curve: FemuxCurve) -> list[FemuxComparison]:
    """Our policy beside each keep-alive, at the same allocation."""
    comparisons = []
    for minutes in KEEP_ALIVES:
        theirs = score(need, most_of_last(minutes, need))
        ours = curve.at(float(theirs.allocated.sum()))
        total = float(theirs.cold.sum())
        difference = np.round(ours.cold - theirs.cold)
        comparisons.append(
            FemuxComparison(
                keep_alive=minutes,
                allocated=float(theirs.allocated.sum()),
                cold=total,
                ours=float(ours.cold.sum()),
                change=float(ours.cold.sum() / total - 1) if total else 0.0,
                fewer=int((difference < 0).sum()),
                equal=int((difference == 0).sum()),
                more=int((difference > 0).sum()),
                median_cold_rate=_median_rate(theirs.cold, need),
                median_cold_rate_ours=_median_rate(ours.cold, need),
            )
        )
    return comparisons


def _median_rate(cold: FloatArray, need: FloatArray) -> float:
    called = need.sum(axis=1) > 0
    return float(np.median(cold[called] / need.sum(axis=1)[called])) if called.any() else 0.0


def load(path: Path) -> FloatArray:
    """(n, n_minutes) containers needed, from ``containers``, or from ``counts`` (any call: one).

    Raises:
        PermanentError: the file is missing, no npz, lacks both arrays, or has impossible values.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise PermanentError(f"{path} is no npz file; expected numpy's format")
            with np.load(file, allow_pickle=False) as arrays:
                name = next((each for each in ("containers", "counts") if each in arrays), "")
                if not name:
                    raise PermanentError(
                        f"{path} holds {', '.join(arrays.files) or 'nothing'}; "
                        "expected an array containers or counts (applications x minutes)"
                    )
                values = np.asarray(arrays[name], dtype=np.float64)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise PermanentError(f"{path} cannot be read: {error}; expected numpy's npz") from error
    return _checked(path, name, values)


def _checked(path: Path, name: str, values: FloatArray) -> FloatArray:
    if values.ndim != 2 or 0 in values.shape:
        raise PermanentError(f"{path}: {name} has shape {values.shape}; expected (n, n_minutes)")
    if not np.isfinite(values).all() or (values < 0).any():
        raise PermanentError(f"{path}: {name} holds a value that is NaN, infinite or negative")
    return np.ceil(values) if name == "containers" else (values > 0).astype(np.float64)


def show(need: FloatArray, comparisons: list[FemuxComparison], console: Console) -> None:
    """Print one row per keep-alive."""
    table = Table(title=f"Cold containers at equal allocation, {len(need)} applications")
    for heading in ("KA min", "allocated", "KA cold", "ours", "change"):
        table.add_column(heading, justify="right")
    for heading in ("apps fewer", "equal", "more", "median cold rate KA", "ours"):
        table.add_column(heading, justify="right")
    for each in comparisons:
        table.add_row(
            f"{each.keep_alive}",
            f"{each.allocated:,.0f}",
            f"{each.cold:,.0f}",
            f"{each.ours:,.0f}",
            f"{each.change:+.1%}",
            f"{each.fewer}",
            f"{each.equal}",
            f"{each.more}",
            f"{each.median_cold_rate:.3f}",
            f"{each.median_cold_rate_ours:.3f}",
        )
    console.print(table)
    console.print(f"Perfect knowledge: no cold container at {need.sum():,.0f} allocated.")


def as_json(need: FloatArray, curve: FemuxCurve, comparisons: list[FemuxComparison]) -> str:
    """The table and the curve, in container-minutes."""
    return json.dumps(
        {
            "applications": len(need),
            "minutes": need.shape[1],
            "needed": float(need.sum()),
            "keep_alives": [asdict(each) for each in comparisons],
            "curve": [
                {"price": price, "cold": cold, "allocated": allocated}
                for price, cold, allocated in zip(
                    curve.price.tolist(),
                    curve.cold.sum(axis=1).tolist(),
                    curve.allocated.sum(axis=1).tolist(),
                    strict=True,
                )
            ],
        },
        indent=1,
    )


def run(
    fit: Path | None, trace: Path, max_rows: int = MAX_ROWS
) -> tuple[FloatArray, FemuxCurve, list[FemuxComparison]]:
    """Score the model on ``trace``: containers needed, the curve, and the comparisons."""
    need = load(trace)
    if fit is None:
        predicted = exceedance_by_folds(need, max_rows)
    else:
        predicted = exceedance(load(fit), need, max_rows)
    curve = sweep(need, predicted)
    return need, curve, compare(need, curve)


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns 2 for a file that cannot be read or written."""
    parser = argparse.ArgumentParser(prog="benchmarks.policies.femux", description="FeMux's rules.")
    parser.add_argument("--fit", type=Path, help="npz to fit on; without it, five folds")
    parser.add_argument("--trace", type=Path, required=True, help="npz to score on")
    parser.add_argument(
        "--max-rows", type=int, default=MAX_ROWS, help="rows that the model learns from"
    )
    parser.add_argument("--json", type=Path, help="where to write the table and the curve")
    options = parser.parse_args(arguments)
    try:
        need, curve, comparisons = run(options.fit, options.trace, options.max_rows)
        if options.json is not None:
            _write(options.json, as_json(need, curve, comparisons))
    except AutoscalerError as error:
        print(error, file=sys.stderr)
        return 2
    show(need, comparisons, Console(width=TABLE_WIDTH))
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise PermanentError(
            f"{path} cannot be written: {error}; expected a writable file"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
