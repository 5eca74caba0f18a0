"""Quality and cost of edges that the learner finds from request counts of services never idle."""

import resource
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.table import Table

from autoscaler.bundle.npz import read_npz
from autoscaler.core.types import BoolArray, FloatArray
from benchmarks.scores.edge_score import common_callers, transitive_closure
from benchmarks.traces.trace import read_trace
from learner.demand import Demand
from learner.dependencies.counts.edges import edges_from_counts


def planted_table(seeds: Iterable[int], services: int, days: int) -> Table:
    """Edges found in demand with planted dependencies, one row per seed."""
    table = Table(
        "seed", "true", "found", "precision", "recall", "F1", "lag <= 1 step", "gain <= 20 %",
        "shuffled", "s", title="Edges from counts, synthetic, against planted chains of three",
    )  # fmt: skip
    for seed in seeds:
        rng = np.random.default_rng(seed)
        demand, lag, gain = planted(services, days, rng)
        begin = time.perf_counter()
        edges = edges_from_counts(demand)
        took_s = time.perf_counter() - begin
        true = lag > 0
        correct = true[edges.upstream, edges.downstream]
        at = edges.upstream[correct], edges.downstream[correct]
        precision = correct.mean() if len(correct) else 1.0
        shuffled = edges_from_counts(_demand(rng.permuted(demand.arrivals, axis=1), 60.0))
        table.add_row(
            str(seed), str(true.sum()), str(len(edges)), f"{precision:.3f}",
            f"{correct.sum() / true.sum():.3f}",
            f"{2 * correct.sum() / (len(edges) + true.sum()):.3f}",
            f"{np.mean(np.abs(edges.lag_s[correct] / 60.0 - lag[at]) <= 1):.3f}",
            f"{np.mean(np.abs(edges.gain[correct] / gain[at] - 1) <= 0.2):.3f}",
            str(len(shuffled)), f"{took_s:.1f}",
        )  # fmt: skip
    return table


def planted(n: int, days: int, rng: np.random.Generator) -> tuple[Demand, FloatArray, FloatArray]:
    """Demand of n services with a common season, and planted chains a -> b -> c among most.

    Also returns lag in steps and gain of every reachable pair (n, n), 0 for all others.
    """
    step = np.arange(days * 1440)
    season = (1 + 0.7 * np.sin(2 * np.pi * step / 1440)) * np.where(step % 60 < 3, 1.5, 1.0)
    level = np.exp(rng.normal(2.5, 0.7, (n, 1)))
    arrivals = rng.poisson(level * season).astype(np.float64)
    lag, gain = np.zeros((2, n, n))
    order = rng.permutation(n)
    for a, b, c in order[: n // 4 * 3].reshape(-1, 3):
        for up, down in pairwise((a, b, c)):
            lag[up, down] = rng.integers(1, 16)
            gain[up, down] = rng.uniform(0.3, 2.0)
            later = int(lag[up, down])
            caused = rng.poisson(gain[up, down] * arrivals[up, : len(step) - later])
            arrivals[down, later:] += caused
        lag[a, c], gain[a, c] = lag[a, b] + lag[b, c], gain[a, b] * gain[b, c]
    return _demand(arrivals, 60.0), lag, gain


def recorded_table(paths: Iterable[Path]) -> Table:
    """Edges found in recorded series against their known ones, one row per file.

    Raises PermanentError where a file cannot be read.
    """
    table = Table(
        "trace", "services", "steps", "known", "found", "either way", "related", "recall",
        title="Recorded series",
        caption="known: pairs reachable along known edges; either way: share of found pairs that "
        "are known in either direction; related: or have a common caller",
    )  # fmt: skip
    for path in paths:
        table.add_row(path.name.partition(".")[0], *_recorded(path))
    return table


def _recorded(path: Path) -> tuple[str, ...]:
    trace = read_trace(path)
    held = np.flatnonzero(~np.isnan(trace.counts).all(axis=0))
    counts = trace.counts[:, held[0] : held[-1] + 1]
    edges = edges_from_counts(_demand(counts, trace.step_s, trace.services))
    reachable = transitive_closure(_known_calls(path))
    at = edges.upstream, edges.downstream
    either = (reachable | reachable.T)[at]
    related = either | common_callers(reachable)[at]
    return (
        str(len(reachable)),
        str(counts.shape[1]),
        str(reachable.sum()),
        str(len(edges)),
        f"{either.mean() if len(edges) else 1:.2f}",
        f"{related.mean() if len(edges) else 1:.2f}",
        f"{reachable[at].sum() / max(reachable.sum(), 1):.2f}",
    )


def _known_calls(path: Path) -> BoolArray:
    """(n, n) the edges that a recording names, as pairs or as texts "a>b"."""
    arrays = read_npz(path, allowed="edges")
    known = (
        arrays["known_edges"].tolist()
        if "known_edges" in arrays
        else [edge.split(">") for edge in arrays["edges"].tolist()]
    )
    place = {name: i for i, name in enumerate(arrays["ids"].tolist())}
    calls = np.zeros((len(place),) * 2, dtype=np.bool_)
    for up, down in known:
        if up in place and down in place:
            calls[place[up], place[down]] = True
    return calls


def cost_table(services: int, days: int) -> Table:
    """Time and memory of the search over planted demand."""
    demand, _, _ = planted(services, days, np.random.default_rng(0))
    begin, cpu_begin = time.perf_counter(), time.process_time()
    edges = edges_from_counts(demand)
    took_s, cpu_s = time.perf_counter() - begin, time.process_time() - cpu_begin
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    table = Table("services", "steps", "edges", "s", "CPU s", "peak GiB")
    table.add_row(
        f"{services:,}", f"{demand.n_steps:,}", f"{len(edges):,}", f"{took_s:.1f}", f"{cpu_s:.1f}",
        f"{peak_gib:.2f}",
    )  # fmt: skip
    return table


def _demand(arrivals: FloatArray, step_s: float, services: tuple[str, ...] = ()) -> Demand:
    return Demand(
        services=services or tuple(f"made/s{i}" for i in range(len(arrivals))),
        start_s=0.0,
        step_s=step_s,
        arrivals=arrivals,
        peak=arrivals,
        capacity=np.ones(len(arrivals)),
    )
