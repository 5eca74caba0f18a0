"""The state's features beside those of `level_features`, and demand to hold them against."""

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray
from learner.demand import Demand
from learner.models.columns import LevelFeatures, Values
from learner.models.features import level_features
from learner.models.levels import cells_in_reach, pods_needed
from learner.models.rows import LevelRows
from learner.state.features import features
from learner.state.level_state import LevelState

WINDOWS = (0, 1, 2, 5, 15, 60)
START_S, STEP_S = 1_700_000_040.0, 60.0


def demand_of(
    peak: FloatArray, *, start: int = 0, names: tuple[str, ...] = (), step_s: float = STEP_S
) -> Demand:
    """Of pods (n, n_steps), from a step on."""
    return Demand(
        services=names or tuple(f"shop/service-{row:03}" for row in range(len(peak))),
        start_s=START_S + start * step_s,
        step_s=step_s,
        arrivals=peak,
        peak=peak,
        capacity=np.ones(len(peak)),
    )


def mixed_need(n_steps: int, seed: int = 0, copies: int = 1) -> FloatArray:
    """(14 * copies, n_steps): waves, timers, sparse and busy callers, late ones, gaps, silence."""
    random = np.random.default_rng(seed)
    step = np.arange(n_steps)
    kinds = []
    for _ in range(copies):
        timer = (step % int(random.integers(4, 70)) < int(random.integers(1, 4))) * 2.0
        wave = np.round(9 + 8 * np.sin(2 * np.pi * step / random.integers(20, 200)))
        late = np.where(step < random.integers(0, n_steps), np.nan, random.poisson(0.3, n_steps))
        flood = np.where(step == random.integers(0, n_steps), 5_000.0, random.poisson(1.0, n_steps))
        grown = np.round(np.where(step > n_steps // 2, 100, 1) * random.random(n_steps))
        rare = (random.random(n_steps) < 0.02) * random.integers(1, 40, n_steps)
        once = (step == n_steps // 3) * 1.0
        counts = [random.poisson(mean, n_steps) for mean in (0.02, 0.4, 3.0, 30.0)]
        constant = [np.full(n_steps, number) for number in (0.0, 2.0, np.nan)]
        kinds += [timer, wave, late, flood, grown, rare, once, *counts, *constant]
    need = np.stack(kinds).astype(np.float64)
    gaps = (random.random(need.shape) < 0.03) & (random.random((len(need), 1)) < 0.5)
    begin = int(random.integers(0, n_steps))
    need[::3, begin : begin + 7] = np.nan
    return np.where(gaps, np.nan, need)


def expected(demand: Demand) -> tuple[LevelRows, LevelFeatures]:
    """Rows and features at the end of ``demand``."""
    need = pods_needed(demand)
    reach = cells_in_reach(need)[:, -1]
    service, cell = np.nonzero(np.arange(reach.max(initial=0)) < reach[:, None])
    rows = LevelRows(service=service, cell=cell, origin=np.full(len(cell), demand.n_steps))
    return rows, level_features(need, rows, WINDOWS, start_s=demand.start_s, step_s=demand.step_s)


def values_of(state: LevelState) -> Values:
    """(n_rows, n_features) at the state's step."""
    return features(state, WINDOWS)[1].values


def assert_features(state: LevelState, demand: Demand, columns: BoolArray | None = None) -> None:
    """Those of the state are those of ``demand``, (n_columns,) of them."""
    rows, values = features(state, WINDOWS)
    expected_rows, expected_values = expected(demand)
    np.testing.assert_array_equal(rows.service, expected_rows.service)
    np.testing.assert_array_equal(rows.cell, expected_rows.cell)
    assert values.names == expected_values.names
    assert values.values.dtype == np.float32
    chosen = slice(None) if columns is None else columns
    np.testing.assert_allclose(
        values.values[:, chosen], expected_values.values[:, chosen], rtol=2e-6, atol=1e-9
    )
