"""Arrival times of requests, drawn from a trace that only counts them, and their demand.

A trace has the number of requests of a step and their mean duration; the time within the step at
which each arrives is drawn, uniformly and seeded. That part is synthetic, and every result that
depends on it states it. In a trace of requests *in flight*, each level that stays needed for a run
of steps becomes one request that lasts the run.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaler.core.state.services import LOAD_S, load
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.errors import PermanentError
from benchmarks.traces.trace import Trace
from learner.demand import Demand

MOST_REQUESTS = 300_000_000  # that are drawn; 2.4 GB per array
SHORTEST_S = 1e-3  # s that a request takes at least, so that each counts as in flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """All requests, service by service: ``offset[i] ... offset[i + 1] - 1`` are of service i."""

    arrival_s: FloatArray  # (n_requests,) Unix s, ascending within a service
    service_s: FloatArray  # (n_requests,) s of execution once started
    offset: IntArray  # (n_services + 1,)

    def only(self, services: IntArray) -> "Requests":
        """Those of some services."""
        spans = [slice(self.offset[i], self.offset[i + 1]) for i in services]
        lengths = [span.stop - span.start for span in spans]
        return Requests(
            arrival_s=np.concatenate([self.arrival_s[span] for span in spans]),
            service_s=np.concatenate([self.service_s[span] for span in spans]),
            offset=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        )


def draw(trace: Trace, *, service_s: float, seed: int) -> Requests:
    """Draw the arrival times of a trace's requests.

    service_s: execution time where the trace has none. A gap has no requests. Raises PermanentError
    where there are too many to draw.
    """
    _check_size(trace)
    rng = np.random.default_rng(seed)
    arrivals, durations = [], []
    for i in range(len(trace.services)):
        if trace.kind == "in_flight":
            begin, duration = _runs(trace, i, rng)
        else:
            begin, duration = _uniform_in_steps(trace, i, service_s, rng)
        order = np.argsort(begin, kind="stable")
        arrivals.append(begin[order])
        durations.append(duration[order])
    return Requests(
        arrival_s=np.concatenate(arrivals),
        service_s=np.concatenate(durations),
        offset=np.concatenate([[0], np.cumsum([len(a) for a in arrivals])]).astype(np.int64),
    )


def _check_size(trace: Trace) -> None:
    counts = np.nan_to_num(trace.counts)
    if trace.kind == "in_flight":  # each level of a service is looked at in each step
        counts = np.broadcast_to(counts.max(axis=1, keepdims=True), counts.shape)
    with np.errstate(over="ignore"):
        many = float(counts.sum())
    if many > MOST_REQUESTS:
        raise PermanentError(
            f"the trace has {many:.3g} requests; allowed: {MOST_REQUESTS:,}, as each is drawn, so "
            "take fewer days or services"
        )


def _uniform_in_steps(
    trace: Trace, i: int, service_s: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Arrivals uniform within their step; a fractional count is rounded at random."""
    expected = np.nan_to_num(trace.counts[i])
    counts = np.floor(expected + rng.random(len(expected))).astype(np.int64)
    step = np.repeat(np.arange(len(counts)), counts)
    arrival = trace.start_s + (step + rng.random(len(step))) * trace.step_s
    mean = trace.duration_s[i][step]
    return arrival, np.where(np.isnan(mean), service_s, mean)


def _runs(trace: Trace, i: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """One request per level and run of steps in which the level stays needed."""
    need = np.ceil(np.nan_to_num(trace.counts[i])).astype(np.int64)
    levels = np.arange(need.max(initial=0))[:, None] < need  # (n_levels, n_steps)
    change = np.diff(np.pad(levels, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    first, end = np.nonzero(change == 1)[1], np.nonzero(change == -1)[1]
    begin = first + rng.random(len(first))
    return trace.start_s + begin * trace.step_s, (end - begin) * trace.step_s


def measure(
    requests: Requests, trace: Trace, *, step_s: float, capacity: float | FloatArray
) -> Demand:
    """The demand of the requests if none has to wait, as the controller would export it.

    Arrivals per step, and the greatest load, from averages over a second, the finest resolution
    that an autoscaler sees. step_s: whole seconds. capacity: requests in flight that one pod takes,
    one for all services or (n,). Gaps of the trace stay gaps.
    """
    ratio = step_s / trace.step_s
    n_steps = int(np.floor(trace.counts.shape[1] / ratio + 1e-9))
    arrivals, peaks = np.zeros((2, len(trace.services), n_steps))
    for i, (begin, end) in enumerate(pairwise(requests.offset)):
        at = requests.arrival_s[begin:end] - trace.start_s
        step = np.floor(at / step_s).astype(np.int64)
        arrivals[i] = np.bincount(step[step < n_steps], minlength=n_steps)
        second = mean_in_flight(at, requests.service_s[begin:end], int(n_steps * step_s))
        so_far = np.cumsum(np.pad(second, (LOAD_S, 0)))
        loads = load(second, (so_far[LOAD_S:] - so_far[:-LOAD_S]) / LOAD_S)
        peaks[i] = loads.reshape(n_steps, int(step_s)).max(axis=1)
    gap = _gaps(np.isnan(trace.counts), ratio, n_steps)
    return Demand(
        services=trace.services,
        start_s=trace.start_s,
        step_s=step_s,
        arrivals=np.where(gap, np.nan, arrivals),
        peak=np.where(gap, np.nan, peaks),
        capacity=np.full(len(trace.services), capacity),
    )


def _gaps(unknown: BoolArray, ratio: float, n_steps: int) -> BoolArray:
    """(n, n_steps) whether any of the trace's steps that a step overlaps is unknown."""
    first = np.floor(np.arange(n_steps) * ratio + 1e-9).astype(np.int64)
    end = np.ceil((np.arange(n_steps) + 1) * ratio - 1e-9).astype(np.int64)
    so_far = np.pad(np.cumsum(unknown, axis=1), ((0, 0), (1, 0)))
    return np.asarray(so_far[:, end] > so_far[:, first], dtype=np.bool_)


def mean_in_flight(
    at: FloatArray, service_s: FloatArray, n_steps: int, step_s: float = 1.0
) -> FloatArray:
    """(n_steps,) requests in flight, averaged over each step; > 0 wherever one was.

    at: (n_requests,) s after the first step began. service_s: (n_requests,) s of execution.
    """
    begin, end = at / step_s, (at + np.maximum(service_s, SHORTEST_S)) / step_s
    first = np.minimum(np.floor(begin).astype(np.int64), n_steps)
    last = np.minimum(np.floor(end).astype(np.int64), n_steps)
    total = np.bincount(first, np.minimum(end, first + 1) - begin, minlength=n_steps + 1)
    longer = last > first
    total += np.bincount(last[longer], (end - last)[longer], minlength=n_steps + 1)
    whole = np.bincount(np.minimum(first + 1, n_steps), longer, minlength=n_steps + 1)
    whole -= np.bincount(last, longer, minlength=n_steps + 1)
    return np.asarray(np.round(total + np.cumsum(whole), 6)[:n_steps])
