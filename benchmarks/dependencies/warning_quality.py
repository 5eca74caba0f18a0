"""Starts warned of in time along learned edges, against warnings in vain.

Edges are learned from the first two thirds of the time, and followed in the last. One figure
decides: the share of the starts caused by other services that is warned of in time, at the lowest
probability of edges at which at most a fifth of all warnings is in vain.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import BoolArray, FloatArray
from benchmarks.dependencies.baselines import STEP_S, Past
from benchmarks.dependencies.workload import Workload
from benchmarks.scores.edge_score import busy_periods_between
from benchmarks.scores.warning_score import WarningScore, warnings_along
from benchmarks.traces.synthetic_calls import SyntheticCalls
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.evidence import gather

VAIN = 0.2  # share of warnings that may be in vain
THRESHOLDS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)  # least probability of edges that warn
Method = Callable[[Past], Edges]
Graphs = Callable[[np.random.Generator], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What methods learn from, and what their edges are scored on."""

    past: Past
    later: BusyPeriods
    caused: BoolArray  # (n_busy,) starts by another service's call

    @classmethod
    def of(cls, calls: SyntheticCalls, span_s: float) -> "Trial":
        """Learn from two thirds, score on the last."""
        until_s = 2 * span_s / 3
        busy, _ = busy_periods_between(calls, 0.0, until_s)
        later, caused = busy_periods_between(calls, until_s, span_s)
        past = Past(busy=busy, evidence=gather(busy), counts=_counts(calls, until_s))
        return cls(past=past, later=later, caused=caused)


@dataclass(slots=True)
class _Scores:
    """Of one method, seed by seed."""

    figure: list[WarningScore] = field(default_factory=list)
    curve: list[list[float]] = field(default_factory=list)  # threshold, in time, vain
    edges: list[int] = field(default_factory=list)


def warning_tables(
    graphs: Graphs, workload: Workload, seeds: Iterable[int], methods: Mapping[str, Method]
) -> list[Table]:
    """The figure of each method, with its spread over seeds, and its curve over thresholds."""
    scores = {name: _Scores() for name in methods}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        trial = Trial.of(workload.calls(graphs(rng), rng), workload.span_s)
        for name, method in methods.items():
            _measure(scores[name], trial, method)
    return [_figure_table(scores), _curve_table(scores)]


def _measure(scores: _Scores, trial: Trial, method: Method) -> None:
    edges = method(trial.past)
    warnings = warnings_along(edges, trial.later, trial.caused)
    scores.edges.append(len(edges))
    scores.figure.append(warnings.with_vain(VAIN))
    for threshold in THRESHOLDS:
        at = warnings.at(threshold)
        scores.curve.append([threshold, at.in_time, at.vain])


def _figure_table(scores: Mapping[str, _Scores]) -> Table:
    first = next(iter(scores))
    table = Table(
        "edges by", "edges", "threshold", "warned in time", "+-", f"than {first}", "+-",
        "warned before", title=f"Starts warned of, at most {VAIN:.0%} of warnings in vain",
        caption="of starts caused by another service, mean of seeds; +-: standard error; in time: "
        "by a start-up; points against the first, seed by seed",
    )  # fmt: skip
    base = np.array([score.in_time for score in scores[first].figure])
    for name, of in scores.items():
        in_time = np.array([score.in_time for score in of.figure])
        before = np.mean([score.before for score in of.figure])
        threshold = np.mean([score.threshold for score in of.figure])
        table.add_row(
            name, f"{np.mean(of.edges):,.0f}", f"{threshold:.2f}", f"{in_time.mean():.1%}",
            f"{_error(in_time):.1%}", f"{100 * (in_time - base).mean():+.2f}",
            f"{100 * _error(in_time - base):.2f}", f"{before:.1%}",
        )  # fmt: skip
    return table


def _curve_table(scores: Mapping[str, _Scores]) -> Table:
    table = Table(
        "edges by", *(f"{threshold:g}" for threshold in THRESHOLDS),
        title="Starts warned of in time / warnings in vain, by least probability",
    )  # fmt: skip
    for name, of in scores.items():
        rows = np.array(of.curve)
        means = [rows[rows[:, 0] == threshold].mean(axis=0) for threshold in THRESHOLDS]
        table.add_row(name, *(f"{in_time:.1%} / {vain:.1%}" for _, in_time, vain in means))
    return table


def _error(values: FloatArray) -> float:
    """Standard error of the mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _counts(calls: SyntheticCalls, until_s: float) -> FloatArray:
    """(n, n_steps) calls in steps of STEP_S."""
    n, n_steps = len(calls.services), int(until_s // STEP_S)
    step = (calls.at_s // STEP_S).astype(np.int64)
    inside = step < n_steps
    key = calls.service[inside] * n_steps + step[inside]
    return np.bincount(key, minlength=n * n_steps).reshape(n, n_steps).astype(np.float64)
