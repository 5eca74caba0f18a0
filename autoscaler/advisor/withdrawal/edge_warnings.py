"""What an edge warns of, and whether it comes: once its upstream starts, its downstream is called.

A warning begins when the upstream starts, as the tick would act on it (`core.prediction.
anticipated`), while the downstream is idle: one that is called all the time would confirm any edge.
It comes true with a call of the downstream, and does not if there was none by `FOLLOWS_S` after the
edge's lag. One warning of an edge goes on at a time.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.names import name_id
from autoscaler.core.prediction.dependencies import Edges, no_edges
from autoscaler.core.state.services import IDLE_S
from autoscaler.core.types import BoolArray, FloatArray, IntArray

FOLLOWS_S = 60.0  # s after the lag: as long a pod that was warned of stays, a stable window
BEFORE_S = 2.0  # s by which the downstream may seem to be first: activators report on their own
GAP_S = 30.0  # s of which nothing is known, after which calls may have been missed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CallTimes:
    """When services were called last; (k,) each."""

    at_s: float  # Unix s until which it is known
    service: IntArray  # `name_id`
    last_call_s: FloatArray  # Unix s; NaN = none was seen
    last_start_s: FloatArray  # Unix s of the last call after idleness; NaN = none was seen


class Warnings:
    """The warnings that go on; (m,) each, of the edges followed last."""

    def __init__(self) -> None:
        self._edges = no_edges(())
        self._ids = np.zeros(0, np.int64)  # (n,) `name_id` of the edges' services
        self._former: CallTimes | None = None
        self._began_s = np.zeros(0)  # Unix s; NaN = none goes on
        self._lag_s = np.zeros(0)
        # (m,) places of its ends among the services that are called; -1 = not there
        self._up = self._down = np.zeros(0, np.int64)

    @property
    def keys(self) -> IntArray:
        """(m,) a number of each ordered pair of services, whatever the other edges are."""
        up, down = self._ids[self._edges.upstream], self._ids[self._edges.downstream]
        return np.asarray(up * 0x1F3D5B79 + down)  # wraps, as hashes may

    def of(self, edges: Edges) -> None:
        """Follow these edges from now on; warnings of those that were followed before go on."""
        former, began_s = self.keys, self._began_s
        self._edges = edges
        self._ids = np.array([name_id(service) for service in edges.services], dtype=np.int64)
        self._lag_s = np.nan_to_num(edges.lag_s)
        self._began_s = carried(self.keys, former, began_s, np.nan)
        self._find(self._former.service if self._former else self._ids[:0])

    def ended(self, present: CallTimes) -> tuple[IntArray, BoolArray]:
        """(k,) edges whose warnings have ended since, and (k,) whether they came true."""
        former, self._former = self._former, present
        if former is None or not np.array_equal(former.service, present.service):
            self._find(present.service)
        elif 0.0 <= present.at_s - former.at_s <= GAP_S:
            self._begin(former, present)
        else:
            self._began_s[:] = np.nan
        began_s, last_call_s = self._began_s, _at(present.last_call_s, self._down)
        came = last_call_s >= began_s - BEFORE_S  # what is not known is NaN, and False
        over = came | (present.at_s > began_s + self._lag_s + FOLLOWS_S)
        edges = np.flatnonzero(over)
        began_s[edges] = np.nan
        return edges, came[edges]

    def _find(self, services: IntArray) -> None:
        """Find the edges' ends among services that are called, (k,) `name_id`."""
        order = np.argsort(services)
        place = np.searchsorted(services, self._ids, sorter=order)
        row = np.append(order, -1)[place]
        row[~np.isin(self._ids, services)] = -1
        self._up, self._down = row[self._edges.upstream], row[self._edges.downstream]
        self._began_s[(self._up < 0) | (self._down < 0)] = np.nan

    def _begin(self, former: CallTimes, present: CallTimes) -> None:
        start_s = _at(present.last_start_s, self._up)
        new = start_s > np.fmax(_at(former.last_start_s, self._up), former.at_s - GAP_S)
        # Never called is NaN, which compares False: it is idle.
        idle = ~(start_s - _at(former.last_call_s, self._down) < IDLE_S)
        idle |= _at(present.last_start_s, self._down) >= start_s - BEFORE_S
        begin = new & idle & (self._down >= 0) & np.isnan(self._began_s)
        self._began_s[begin] = start_s[begin]


def _at(known: FloatArray, rows: IntArray) -> FloatArray:
    """(m,) of what is known of services (k,); NaN where there is none."""
    return np.where(rows >= 0, np.append(known, np.nan)[rows], np.nan)


def carried(keys: IntArray, former: IntArray, values: FloatArray, missing: float) -> FloatArray:
    """(..., m) values of former keys for present ones; missing: where there was none."""
    found = np.full((*values.shape[:-1], len(keys)), missing)
    _, now, then = np.intersect1d(keys, former, return_indices=True)
    found[..., now] = values[..., then]
    return found
