"""Edges between continuous services: whose request counts follow whose, some steps later.

Level and season are removed first (`residuals`); a correlation that two services still have at some
lag is an edge. Every ordered pair is tested at every lag, as matrix products. Two things would give
false edges: autocorrelated series (few independent values in many steps), so significance counts
effective values (Bartlett); and a residual that all services share, whatever the lag, so a peak has
to exceed the mean over all lags.

At a lag of 0 steps the direction cannot be told: both directions are edges, or none where one of
them has a lag (`Edges.together`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autoscaler.core.prediction.dependencies import Edges, Origin, no_edges
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.demand import Demand
from learner.dependencies.counts.partial import direct_counts
from learner.dependencies.counts.residuals import residuals, standardized
from learner.dependencies.significance import false_rate, normal_tail

Singles = npt.NDArray[np.float32]

CELLS = 1 << 22  # values of series held at once beside the series: bounds memory


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRules:
    """Which lags are tested, and which pairs are edges."""

    n_lags: int = 31  # lags of 0, 1, ... steps
    false_rate: float = 0.01  # share of edges that may be false
    least: float = 0.1  # correlation below which an edge is too weak to act on
    active: float = 0.2  # share of steps in which a service has to be called


def edges_from_counts(demand: Demand, rules: CountRules | None = None) -> Edges:
    """Edges between services that are called most of the time.

    ``probability`` is P(B is called in the step a lag later | A is called), ``gain`` the calls of
    B that a call of A brings, ``evidence`` the effective number of steps.
    """
    rules = rules or CountRules()
    n_lags = min(rules.n_lags, demand.n_steps // 4)
    n_active = (demand.arrivals > 0).sum(axis=1)
    rows = np.flatnonzero(n_active >= rules.active * max(demand.n_steps, 1))
    if len(rows) < 2 or n_lags < 1:
        return no_edges(demand.services)
    counts = demand.arrivals[rows].astype(np.float64)
    z = standardized(counts, demand.start_s, demand.step_s).astype(np.float32)
    varies = z.any(axis=1)
    rows, counts, z = rows[varies], counts[varies], z[varies]
    pairs = _tested(z, np.sum(~np.isnan(counts), axis=1), n_lags)
    up, down = np.nonzero(pairs.believed(rules))
    lag = pairs.lag[up, down]
    raw = residuals(counts, demand.start_s, demand.step_s).astype(np.float32)
    return Edges(
        services=demand.services,
        upstream=rows[up],
        downstream=rows[down],
        lag_s=np.asarray(lag * demand.step_s, dtype=np.float64),
        gain=_gain(raw, up, down, lag),
        probability=_probability(counts, up, down, lag),
        confidence=1.0 - pairs.false_rate[up, down],
        evidence=pairs.effective[up, down],
        seen_at_s=np.full(len(up), demand.end_s),
        direct=direct_counts(z, up, down, lag),
        origin=np.full(len(up), Origin.LEARNED_COUNTS, dtype=np.int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _TestedPairs:
    """Every ordered pair of n services, tested for a correlation at its best lag; (n, n) each."""

    peak: Singles  # greatest correlation of A (row) now with B (column) later
    lag: IntArray  # steps at which it is greatest
    effective: FloatArray  # number of independent steps
    false_rate: FloatArray  # share of false ones if this pair and all better ones are believed
    reverse: BoolArray  # whether the pair only repeats the opposite direction

    def believed(self, rules: CountRules) -> BoolArray:
        """(n, n) pairs that are edges."""
        significant = self.false_rate <= rules.false_rate
        in_order = (self.lag > 0) | (self.lag.T == 0)
        strong = self.peak >= rules.least
        return np.asarray(significant & strong & ~self.reverse & in_order)


def _tested(z: Singles, n_known: IntArray, n_lags: int) -> _TestedPairs:
    """Test every ordered pair. z: (n, T) standardized residuals; n_known: (n,) steps with data."""
    peak, lag, mean = _peaks(z, n_lags)
    memory = _autocorrelation(z, 2 * n_lags)
    steps = np.minimum(n_known[:, None], n_known)
    effective = np.maximum(steps / np.maximum(1.0 + 2.0 * memory @ memory.T, 1.0), 4.0)
    rise = np.clip(np.minimum(peak, peak - mean), -0.99, 0.99)
    p = np.minimum(normal_tail(np.arctanh(rise) * np.sqrt(effective - 3.0)) * n_lags, 1.0)
    np.fill_diagonal(p, 1.0)
    return _TestedPairs(
        peak=peak,
        lag=lag,
        effective=effective,
        false_rate=false_rate(p.ravel(), p.size - len(p)).reshape(p.shape),
        reverse=_reverse(peak, lag, memory, effective),
    )


def _peaks(z: Singles, n_lags: int) -> tuple[Singles, IntArray, Singles]:
    """(n, n) greatest correlation of A (row) now with B (column) later, its lag, mean of all."""
    n, length = z.shape
    best = np.full((n, n), -np.inf, dtype=np.float32)
    lag = np.zeros((n, n), dtype=np.int64)
    total = np.zeros((n, n), dtype=np.float32)
    for later in range(n_lags):
        now = (z[:, : length - later] @ z[:, later:].T) / np.float32(length - later)
        total += now
        higher = now > best
        np.copyto(best, now, where=higher)
        lag[higher] = later
    return best, lag, (total + total.T) / np.float32(2 * n_lags)


def _autocorrelation(z: Singles, n_lags: int) -> FloatArray:
    """(n, n_lags) of every series at lags of 1, 2, ... steps."""
    length = z.shape[1]
    lags = range(1, min(n_lags, length - 1) + 1)
    found = [np.einsum("ij,ij->i", z[:, :-k], z[:, k:]) / (length - k) for k in lags]
    return np.stack(found, axis=1).astype(np.float64)


def _reverse(peak: Singles, lag: IntArray, memory: FloatArray, effective: FloatArray) -> BoolArray:
    """(n, n) whether a pair only repeats the opposite direction, through autocorrelation.

    If A calls B and either is autocorrelated, B now correlates with A later. In a cycle the
    correlation exceeds what autocorrelation explains.
    """
    apart = np.clip(lag + lag.T - 1, 0, memory.shape[1] - 1)
    row = np.arange(len(lag))
    remembered = np.maximum(memory[row[:, None], apart], memory[row[None, :], apart])
    explained = peak.T * np.clip(remembered, 0.0, 1.0) + 3.0 / np.sqrt(effective)
    return np.asarray((peak < peak.T) & (peak <= explained))


def _blocks(n_edges: int, length: int) -> Iterator[slice]:
    size = max(1, CELLS // max(length, 1))
    yield from (slice(i, min(i + size, n_edges)) for i in range(0, n_edges, size))


def _gain(raw: Singles, up: IntArray, down: IntArray, lag: IntArray) -> FloatArray:
    """(m,) calls of B per call of A: regression on A at the lag and a step to either side.

    Calls do not fall into one step alone: of a lag of a step and a half, half come a step later.
    """
    length = raw.shape[1]
    own = np.stack([np.einsum("ij,ij->i", raw[:, k:], raw[:, : length - k]) for k in range(3)], 1)
    gain = np.zeros(len(up))
    for part in _blocks(len(up), length):
        a, shift = raw[up[part]], lag[part]
        cross = np.empty((len(a), 3))
        for i, beside in enumerate((-1, 0, 1)):
            steps = np.arange(length) + (shift + beside)[:, None]
            inside = (steps >= 0) & (steps < length)
            b = raw[down[part][:, None], np.clip(steps, 0, length - 1)]
            cross[:, i] = np.einsum("ij,ij->i", a, b * inside)
        moments = own[up[part]]
        normal = moments[:, np.abs(np.subtract.outer(np.arange(3), np.arange(3)))].astype(float)
        normal += 1e-6 * moments[:, :1, None] * np.eye(3)
        gain[part] = np.linalg.solve(normal, cross[:, :, None])[:, :, 0].sum(axis=1)
    return np.maximum(gain, 0.0)


def _probability(counts: FloatArray, up: IntArray, down: IntArray, lag: IntArray) -> FloatArray:
    """(m,) of the steps with calls of A, the share with calls of B a lag later."""
    called = (counts > 0).astype(np.float32)
    length = counts.shape[1]
    share = np.empty(len(up))
    for part in _blocks(len(up), length):
        steps = np.arange(length) + lag[part][:, None]
        a = called[up[part]] * (steps < length)
        b = called[down[part][:, None], np.minimum(steps, length - 1)]
        share[part] = (a * b).sum(axis=1) / np.maximum(a.sum(axis=1), 1.0)
    return share
