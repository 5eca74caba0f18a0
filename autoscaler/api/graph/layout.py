"""Places of services in a drawing, so that calls lead from left to right and few of them cross.

The layered drawing of Sugiyama, Tagawa and Toda (1981), in its simplest form. Cycles are broken by
the heuristic of Eades, Lin and Smyth (1993); a service is one column to the right of its last
upstream; within a column it is at the mean height of its neighbours. Unconnected parts are packed
below and beside each other. The layout is deterministic.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaler.core.types import FloatArray, IntArray

SWEEPS = 12  # over all columns; more do not improve the drawing
GAP = 0.5  # lines between parts
BEND = 0.5  # lines that an arrow takes where it passes between services
MOST_BENDS = 1500  # with more, arrows lead straight: such a drawing cannot be read anyway
WIDTH = 5.0  # lines that a column is as wide as, to fill a page of ASPECT
ASPECT = 1.6  # width by height that parts are packed to


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphLayout:
    """Places of n services, and where edges (m,) pass the columns between their ends."""

    column: IntArray  # (n,) from the left, 0 up
    line: FloatArray  # (n,) from the top, 0 down; at least 1 apart in a column
    bends: tuple[tuple[tuple[int, float], ...], ...]  # (m,) column and line, from the upstream on


def layout(n: int, upstream: IntArray, downstream: IntArray) -> GraphLayout:
    """Places for n services with edges (m,) between them, indices 0 to n - 1, a pair once."""
    column = _columns(n, upstream, downstream)
    graph = _BentEdges.of(column, upstream, downstream)
    part = _parts(len(graph.column), graph.left, graph.right)
    groups = _groups(graph.column, part)
    line = np.zeros(len(graph.column))
    for group in groups:
        line[group] = _spread(np.zeros(len(group)), graph.height[group])
    for sweep in range(SWEEPS):
        there, here = (graph.left, graph.right) if sweep % 2 == 0 else (graph.right, graph.left)
        for group in groups if sweep % 2 == 0 else reversed(groups):
            preferred = _mean_of_neighbours(line, there, here, group)
            order = np.lexsort((line[group], preferred))
            line[group[order]] = _spread(preferred[order], graph.height[group[order]])
    column, line = _packed(graph.column, line, part)
    bends = tuple(tuple((int(column[i]), float(line[i])) for i in via) for via in graph.via)
    return GraphLayout(column=column[:n], line=line[:n], bends=bends)


@dataclass(frozen=True, slots=True, kw_only=True)
class _BentEdges:
    """Edges split at each column that they pass, with a bend there that takes space."""

    column: IntArray  # (n + bends,)
    height: FloatArray  # (n + bends,) lines
    left: IntArray  # (p,) pieces of edges, each from a column ...
    right: IntArray  # (p,) ... to the next
    via: tuple[tuple[int, ...], ...]  # (m,) the bends of each edge, from the upstream on

    @classmethod
    def of(cls, column: IntArray, upstream: IntArray, downstream: IntArray) -> "_BentEdges":
        n, span = len(column), column[downstream] - column[upstream]
        columns, pieces = column.tolist(), list[tuple[int, int]]()
        via: list[tuple[int, ...]] = [()] * len(upstream)
        bent = np.maximum(np.abs(span) - 1, 0).sum() <= MOST_BENDS
        for e in np.lexsort((downstream, upstream)).tolist():  # whatever order they came in
            ends, way = (int(upstream[e]), int(downstream[e])), int(np.sign(span[e]))
            passed = range(columns[ends[0]] + way, columns[ends[1]], way) if way and bent else ()
            via[e] = tuple(range(len(columns), len(columns) + len(passed)))
            columns += passed
            stops = (ends[0], *via[e], ends[1])
            pieces += pairwise(stops if way >= 0 else stops[::-1])
        left, right = np.array(pieces, dtype=np.int64).reshape(-1, 2).T
        height = np.where(np.arange(len(columns)) < n, 1.0, BEND)
        at = np.array(columns, dtype=np.int64)
        return cls(column=at, height=height, left=left, right=right, via=tuple(via))


def _columns(n: int, upstream: IntArray, downstream: IntArray) -> IntArray:
    """(n,) one more than the greatest column of its upstreams that come before it in the order."""
    place = np.empty(n, dtype=np.int64)
    order = _order(n, upstream.tolist(), downstream.tolist())
    place[order] = np.arange(n)
    forward = place[upstream] < place[downstream]
    pairs = sorted(zip(place[upstream[forward]], place[downstream[forward]], strict=True))
    at = np.zeros(n, dtype=np.int64)  # column, by place in the order
    for up, down in pairs:
        at[down] = max(at[down], at[up] + 1)
    first = np.full(n, n)  # column of its first downstream
    for up, down in pairs:
        first[up] = min(first[up], at[down])
    begins = np.ones(n, dtype=np.bool_)
    begins[[down for _, down in pairs]] = False
    at = np.where(begins & (first < n), first - 1, at)  # next to its first downstream
    return np.asarray(at[place])


def _order(n: int, upstream: list[int], downstream: list[int]) -> list[int]:
    """All services in an order in which few edges lead backwards."""
    calls: list[set[int]] = [set() for _ in range(n)]
    called: list[set[int]] = [set() for _ in range(n)]
    for up, down in zip(upstream, downstream, strict=True):
        calls[up].add(down)
        called[down].add(up)
    left, head, tail = set(range(n)), list[int](), list[int]()
    ready = [i for i in range(n) if not calls[i] or not called[i]]
    while left:
        i = ready.pop() if ready else max(left, key=lambda k: (len(calls[k]) - len(called[k]), -k))
        if i not in left:
            continue
        left.remove(i)
        (head if calls[i] or not called[i] else tail).append(i)
        for other in calls[i]:
            called[other].remove(i)
        for other in called[i]:
            calls[other].remove(i)
        near = sorted(calls[i] | called[i])
        ready += [k for k in near if not calls[k] or not called[k]]
    return head + tail[::-1]


def _parts(n: int, upstream: IntArray, downstream: IntArray) -> IntArray:
    """(n,) the least service of each connected part, as its number."""
    part = np.arange(n)
    while True:
        least = np.minimum(part[upstream], part[downstream])
        former = part.copy()
        np.minimum.at(part, upstream, least)
        np.minimum.at(part, downstream, least)
        part = part[part]
        if (part == former).all():
            return part


def _groups(column: IntArray, part: IntArray) -> list[IntArray]:
    """Services in the same column of the same part, columns from left to right."""
    order = np.lexsort((part, column))
    new = (np.diff(column[order]) != 0) | (np.diff(part[order]) != 0)
    return np.split(order, np.flatnonzero(new) + 1)


def _mean_of_neighbours(
    line: FloatArray, there: IntArray, here: IntArray, group: IntArray
) -> FloatArray:
    """(k,) of a group, the mean line of each one's neighbours; its own line without any."""
    total, many = np.zeros_like(line), np.zeros_like(line)
    np.add.at(total, here, line[there])
    np.add.at(many, here, 1.0)
    return np.where(many > 0, total / np.maximum(many, 1.0), line)[group]


def _spread(preferred: FloatArray, height: FloatArray) -> FloatArray:
    """(k,) lines in the given order, spaced by height, with the mean of the preferred ones."""
    step = np.concatenate([[0.0], np.cumsum((height[:-1] + height[1:]) / 2)])
    lines = np.maximum.accumulate(preferred - step) + step
    return np.asarray(lines - lines.mean() + preferred.mean())


def _packed(column: IntArray, line: FloatArray, part: IntArray) -> tuple[IntArray, FloatArray]:
    """All parts on one page: the highest first, side by side as far as they fit."""
    column, line = column.copy(), line.copy()
    parts = [np.flatnonzero(part == p) for p in np.unique(part)]
    for members in parts:
        column[members] -= column[members].min()
        line[members] -= line[members].min()
    sizes = [(int(column[m].max()) + 1, float(line[m].max()) + 1 + GAP) for m in parts]
    area = sum(wide * WIDTH * high for wide, high in sizes)
    room = max([*(wide for wide, _ in sizes), round(np.sqrt(area * ASPECT) / WIDTH)])
    right, top, shelf = 0, 0.0, 0.0
    for p in sorted(range(len(parts)), key=lambda p: (-sizes[p][1], -sizes[p][0], p)):
        wide, high = sizes[p]
        if right and right + wide > room:
            right, top, shelf = 0, top + shelf, 0.0
        column[parts[p]] += right
        line[parts[p]] += top
        right, shelf = right + wide, max(shelf, high)
    return column, line
