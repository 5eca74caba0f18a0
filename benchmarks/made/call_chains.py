"""Services that call each other: chains, and the shapes of recorded or drawn call graphs."""

from itertools import accumulate, cycle, pairwise, takewhile
from typing import Any

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.traces.call_graphs import drawn_graphs, sample_graphs
from benchmarks.traces.synthetic_calls import draw_arrivals, follow_graphs

LENGTHS = (2, 4, 8)  # services in a chain, in turn
WORK_MS = 50.0  # of a service in a chain, before it calls the next

Called = tuple[tuple[str, ...], list[FloatArray], IntArray]  # services, their calls, edges (m, 2)


def chains(random: np.random.Generator, n: int, span_s: float) -> Called:
    """Chains of 2, 4 and 8 services in turn; each calls the next after 50 ms, always."""
    ends = [0, *takewhile(lambda end: end < n, accumulate(cycle(LENGTHS))), n]
    return _follow([_chain(a, b) for a, b in pairwise(ends)], random, span_s)


def fan_outs(
    random: np.random.Generator, n: int, span_s: float, graphs: list[dict[str, Any]] | None = None
) -> Called:
    """Requests that each follow a call graph of their entry point.

    graphs: recorded, as `read_graphs` returns them: so many entry points of these; without, a
    drawn shop of half as many entry points, and as many services behind them.
    """
    if graphs is None:
        return _follow(drawn_graphs(max(n // 2, 1), random), random, span_s)
    return _follow(graphs, random, span_s, n_entries=n)


def _follow(
    graphs: list[dict[str, Any]],
    random: np.random.Generator,
    span_s: float,
    n_entries: int | None = None,
) -> Called:
    """Entries are called by Poisson processes, timers, and Poisson processes that follow the day.

    Calls come when no service is cold: what waits for start-up is for the simulator to say.
    """
    sampled = sample_graphs(graphs, n_entries or len(graphs), random)
    at_s, entry = draw_arrivals(sampled.n_entries, span_s, random)
    calls = follow_graphs(sampled, at_s, entry, random, cold_s=0.0)
    inside = calls.at_s < span_s
    by_service = [
        np.sort(calls.at_s[inside & (calls.service == place)])
        for place in range(len(calls.services))
    ]
    return calls.services, by_service, np.argwhere(calls.direct)


def _chain(first: int, end: int) -> dict[str, Any]:
    """A graph as `read_graphs` returns it."""
    numbers = list(accumulate(["0"] * (end - first), lambda above, _: f"{above}.0"))
    names = ["USER", *(f"chain-{first}-{i}" for i in range(end - first))]
    edges = [
        [number, caller, callee, "rpc", i * WORK_MS, 2 * (end - first) * WORK_MS - i * WORK_MS]
        for i, (number, (caller, callee)) in enumerate(zip(numbers, pairwise(names), strict=True))
    ]
    return {"service": f"chain-{first}", "edges": edges}
