"""The hybrid histogram policy: windows from how long an application has been idle before.

Source: Shahrad et al., "Serverless in the Wild", USENIX ATC 2020. Idle times, from the end of an
execution to the next start, are counted in bins of a minute up to a range; longer ones are out of
bounds. After an execution the image is unloaded, loaded again ``pre_s`` later, and kept for
``keep_s`` from then on:

* most idle times are out of bounds: ARIMA forecasts the next one; 0.85 to 1.15 times it;
* the histogram is not representative (bin counts vary too little, or are too few): the image stays
  for the whole range;
* else from 0.9 times the 5th percentile (down to its bin) to 1.1 times the 99th (up to it).

What the paper gives no number for is taken from its re-implementations (a half; 10 idle times), or
chosen here (the orders of ARIMA, by AIC; 4 idle times for it). Its knob is the range, which the
paper sweeps from 1 to 4 h. The policy knows one image: further pods stay as long after they were
needed last. Knative's rule goes on above.
"""

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.policies.contender import Knob, Plan, Scene
from benchmarks.policies.statistics import statsmodels

BIN_S, RANGE_H = 60.0, 4.0
MOST, REPRESENTATIVE, ENOUGH = 0.5, 2.0, 10
HEAD, TAIL = 0.05, 0.99
HEAD_MARGIN, TAIL_MARGIN, ARIMA_MARGIN = 0.9, 1.1, 0.15
ENOUGH_FOR_ARIMA = 4
ORDERS = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 1, 1))  # (p, d, q)
ITERATIONS = 30  # of a fit
AT_ONCE = 4096  # invocations whose histograms are held: bounds memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """When an image is loaded after an execution; (k,) each."""

    pre_s: FloatArray  # s from the end of the execution to loading; 0 = it is not unloaded
    keep_s: FloatArray  # s from then on


class HybridHistogram:
    """The policy, its windows as floors of each step."""

    name = "hybrid histogram"
    knob = Knob(name="range, h", values=(1.0, 2.0, 3.0, 4.0), default=RANGE_H)
    hindsight = False
    monotone = False  # a longer range may make a histogram representative, and its windows short

    def plan(self, scene: Scene, value: float) -> Plan:
        """``value``: the range, h."""
        requests, demand = scene.requests, scene.demand
        steps = np.arange(scene.first, demand.n_steps, dtype=np.float64)
        starts_s = demand.start_s + steps * demand.step_s
        need = np.ceil(np.nan_to_num(demand.peak) / demand.capacity[:, None]).astype(np.int64)
        floors = np.zeros((len(need), len(starts_s)), dtype=np.int64)
        for row, (begin, end) in enumerate(pairwise(requests.offset)):
            idle = IdleTimes.of(requests.arrival_s[begin:end], requests.service_s[begin:end])
            loaded, until_s = idle.loaded(starts_s, demand.step_s, value)
            floors[row] = loaded * _pods(need[row], scene.first, until_s / demand.step_s)
        return Plan(services=scene.services, floors=floors)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleTimes:
    """Of one application, and when they became known."""

    arrival_s: FloatArray  # (k,) Unix s, ascending
    busy_until_s: FloatArray  # (k,) Unix s at which all executions up to this one have ended
    idle_s: FloatArray  # (m,) s
    ended_by: IntArray  # (m,) index of the invocation that ended it

    @classmethod
    def of(cls, arrival_s: FloatArray, service_s: FloatArray) -> "IdleTimes":
        """Of invocations (k,). One that comes while others execute ends no idle time."""
        until = np.maximum.accumulate(arrival_s + service_s)
        idle = arrival_s[1:] - until[:-1]
        ended_by = np.flatnonzero(idle >= 0) + 1
        return cls(
            arrival_s=arrival_s, busy_until_s=until, idle_s=idle[ended_by - 1], ended_by=ended_by
        )

    def windows(self, after: IntArray, range_h: float = RANGE_H) -> Windows:
        """Those that follow invocations ``after`` (q,), from the idle times up to each."""
        known = np.searchsorted(self.ended_by, after, side="right")
        counts = _histograms(self.idle_s, known, round(range_h * 3600 / BIN_S))
        inside = counts.sum(axis=1)
        outside = known - inside
        pre, until = _percentiles(counts)
        varied = counts.std(axis=1) >= REPRESENTATIVE * counts.mean(axis=1)
        standard = ~varied | (inside < ENOUGH)
        pre = np.where(standard, 0.0, HEAD_MARGIN * pre)
        until = np.where(standard, 3600 * range_h, TAIL_MARGIN * until)
        by_arima = (outside > MOST * known) & (known >= ENOUGH_FOR_ARIMA)
        for number in np.unique(known[by_arima]):
            forecast = arima(self.idle_s[:number])
            rows = by_arima & (known == number)
            pre[rows], until[rows] = (1 - ARIMA_MARGIN) * forecast, (1 + ARIMA_MARGIN) * forecast
        return Windows(pre_s=pre, keep_s=until - pre)

    def loaded(
        self, starts_s: FloatArray, step_s: float, range_h: float
    ) -> tuple[IntArray, FloatArray]:
        """(k,) 1 for steps in which the image is loaded, and s for which it is kept after an end.

        Both from the invocations before each step begins. While one executes, it is loaded.
        """
        last = np.searchsorted(self.arrival_s, starts_s) - 1
        seen = last >= 0
        distinct, back = np.unique(last[seen], return_inverse=True)
        windows = self.windows(distinct, range_h)
        idle = starts_s[seen] - self.busy_until_s[last[seen]]
        pre, until = windows.pre_s[back], (windows.pre_s + windows.keep_s)[back]
        loaded = np.zeros(len(starts_s), dtype=np.int64)
        loaded[seen] = (idle < 0) | ((idle + step_s > pre) & (idle < until))
        until_s = np.zeros(len(starts_s))
        until_s[seen] = until
        return loaded, until_s


def windows_by_paper(arrival_s: FloatArray, first: int, range_h: float) -> Windows:
    """Those that follow invocations from the index ``first`` on, where executions take no time."""
    idle = IdleTimes.of(arrival_s, np.zeros(len(arrival_s)))
    starts = range(first, len(arrival_s), AT_ONCE)
    parts = [
        idle.windows(np.arange(begin, min(begin + AT_ONCE, len(arrival_s))), range_h)
        for begin in starts
    ]
    return Windows(
        pre_s=np.concatenate([np.zeros(0), *(part.pre_s for part in parts)]),
        keep_s=np.concatenate([np.zeros(0), *(part.keep_s for part in parts)]),
    )


def _histograms(idle_s: FloatArray, known: IntArray, bins: int) -> FloatArray:
    """(q, bins) of the first ``known`` (q,) idle times, ascending; longer ones are left out."""
    index = np.floor(idle_s / BIN_S).astype(np.int64)
    first = np.searchsorted(known, np.arange(len(idle_s)), side="right")  # that knows each
    kept = (index < bins) & (first < len(known))
    added = np.zeros((len(known), bins))
    np.add.at(added, (first[kept], index[kept]), 1.0)
    return np.cumsum(added, axis=0)


def _percentiles(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(q,) s: head, rounded down to its bin, and tail, rounded up."""
    so_far = np.cumsum(counts, axis=1)
    head = (so_far >= HEAD * so_far[:, -1:]).argmax(axis=1)
    tail = (so_far >= TAIL * so_far[:, -1:]).argmax(axis=1) + 1
    return head * BIN_S, tail * BIN_S


def arima(idle_s: FloatArray) -> float:
    """The next idle time, s, by the ARIMA of least AIC; never negative."""
    if np.ptp(idle_s) < BIN_S:
        return float(idle_s.mean())
    model = statsmodels("tsa.arima.model").ARIMA
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of starting values, on series so short
        fits = [
            model(idle_s / 3600, order=order).fit(method_kwargs={"maxiter": ITERATIONS})
            for order in ORDERS
        ]
        best = min(fits, key=lambda fit: fit.aic if np.isfinite(fit.aic) else np.inf)
        forecast = float(best.forecast(1)[0]) * 3600
    return max(forecast, 0.0) if np.isfinite(forecast) else float(idle_s.mean())


def _pods(need: IntArray, first: int, kept: FloatArray) -> IntArray:
    """(k,) pods for steps from ``first`` on: each level's, if needed within ``kept`` (k,) steps."""
    steps = np.arange(first, len(need))
    pods = np.ones(len(steps), dtype=np.int64)
    for level in np.unique(need[need > 1]):
        at = np.where(need >= level, np.arange(len(need)), -np.inf)
        last = np.maximum.accumulate(np.append(-np.inf, at))[first:-1]
        pods = np.where(steps - last - 1 < kept, level, pods)
    return pods
