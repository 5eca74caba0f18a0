"""Quality of edges that the learner finds from the starts of idle services.

The workload is synthetic: recorded call graphs under synthetic arrivals, so that the true
dependencies are known.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from autoscaler.core.prediction.dependencies import Edges
from benchmarks.dependencies.workload import Workload
from benchmarks.scores.edge_score import (
    LEAST_TRIALS,
    as_matrix,
    busy_periods_between,
    lag_and_gain_errors,
    score_edges,
    starts_with_idle_downstream,
)
from benchmarks.traces.synthetic_calls import SyntheticCalls
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import Evidence, gather

LEAST_PROBABILITIES = (0.2, 0.5)  # from which a pair counts as true


@dataclass(slots=True)
class _Rows:
    """Rows of the tables, filled seed by seed."""

    quality: list[tuple[str, ...]] = field(default_factory=list)
    detail: list[tuple[str, ...]] = field(default_factory=list)
    f1: list[tuple[float, float, float]] = field(default_factory=list)  # p, all, idle downstream


def tables(graphs: list[dict[str, Any]], workload: Workload, seeds: Iterable[int]) -> list[Table]:
    """Quality and details of the edges found, one seed after the other."""
    rows = _Rows()
    for seed in seeds:
        _measure(rows, graphs, workload, seed)
    return [_quality_table(rows), _detail_table(rows)]


def _measure(rows: _Rows, graphs: list[dict[str, Any]], workload: Workload, seed: int) -> None:
    rng, span_s = np.random.default_rng(seed), workload.span_s
    calls = workload.calls(graphs, rng)
    busy, _ = busy_periods_between(calls, 0.0, span_s)
    begin = time.perf_counter()
    evidence = gather(busy)
    edges = edges_from_starts(evidence)
    took_s = time.perf_counter() - begin
    idle, called = starts_with_idle_downstream(calls, span_s)
    shuffled = len(edges_from_starts(gather(_shuffled(busy, rng))))
    for p in LEAST_PROBABILITIES:
        row = _quality(edges, evidence, calls, p)
        idle_f1 = score_edges(edges, called / np.maximum(idle, 1.0), evidence.trials, p).f1
        rows.quality.append((str(seed), *row, f"{idle_f1:.3f}"))
        rows.f1.append((p, float(row[-1]), idle_f1))
    detail = _detail(edges, evidence, calls)
    rows.detail.append((str(seed), f"{len(calls.at_s):,}", *detail, str(shuffled), f"{took_s:.0f}"))


def _quality(edges: Edges, evidence: Evidence, calls: SyntheticCalls, p: float) -> tuple[str, ...]:
    score = score_edges(edges, calls.probability(), evidence.trials, p)
    pairs = (score.n_true, score.n_not_scored, score.n_found)
    shares = (score.precision, score.recall, score.f1)
    return (f"{p}", *(str(n) for n in pairs), *(f"{share:.3f}" for share in shares))


def _quality_table(rows: _Rows) -> Table:
    table = Table(
        "seed", "p", "true", "not scored", "found", "precision", "recall", "F1", "F1 idle",
        title="Edges from starts, recorded call graphs, synthetic arrivals",
        caption="true: B is called after A within the request, in a share >= p of all requests "
        "with a call of A; F1 idle: the same over starts of A at which B was idle",
    )  # fmt: skip
    for row in rows.quality:
        table.add_row(*row)
    for p in LEAST_PROBABILITIES:
        mean = np.mean([f1 for f1 in rows.f1 if f1[0] == p], axis=0)
        table.add_row("mean", f"{p}", *[""] * 5, *(f"{f1:.3f}" for f1 in mean[1:]))
    return table


def _detail(edges: Edges, evidence: Evidence, calls: SyntheticCalls) -> tuple[str, ...]:
    lag, gain = lag_and_gain_errors(edges, calls)
    scored = evidence.trials >= LEAST_TRIALS
    direct = (as_matrix(edges, edges.direct) > 0) & (as_matrix(edges, edges.gain) >= 0.2) & scored
    true = calls.direct & (calls.probability() >= 0.2) & scored
    both = int((direct & true).sum())
    return (
        f"{np.mean(np.abs(lag) <= 1.0):.3f}",
        f"{np.mean(np.abs(gain) <= 0.2):.3f}",
        f"{both / max(direct.sum(), 1):.2f} / {both / max(true.sum(), 1):.2f}",
    )


def _detail_table(rows: _Rows) -> Table:
    table = Table(
        "seed", "calls", "lag <= 1 s", "gain <= 20 %", "direct P / R", "shuffled", "s",
        title="Errors of correct edges; edges found between shuffled services; seconds",
    )  # fmt: skip
    for row in rows.detail:
        table.add_row(*row)
    return table


def _shuffled(busy: BusyPeriods, rng: np.random.Generator) -> BusyPeriods:
    """Rotate each service's busy periods within the span by a different time.

    The times differ widely: two services rotated alike would keep their dependency.
    """
    span_s = busy.until_s - busy.since_s
    place = rng.permutation(busy.n) + rng.uniform(0.0, 0.5, busy.n)
    by = (place * span_s / busy.n)[busy.service]
    begin = busy.since_s + (busy.start_s - busy.since_s + by) % span_s
    length = np.maximum(busy.end_s - busy.start_s, 0.0)
    end = np.maximum(np.minimum(begin + length, busy.until_s), begin)
    order = np.argsort(begin, kind="stable")
    return BusyPeriods(
        services=busy.services,
        service=busy.service[order],
        start_s=begin[order],
        end_s=end[order],
        since_s=busy.since_s,
        until_s=busy.until_s,
    )
