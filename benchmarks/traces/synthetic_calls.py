"""Synthetic calls over recorded call graphs.

Public call graphs record which service calls which within a request, and when, but not how requests
arrive over a day. So entries get synthetic arrivals (Poisson, timers, daily), and each request
follows one of its entry's recorded graphs. A service idle for a minute is cold: its call waits for
the start-up, and all later calls of the graph are delayed by as much. The result is synthetic, and
labelled so wherever it is reported.
"""

from dataclasses import dataclass

import numba
import numpy as np

from autoscaler.core.state.rings import span
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.traces.call_graphs import CallGraphs

HOP_S = 1e-5  # least s from a call to the calls it makes: keeps their order
PERIODS_S = np.array([120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticCalls:
    """Calls with their times, and the true relations between services."""

    services: tuple[str, ...]  # (n,)
    service: IntArray  # (n_calls,)
    at_s: FloatArray  # (n_calls,) s from the start; not sorted
    by_service: BoolArray  # (n_calls,) whether another service called, not the user
    request: IntArray  # (n_calls,) which request called, ascending
    n_requests: int
    requests: FloatArray  # (n,) requests with a call of A
    after: FloatArray  # (n, n) of them, those that call B at or after A's first call
    cold_requests: FloatArray  # (n,) as requests, where A's first call was cold
    cold_after: FloatArray  # (n, n) as after, where A's first call was cold
    cold_lag_s: FloatArray  # (n, n) of cold_after, summed s from A's first call to B's
    direct: BoolArray  # (n, n) A itself calls B in a graph

    def probability(self) -> FloatArray:
        """(n, n) P(B is called after A within the request | A is called)."""
        share = self.after / np.maximum(self.requests, 1.0)[:, None]
        np.fill_diagonal(share, 0.0)
        return np.asarray(share)


def draw_arrivals(
    n_entries: int,
    span_s: float,
    rng: np.random.Generator,
    *,
    per_hour: float = 8.0,
    jitter_s: float = 0.3,
) -> tuple[FloatArray, IntArray]:
    """Times (n_requests,) s, sorted, and entry of each.

    A third of the entries each: Poisson, timers, Poisson with a daily season. Rates are log-normal
    about ``per_hour``. Half of the timers run at whole minutes, half at a phase of their own; each
    run is delayed by a normal |jitter|.
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
    season = 1.0 + 0.95 * np.sin(2 * np.pi * at / 86400.0 + rng.uniform(0.0, 1.0))
    return np.asarray(at[rng.random(n) * 1.95 < season])


def follow_graphs(
    graphs: CallGraphs,
    at_s: FloatArray,
    entry: IntArray,
    rng: np.random.Generator,
    *,
    idle_s: float = 60.0,
    cold_s: float = 2.0,
    sigma: float = 0.1,
) -> SyntheticCalls:
    """Let each request follow one graph of its entry, drawn uniformly.

    idle_s: a service idle for so long is cold. cold_s: s of a start-up, log-normal with ``sigma``.
    """
    by_entry = np.argsort(graphs.entry, kind="stable")
    n_of = np.bincount(graphs.entry, minlength=graphs.n_entries)
    begin_of = np.cumsum(n_of) - n_of
    pick = (rng.random(len(entry)) * n_of[entry]).astype(np.int64)
    graph = by_entry[begin_of[entry] + pick]
    n_calls = np.diff(graphs.first)[graph]
    start_up_s = cold_s * np.exp(sigma * rng.standard_normal(int(n_calls.sum())))
    calls = span(graphs.first[:-1][graph], n_calls)
    when, by_service, by_pair = _follow(
        at_s, graph, graphs.first, graphs.callee, graphs.parent, graphs.depth,
        graphs.begin_s, graphs.end_s, len(graphs.services), idle_s, start_up_s,
    )  # fmt: skip
    return SyntheticCalls(
        services=graphs.services,
        service=graphs.callee[calls],
        at_s=when,
        by_service=graphs.parent[calls] >= 0,
        request=np.repeat(np.arange(len(graph)), n_calls),
        n_requests=len(at_s),
        requests=by_service[0],
        cold_requests=by_service[1],
        after=by_pair[0],
        cold_after=by_pair[1],
        cold_lag_s=by_pair[2],
        direct=_direct(graphs),
    )


def _direct(graphs: CallGraphs) -> BoolArray:
    """(n, n) whether a service itself calls another in any graph."""
    n = len(graphs.services)
    direct = np.zeros((n, n), dtype=np.bool_)
    called = graphs.parent >= 0
    offset = np.repeat(graphs.first[:-1], np.diff(graphs.first))
    direct[graphs.callee[(graphs.parent + offset)[called]], graphs.callee[called]] = True
    np.fill_diagonal(direct, val=False)
    return direct


@numba.njit(cache=True)
def _follow(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    at_s, graph, first, callee, parent, depth, begin_s, end_s, n, idle_s, start_up_s
):
    """Times of all calls, and sums over pairs of services, request by request.

    start_up_s: (n_calls,) of each call, used if it is cold.
    """
    last, ready = (
        np.full(n, -1e18),
        np.full(n, -1e18),
    )  # s of each service's last call, and end of start-up
    when = np.empty(len(start_up_s))
    by_service, by_pair = np.zeros((2, n)), np.zeros((3, n, n))
    out = 0
    for request in range(len(at_s)):
        f, end = first[graph[request]], first[graph[request] + 1]
        times = when[out : out + end - f]
        cold = _times_of_request(
            at_s[request], callee[f:end], parent[f:end], depth[f:end], begin_s[f:end],
            end_s[f:end], idle_s, start_up_s[out : out + end - f], last, ready, times,
        )  # fmt: skip
        _count_pairs(callee[f:end], times, cold, by_service, by_pair)
        out += end - f
    return when, by_service, by_pair


@numba.njit(cache=True)
def _times_of_request(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    at, callee, parent, depth, begin_s, end_s, idle_s, start_up_s, last, ready, times
):
    """Fill ``times`` (n_calls,) of one request, update last and ready; returns which were cold."""
    size = len(callee)
    done, delay = np.empty(size), np.empty(size)  # s that a call's end, and its start, are delayed
    cold = np.empty(size, np.bool_)
    for k in range(size):
        above, service = parent[k], callee[k]
        delayed = delay[above] if above >= 0 else 0.0
        for j in range(k):
            if parent[j] == above and end_s[j] <= begin_s[k]:
                delayed = max(delayed, done[j])
        t = at + begin_s[k] + delayed + HOP_S * depth[k]
        cold[k] = t - last[service] >= idle_s
        if cold[k]:
            ready[service] = t + start_up_s[k]
        delay[k] = done[k] = delayed + max(0.0, ready[service] - t)
        while above >= 0:
            done[above] = max(done[above], done[k])
            above = parent[above]
        last[service] = max(last[service], t)
        times[k] = t
    return cold


@numba.njit(cache=True)
def _count_pairs(callee, times, cold, by_service, by_pair):  # type: ignore[no-untyped-def]
    """Add one request: each service's first call A, and the first call of each B at or after it."""
    for k in range(len(callee)):
        if not _first_since(callee, times, k, -np.inf):
            continue
        a = callee[k]
        by_service[0, a] += 1
        by_service[1, a] += cold[k]
        for j in range(len(callee)):
            lag = times[j] - times[k]
            if lag < -HOP_S / 2 or not _first_since(callee, times, j, times[k]):
                continue
            by_pair[0, a, callee[j]] += 1
            if cold[k]:
                by_pair[1, a, callee[j]] += 1
                by_pair[2, a, callee[j]] += lag


@numba.njit(cache=True)
def _first_since(callee, times, k, since):  # type: ignore[no-untyped-def]
    """Whether call k is the earliest one of its service at or after ``since``."""
    for i in range(len(callee)):
        earlier = times[i] < times[k] or (times[i] == times[k] and i < k)
        if callee[i] == callee[k] and earlier and times[i] - since >= -HOP_S / 2:
            return False
    return True
