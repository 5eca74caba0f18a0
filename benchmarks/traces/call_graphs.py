"""Recorded call graphs: which services a request calls, and when."""

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError


@dataclass(frozen=True, slots=True, kw_only=True)
class CallGraphs:
    """Recorded requests, one graph each; calls are concatenated, each graph's in order of begin."""

    services: tuple[str, ...]  # (n,)
    entry: IntArray  # (n_graphs,) entry point at which the graph was recorded
    first: IntArray  # (n_graphs + 1,) first call of each graph
    callee: IntArray  # (n_calls,) service
    parent: IntArray  # (n_calls,) the call that made this one; -1 = the user
    depth: IntArray  # (n_calls,) calls above it
    begin_s: FloatArray  # (n_calls,) s after the request arrived
    end_s: FloatArray  # (n_calls,)

    @property
    def n_entries(self) -> int:
        """Number of entry points."""
        return int(self.entry.max(initial=-1)) + 1


def read_graphs(path: Path) -> list[dict[str, Any]]:
    """Requests of a ``.jsonl.gz`` file: a graph a line, edges [id, caller, callee, type, ms, ms].

    Raises PermanentError, naming the file, where it is missing or of another format.
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


def sample_graphs(
    graphs: list[dict[str, Any]], n_entries: int, rng: np.random.Generator
) -> CallGraphs:
    """The graphs of entries drawn at random. A service's calls of itself count as its own work."""
    entries = sorted({graph["service"] for graph in graphs})
    sampled = set(rng.permutation(entries)[:n_entries].tolist())
    names: dict[str, int] = {}
    numbers: dict[str, int] = {}
    entry, first, rows = [], [0], []
    for graph in graphs:
        if graph["service"] not in sampled:
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
    calls = [e for e in order if e[1] != e[2]]
    place = {e[0]: i for i, e in enumerate(calls)}
    rows = []
    for edge in calls:
        above = edge[0].rpartition(".")[0]
        while above and above not in place:  # the caller was a call of the service by itself
            above = above.rpartition(".")[0]
        callee = names.setdefault(f"made/{edge[2].lower().replace('_', '-')}", len(names))
        rows.append((callee, place.get(above, -1), edge[0].count("."), edge[4], edge[5]))
    return rows


LAYERS = 4  # of a drawn shop; a service calls those of later layers
DRAWS = 8  # graphs of an entry


def drawn_graphs(n_entries: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Graphs as `read_graphs` returns, of a shop that is drawn.

    Every entry has a front service; as many services are shared by all, in layers. Each calls up to
    three of later layers, with probabilities of its own, at once or one after the other.
    """
    layer = np.append(np.zeros(n_entries, np.int64), 1 + np.arange(n_entries) % (LAYERS - 1))
    calls: list[list[tuple[int, float]]] = []
    for own in layer.tolist():
        later = np.flatnonzero(layer > own)
        n_calls = min(int(rng.integers(own == 0, 4)), len(later))
        chosen = rng.choice(later, n_calls, replace=False) if n_calls else later[:0]
        calls.append([(int(each), float(rng.uniform(0.1, 1.0))) for each in chosen])
    at_once = rng.random(len(layer)) < 0.5
    work_ms = np.exp(rng.normal(3.0, 1.0, len(layer)))

    def follow(edges: list[list[Any]], number: str, caller: str, service: int, at: float) -> float:
        """Add a call and all that follow from it; returns ms at which it ends."""
        edge: list[Any] = [number, caller, f"S-{service}", "rpc", at, 0.0]
        edges.append(edge)
        at += work_ms[service] / 2
        end = at
        for place, (callee, probability) in enumerate(calls[service]):
            if rng.random() < probability:
                begin = at if at_once[service] else end
                end = max(end, follow(edges, f"{number}.{place}", edge[2], callee, begin))
        edge[5] = end + work_ms[service] / 2
        return float(edge[5])

    graphs = []
    for entry in range(n_entries):
        for _ in range(DRAWS):
            edges: list[list[Any]] = []
            follow(edges, "0", "USER", entry, 0.0)
            graphs.append({"service": f"entry-{entry}", "edges": edges})
    return graphs
