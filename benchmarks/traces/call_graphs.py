"""Made traffic over real call graphs: who calls whom is recorded, when somebody comes is made up.

Public call graphs say which service calls which within a request, and when, but not how requests
come over a day. So entries get made arrivals (Poisson, timers, day and night), and each request
walks one of its entry's recorded graphs. A service idle for a minute is cold: its call waits for
the start, and everything that the graph puts behind that call comes later by as much.
What results is synthetic and has to be called so wherever it is reported.
"""

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from autoscaler.core.state.rings import span
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.errors import PermanentError

HOP_S = 1e-5  # s a call is later than its caller at least: order within a millisecond
PERIODS_S = np.array([120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class CallGraphs:
    """Recorded requests, one graph each; calls lie end to end, in order of their begin."""

    services: tuple[str, ...]  # (n,)
    entry: IntArray  # (n_graphs,) which entry point the graph was recorded at
    first: IntArray  # (n_graphs + 1,) first call of each graph
    callee: IntArray  # (n_calls,) service
    parent: IntArray  # (n_calls,) the call that made this one; -1 = the user
    depth: IntArray  # (n_calls,) calls above it
    begin_s: FloatArray  # (n_calls,) s after the request came
    end_s: FloatArray  # (n_calls,)

    @property
    def n_entries(self) -> int:
        """Number of entry points."""
        return int(self.entry.max(initial=-1)) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCalls:
    """Calls as they reached services, and what is true of them."""

    services: tuple[str, ...]  # (n,)
    service: IntArray  # (n_calls,)
    at_s: FloatArray  # (n_calls,) s from the start; not sorted
    by_service: BoolArray  # (n_calls,) whether another service called, not the user
    request: IntArray  # (n_calls,) which request called, ascending
    n_requests: int
    # Of all requests with a call of A (row): of B (column), requests in which B was called after A
    # came first; the same where A was cold; the sum of first lags there.
    requests: FloatArray  # (n,)
    after: FloatArray  # (n, n)
    cold_requests: FloatArray  # (n,)
    cold_after: FloatArray  # (n, n)
    cold_lag_s: FloatArray  # (n, n) summed
    direct: BoolArray  # (n, n) A calls B itself in a graph that was walked

    def probability(self) -> FloatArray:
        """(n, n) P(B is called after A within the request | A is called)."""
        share = self.after / np.maximum(self.requests, 1.0)[:, None]
        np.fill_diagonal(share, 0.0)
        return np.asarray(share)


def read_graphs(path: Path) -> list[dict[str, Any]]:
    """Requests of a ``.jsonl.gz`` file: a graph a line, edges [id, caller, callee, type, ms, ms].

    Raises PermanentError, naming the file, where it is missing or something else.
    """
    try:
        with gzip.open(path, "rt") as file:
            graphs = [json.loads(line) for line in file]
        if not graphs or not all({"service", "edges"} <= graph.keys() for graph in graphs):
            raise PermanentError(f"{path} holds no call graphs; allowed: service and edges a line")
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {error}") from error
    except (ValueError, EOFError, AttributeError, zlib.error) as error:
        raise PermanentError(f"{path} is damaged ({error}); allowed: gzipped JSON lines") from error
    return graphs


def chosen(graphs: list[dict[str, Any]], n_entries: int, rng: np.random.Generator) -> CallGraphs:
    """The graphs of entries drawn at random; a call of a service by itself is part of its work."""
    entries = sorted({graph["service"] for graph in graphs})
    drawn = set(rng.permutation(entries)[:n_entries].tolist())
    names: dict[str, int] = {}
    numbers: dict[str, int] = {}
    entry, first, rows = [], [0], []
    for graph in graphs:
        if graph["service"] not in drawn:
            continue
        entry.append(numbers.setdefault(graph["service"], len(numbers)))
        rows += _rows(graph["edges"], names)
        first.append(len(rows))
    columns = list(zip(*rows, strict=True))
    return CallGraphs(
        services=tuple(names),
        entry=np.array(entry),
        first=np.array(first),
        callee=np.array(columns[0]),
        parent=np.array(columns[1]),
        depth=np.array(columns[2]),
        begin_s=np.array(columns[3]) / 1e3,
        end_s=np.array(columns[4]) / 1e3,
    )


def _rows(edges: list[list[Any]], names: dict[str, int]) -> list[tuple[int, int, int, int, int]]:
    """(callee, parent, depth, begin ms, end ms) of a graph's calls, in order of begin."""
    order = sorted(edges, key=lambda e: (e[4], e[0].count(".")))
    kept = [e for e in order if e[1] != e[2]]
    place = {e[0]: i for i, e in enumerate(kept)}
    rows = []
    for edge in kept:
        above = edge[0].rpartition(".")[0]
        while above and above not in place:  # made by a call of the service by itself
            above = above.rpartition(".")[0]
        callee = names.setdefault(f"made/{edge[2].lower().replace('_', '-')}", len(names))
        rows.append((callee, place.get(above, -1), edge[0].count("."), edge[4], edge[5]))
    return rows


def arrivals(
    n_entries: int,
    span_s: float,
    rng: np.random.Generator,
    *,
    per_hour: float = 8.0,
    jitter_s: float = 0.3,
) -> tuple[FloatArray, IntArray]:
    """Times (n_requests,) s, sorted, and entry of each: a third Poisson, timers, day and night.

    Rates are log-normal about ``per_hour``. Of the timers half keep to the clock (whole minutes),
    half to a phase of their own; each run is late by a normal |jitter|, cold or not.
    """
    rate = np.minimum(per_hour * np.exp(1.5 * rng.standard_normal(n_entries)), 1200.0) / 3600.0
    kind = rng.integers(0, 3, n_entries)
    times = [
        _entry(int(k), float(r), span_s, jitter_s, rng) for k, r in zip(kind, rate, strict=True)
    ]
    at = np.concatenate(times)
    entry = np.repeat(np.arange(n_entries), [len(t) for t in times])
    order = np.argsort(at, kind="stable")
    return at[order], entry[order]


def _entry(
    kind: int, rate: float, span_s: float, jitter_s: float, rng: np.random.Generator
) -> FloatArray:
    if kind == 1:
        period = float(rng.choice(PERIODS_S))
        phase = rng.uniform(0.0, period)
        if rng.random() < 0.5:
            phase = 60.0 * np.floor(phase / 60.0)
        due = np.arange(phase, span_s, period)
        return np.asarray(due + np.abs(jitter_s * rng.standard_normal(len(due))))
    n = rng.poisson(rate * span_s)
    at = np.sort(rng.uniform(0.0, span_s, n))
    if kind == 0:
        return np.asarray(at)
    day = 1.0 + 0.95 * np.sin(2 * np.pi * at / 86400.0 + rng.uniform(0.0, 1.0))
    return np.asarray(at[rng.random(n) * 1.95 < day])


def walk(
    graphs: CallGraphs,
    at_s: FloatArray,
    entry: IntArray,
    rng: np.random.Generator,
    *,
    idle_s: float = 60.0,
    cold_s: float = 2.0,
    spread: float = 0.1,
) -> MadeCalls:
    """Let requests walk graphs of their entries, each equally likely.

    idle_s: a service idle for so long is cold. cold_s: s a start takes, log-normal with ``spread``.
    """
    by_entry = np.argsort(graphs.entry, kind="stable")
    n_of = np.bincount(graphs.entry, minlength=graphs.n_entries)
    begin_of = np.cumsum(n_of) - n_of
    pick = (rng.random(len(entry)) * n_of[entry]).astype(np.int64)
    graph = by_entry[begin_of[entry] + pick]
    n = len(graphs.services)
    wait = cold_s * np.exp(spread * rng.standard_normal(int(np.diff(graphs.first)[graph].sum())))
    calls = span(graphs.first[:-1][graph], np.diff(graphs.first)[graph])
    when, tallies, sums = _walk(
        at_s, graph, graphs.first, graphs.callee, graphs.parent, graphs.depth,
        graphs.begin_s, graphs.end_s, n, idle_s, wait,
    )  # fmt: skip
    direct = np.zeros((n, n), dtype=np.bool_)
    called = graphs.parent >= 0
    offset = np.repeat(graphs.first[:-1], np.diff(graphs.first))
    direct[graphs.callee[(graphs.parent + offset)[called]], graphs.callee[called]] = True
    np.fill_diagonal(direct, val=False)
    return MadeCalls(
        services=graphs.services,
        service=graphs.callee[calls],
        at_s=when,
        by_service=graphs.parent[calls] >= 0,
        request=np.repeat(np.arange(len(graph)), np.diff(graphs.first)[graph]),
        n_requests=len(at_s),
        requests=tallies[0],
        cold_requests=tallies[1],
        after=sums[0],
        cold_after=sums[1],
        cold_lag_s=sums[2],
        direct=direct,
    )


@numba.njit(cache=True)
def _walk(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917, PLR0912, C901
    at_s, graph, first, callee, parent, depth, begin_s, end_s, n, idle_s, wait
):
    """One request after the other; ``wait`` holds a start-up time for every call, used if cold."""
    last = np.full(n, -1e18)
    ready = np.full(n, -1e18)
    when = np.empty(len(wait))
    tallies, sums = np.zeros((2, n)), np.zeros((3, n, n))
    longest = np.max(first[1:] - first[:-1])
    done, held, cold = np.empty(longest), np.empty(longest), np.empty(longest, np.bool_)
    out = 0
    for request in range(len(at_s)):
        f, size = first[graph[request]], first[graph[request] + 1] - first[graph[request]]
        for k in range(size):
            above, who = parent[f + k], callee[f + k]
            late = held[above] if above >= 0 else 0.0
            for j in range(k):
                if parent[f + j] == above and end_s[f + j] <= begin_s[f + k]:
                    late = max(late, done[j])
            t = at_s[request] + begin_s[f + k] + late + HOP_S * depth[f + k]
            cold[k] = t - last[who] >= idle_s
            if cold[k]:
                ready[who] = t + wait[out + k]
            held[k] = done[k] = late + max(0.0, ready[who] - t)
            while above >= 0:
                done[above] = max(done[above], done[k])
                above = parent[f + above]
            last[who] = max(last[who], t)
            when[out + k] = t
        for k in range(size):
            a = callee[f + k]
            t, known = when[out + k], False
            for j in range(size):
                known |= callee[f + j] == a and (
                    when[out + j] < t or (when[out + j] == t and j < k)
                )
            if known:
                continue
            tallies[0, a] += 1
            tallies[1, a] += cold[k]
            for j in range(size):
                b, lag = callee[f + j], when[out + j] - t
                if lag < -HOP_S / 2:
                    continue
                for i in range(size):
                    if (
                        callee[f + i] == b
                        and (when[out + i] - t >= -HOP_S / 2)
                        and (
                            when[out + i] < when[out + j]
                            or (when[out + i] == when[out + j] and i < j)
                        )
                    ):
                        break
                else:
                    sums[0, a, b] += 1
                    if cold[k]:
                        sums[1, a, b] += 1
                        sums[2, a, b] += lag
        out += size
    return when, tallies, sums
