"""How well the learner finds who pulls whom, and how long it takes.

    python -m benchmarks.dependencies.found_edges starts --traces FOLDER
    python -m benchmarks.dependencies.found_edges counts
    python -m benchmarks.dependencies.found_edges recorded --traces FOLDER
    python -m benchmarks.dependencies.found_edges scale --services 1000

``starts`` and ``counts`` are synthetic: real call graphs under made arrivals, and planted pulls.
``recorded`` reads series and known edges of real applications under load generators. Rules of the
search were tuned on seeds 100 to 113, and those up to 39 were reported on before; the table's
seeds, from 40 on, were not looked at while it was built.
"""

import resource
import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.bundle.npz import read_npz
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray
from autoscaler.errors import AutoscalerError
from benchmarks.scores.edge_score import LEAST_TRIALS, asleep, cut, errors, judge, spread, warned
from benchmarks.traces.call_graphs import MadeCalls, arrivals, chosen, read_graphs, walk
from benchmarks.traces.trace import read_trace
from learner.demand import Demand
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.counts.edges import edges_from_counts
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import Evidence, gather

DAY_S = 86400.0
CALL_GRAPHS = "alibaba2022_callgraphs.jsonl.gz"
RECORDED = (
    "nezha_onlineboutique_2022-08-22.npz",
    "nezha_onlineboutique_2022-08-23.npz",
    "petshop_low_traffic_5min.npz",
)
THRESHOLDS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
Folder = Annotated[Path, typer.Option(help="Folder of the public traces.")]
Seeds = Annotated[list[int] | None, typer.Option(help="Seeds; those of the tables where left out.")]


@app.command()
def starts(
    traces: Folder,
    seed: Seeds = None,
    entries: Annotated[int, typer.Option(help="Entry points drawn.", min=1)] = 250,
    days: Annotated[float, typer.Option(help="Days of calls.", min=0.1)] = 3.0,
    per_hour: Annotated[float, typer.Option(help="Median calls of an entry an hour.")] = 8.0,
    jitter: Annotated[float, typer.Option(help="s that timers are late by, about.")] = 0.3,
) -> None:
    """Services that sleep: real call graphs, made arrivals (synthetic)."""
    quality = Table(
        "seed", "p", "true", "not judged", "found", "precision", "recall", "F1", "F1 asleep",
        title="Starts over real call graphs, arrivals synthetic",
        caption="true: called after it within the request, of all requests with a call of it; "
        "F1 asleep: of its starts at which the other slept",
    )  # fmt: skip
    detail = Table(
        "seed", "calls", "lag <= 1 s", "gain <= 20 %", "direct P / R", "shuffled", "s",
        title="Of right edges; edges between shuffled services; seconds",
    )  # fmt: skip
    curve: list[list[float]] = []
    scores: list[tuple[float, float, float]] = []
    for one in seed or range(40, 50):
        rng = np.random.default_rng(one)
        graphs = chosen(_graphs(traces), entries, rng)
        came = arrivals(graphs.n_entries, days * DAY_S, rng, per_hour=per_hour, jitter_s=jitter)
        made = walk(graphs, *came, rng)
        busy, _ = cut(made, 0.0, days * DAY_S)
        begin = time.perf_counter()
        evidence = gather(busy)
        edges = edges_from_starts(evidence)
        took = time.perf_counter() - begin
        slept, called = asleep(made, days * DAY_S)
        slept_and_called = called / np.maximum(slept, 1.0)
        shuffled = len(edges_from_starts(gather(_shuffled(busy, rng))))
        for p in (0.2, 0.5):
            row = _quality(edges, evidence, made, p)
            again = judge(edges, slept_and_called, evidence.trials, p).f1
            quality.add_row(str(one), *row, f"{again:.3f}")
            scores.append((p, float(row[-1]), again))
        calls, row = f"{len(made.at_s):,}", _detail(edges, evidence, made)
        detail.add_row(str(one), calls, *row, str(shuffled), f"{took:.0f}")
        curve += _curve(made, days * DAY_S)
    for p in (0.2, 0.5):
        mean = np.mean([score for score in scores if score[0] == p], axis=0)
        quality.add_row("mean", f"{p}", *[""] * 5, *(f"{f1:.3f}" for f1 in mean[1:]))
    Console().print(quality)
    Console().print(detail)
    Console().print(_curve_table(np.array(curve)))


def _graphs(traces: Path) -> list[dict[str, object]]:
    try:
        return read_graphs(traces / CALL_GRAPHS)
    except AutoscalerError as error:
        typer.echo(f"dependencies: {error}", err=True)
        raise typer.Exit(2) from error


def _quality(edges: Edges, evidence: Evidence, made: MadeCalls, p: float) -> tuple[str, ...]:
    score = judge(edges, made.probability(), evidence.trials, p)
    pairs = (score.n_true, score.n_not_judged, score.n_found)
    shares = (score.precision, score.recall, score.f1)
    return (f"{p}", *(str(n) for n in pairs), *(f"{share:.3f}" for share in shares))


def _detail(edges: Edges, evidence: Evidence, made: MadeCalls) -> tuple[str, ...]:
    lag, gain = errors(edges, made)
    judged = evidence.trials >= LEAST_TRIALS
    direct = (spread(edges, edges.direct) > 0) & (spread(edges, edges.gain) >= 0.2) & judged
    true = made.direct & (made.probability() >= 0.2) & judged
    both = int((direct & true).sum())
    return (
        f"{np.mean(np.abs(lag) <= 1.0):.3f}",
        f"{np.mean(np.abs(gain) <= 0.2):.3f}",
        f"{both / max(direct.sum(), 1):.2f} / {both / max(true.sum(), 1):.2f}",
    )


def _shuffled(busy: BusyPeriods, rng: np.random.Generator) -> BusyPeriods:
    """Every service's spells, moved on by a time of its own and round the end of the span.

    No two by nearly the same time: that would leave what the one does to the other in place.
    """
    span_s = busy.until_s - busy.since_s
    place = rng.permutation(busy.n) + rng.uniform(0.0, 0.5, busy.n)
    by = (place * span_s / busy.n)[busy.service]
    begin = busy.since_s + (busy.start_s - busy.since_s + by) % span_s
    long = np.maximum(busy.end_s - busy.start_s, 0.0)
    end = np.maximum(np.minimum(begin + long, busy.until_s), begin)
    order = np.argsort(begin, kind="stable")
    return BusyPeriods(
        services=busy.services,
        service=busy.service[order],
        start_s=begin[order],
        end_s=end[order],
        since_s=busy.since_s,
        until_s=busy.until_s,
    )


def _curve(made: MadeCalls, span_s: float) -> list[list[float]]:
    """Learned from the first two thirds, warned in the last."""
    busy, _ = cut(made, 0.0, 2 * span_s / 3)
    edges = edges_from_starts(gather(busy))
    later, brought = cut(made, 2 * span_s / 3, span_s)
    found = [warned(edges, later, brought, threshold) for threshold in THRESHOLDS]
    return [[w.threshold, w.starts, w.before, w.in_time, w.warnings, w.in_vain] for w in found]


def _curve_table(curve: FloatArray) -> Table:
    table = Table(
        "gain at least", "starts brought", "warned before", "warned >= 1.9 s before",
        "warnings", "in vain",
        title="Acting on edges of two days, on the third (mean of seeds)",
    )  # fmt: skip
    for threshold in THRESHOLDS:
        _, n, before, in_time, warnings, vain = curve[curve[:, 0] == threshold].mean(axis=0)
        table.add_row(
            f"{threshold}", f"{n:,.0f}", f"{before:.1%}", f"{in_time:.1%}", f"{warnings:,.0f}",
            f"{vain:.1%}",
        )  # fmt: skip
    return table


@app.command()
def counts(
    seed: Seeds = None,
    services: Annotated[int, typer.Option(help="Services.", min=8)] = 200,
    days: Annotated[int, typer.Option(help="Days of one-minute steps.", min=1)] = 5,
) -> None:
    """Services that never sleep: planted pulls at lags of 1 to 30 steps (synthetic)."""
    table = Table(
        "seed", "true", "found", "precision", "recall", "F1", "lag <= 1 step", "gain <= 20 %",
        "shuffled", "s", title="Counts, synthetic, reach of planted chains of three",
    )  # fmt: skip
    for one in seed or range(10, 15):
        rng = np.random.default_rng(one)
        demand, lag, gain = planted(services, days, rng)
        begin = time.perf_counter()
        edges = edges_from_counts(demand)
        took = time.perf_counter() - begin
        true = lag > 0
        right = true[edges.upstream, edges.downstream]
        at = edges.upstream[right], edges.downstream[right]
        precision, recall = right.mean() if len(right) else 1.0, right.sum() / true.sum()
        mixed = rng.permuted(demand.arrivals, axis=1)
        chance = edges_from_counts(_demand(mixed, 60.0))
        table.add_row(
            str(one), str(true.sum()), str(len(edges)), f"{precision:.3f}", f"{recall:.3f}",
            f"{2 * right.sum() / (len(edges) + true.sum()):.3f}",
            f"{np.mean(np.abs(edges.lag_s[right] / 60.0 - lag[at]) <= 1):.3f}",
            f"{np.mean(np.abs(edges.gain[right] / gain[at] - 1) <= 0.2):.3f}",
            str(len(chance)), f"{took:.1f}",
        )  # fmt: skip
    Console().print(table)


def planted(n: int, days: int, rng: np.random.Generator) -> tuple[Demand, FloatArray, FloatArray]:
    """Demand of n services with a common day and hour, and pulls a -> b -> c among most of them.

    Returns also the lag in steps and the gain of every pair in reach (n, n), 0 where there is none.
    """
    step = np.arange(days * 1440)
    season = (1 + 0.7 * np.sin(2 * np.pi * step / 1440)) * np.where(step % 60 < 3, 1.5, 1.0)
    level = np.exp(rng.normal(2.5, 0.7, (n, 1)))
    made = rng.poisson(level * season).astype(np.float64)
    lag, gain = np.zeros((2, n, n))
    order = rng.permutation(n)
    for a, b, c in order[: n // 4 * 3].reshape(-1, 3):
        for up, down in pairwise((a, b, c)):
            lag[up, down] = rng.integers(1, 16)
            gain[up, down] = rng.uniform(0.3, 2.0)
            later = int(lag[up, down])
            made[down, later:] += rng.poisson(gain[up, down] * made[up, : len(step) - later])
        lag[a, c], gain[a, c] = lag[a, b] + lag[b, c], gain[a, b] * gain[b, c]
    return _demand(made, 60.0), lag, gain


def _demand(made: FloatArray, step_s: float, services: tuple[str, ...] = ()) -> Demand:
    return Demand(
        services=services or tuple(f"made/s{i}" for i in range(len(made))),
        start_s=0.0,
        step_s=step_s,
        arrivals=made,
        peak=made,
        capacity=np.ones(len(made)),
    )


@app.command()
def recorded(traces: Folder) -> None:
    """Recorded series of demo applications under a load generator, with their known edges."""
    table = Table(
        "trace", "services", "steps", "known reach", "found", "in reach, either way",
        "or of one caller", "reach found", title="Recorded series",
    )  # fmt: skip
    try:
        for name in RECORDED:
            table.add_row(name.partition(".")[0], *_recorded(traces / name))
    except AutoscalerError as error:
        typer.echo(f"dependencies: {error}", err=True)
        raise typer.Exit(2) from error
    Console().print(table)


def _recorded(path: Path) -> tuple[str, ...]:
    trace = read_trace(path)
    held = np.flatnonzero(~np.isnan(trace.counts).all(axis=0))
    counts = trace.counts[:, held[0] : held[-1] + 1]
    edges = edges_from_counts(_demand(counts, trace.step_s, trace.services))
    arrays = read_npz(path, allowed="edges")
    known = (
        arrays["known_edges"].tolist()
        if "known_edges" in arrays
        else [edge.split(">") for edge in arrays["edges"].tolist()]
    )
    place = {name: i for i, name in enumerate(arrays["ids"].tolist())}
    reach = np.zeros((len(place),) * 2, dtype=np.bool_)
    for up, down in known:
        if up in place and down in place:
            reach[place[up], place[down]] = True
    for via in range(len(place)):  # Warshall's closure
        reach |= np.outer(reach[:, via], reach[via])
    np.fill_diagonal(reach, val=False)
    siblings = (reach.T.astype(int) @ reach) > 0
    at = edges.upstream, edges.downstream
    either = (reach | reach.T)[at]
    return (
        str(len(place)),
        str(counts.shape[1]),
        str(reach.sum()),
        str(len(edges)),
        f"{either.mean() if len(edges) else 1:.2f}",
        f"{(either | siblings[at]).mean() if len(edges) else 1:.2f}",
        f"{reach[at].sum() / max(reach.sum(), 1):.2f}",
    )


@app.command()
def scale(
    services: Annotated[int, typer.Option(help="Services.", min=8)] = 1000,
    days: Annotated[int, typer.Option(help="Days of one-minute steps.", min=1)] = 14,
) -> None:
    """All ordered pairs at 31 lags: seconds and the greatest memory of this process."""
    demand, _, _ = planted(services, days, np.random.default_rng(0))
    begin, spent = time.perf_counter(), time.process_time()
    edges = edges_from_counts(demand)
    took, worked = time.perf_counter() - begin, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    table = Table("services", "steps", "edges", "s", "s of processor", "GiB at most")
    table.add_row(
        f"{services:,}", f"{demand.n_steps:,}", f"{len(edges):,}", f"{took:.1f}", f"{worked:.1f}",
        f"{peak:.2f}",
    )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    app()
