"""The price is honest: what a further cold request avoided costs is what was said, drain included.

Services whose laws are known, under forecasts that are right about them, in mode full. A stable
window of six seconds leaves it to the price how long the last pod stays; requests are short.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from autoscaler.core.state.revision import Mode, Revision
from autoscaler.core.types import FloatArray, IntArray
from benchmarks.policies.policies import revision
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import Policy, Simulation, World
from learner.settings import WINDOWS

LEAD_S, DRAIN_S, CALL_S = 5.0, 30.0, 0.2
WARM_UP_S, END_S = 300.0, 2100.0
LAST_POD_S = 12.0  # s at most for which the last pod stays after a call: six, and some ticks
BASE = replace(revision(10, LEAD_S, DRAIN_S), stable_window_s=6, mode=Mode.FULL, pod_capacity=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Counts of each policy and service, (n_policies, n) each; the first is Knative."""

    requests: IntArray
    cold: IntArray
    started: IntArray
    pod_s: FloatArray

    def per_avoided(self) -> list[float]:
        """Pod-seconds for each further cold request avoided, from policy to policy at a price."""
        more, fewer = np.diff(self.pod_s.sum(axis=1)), -np.diff(self.cold.sum(axis=1))
        return [float(paid) for paid in (more / fewer)[1:]]


def simulated(
    calls: Sequence[FloatArray],
    probability: FloatArray,
    *,
    window_s: float,
    prices: Sequence[float],
    windows: Sequence[int] = (),
    base: Revision = BASE,
) -> Paid:
    """probability: (n, n_origins, n_windows) that there is a call in a window; origins as far
    apart as windows are long, or as a step is, of which ``windows`` begin and end so many ahead."""
    n, n_origins, n_windows = probability.shape
    edges = np.array(windows or range(n_windows + 1), dtype=np.float64)
    policies = [Policy(name="Knative", revision=replace(base, mode=Mode.OFF))]
    for price_s in prices:
        priced = replace(base, cold_price_s=price_s)
        policies.append(Policy(name=f"{price_s:g} s", revision=priced, forecasts="model"))
    table = ForecastTable(
        services=tuple(f"shop/{i}" for i in range(n)),
        made_at_s=window_s * np.arange(n_origins, dtype=np.float64),
        fitted_at_s=0.0,
        window_edges_s=window_s * edges,
        demand_edges=np.tile([0.0, 1.0], (n, 1)),
        exceedance=probability[..., None].astype(np.float32),
        model=("made by hand",) * n,
        reason=("",) * n,
    )
    world = World(
        services=table.services,
        requests=Requests(
            arrival_s=np.concatenate(calls),
            service_s=np.full(sum(map(len, calls)), CALL_S),
            offset=np.concatenate([[0], np.cumsum([len(at) for at in calls])]).astype(np.int64),
        ),
        tables={"model": table},
        concurrency=10,
        start_up_s=LEAD_S,
        drain_s=DRAIN_S,
    )
    simulation = Simulation(world, policies, start_s=0.0)
    simulation.run(WARM_UP_S)
    simulation.cluster.reset_counts()
    simulation.run(END_S)
    s, shape = simulation.cluster.state, (len(policies), n)
    return Paid(
        requests=s.requests.reshape(shape),
        cold=(s.cold_from_zero + s.cold_scale_out).reshape(shape),
        started=s.started.reshape(shape),
        pod_s=s.allocated_s.reshape(shape),
    )


# --- timers -----------------------------------------------------------------------------------


def timers(
    periods_s: Sequence[float], *, windows: Sequence[int] = range(15), base: Revision = BASE
) -> Paid:
    """Called every so often, and known to be, within windows of steps of five seconds."""
    step_s = 5.0
    calls = [np.arange(period_s / 2, END_S, period_s) for period_s in periods_s]
    edge_s = step_s * (np.arange(END_S // step_s)[:, None] + np.array(windows))
    probability = np.array([np.diff(np.searchsorted(at, edge_s)) > 0 for at in calls], np.float64)
    return simulated(
        calls, probability, window_s=step_s, prices=(600.0,), windows=windows, base=base
    )


def test_a_timer_that_is_slower_than_lead_and_drain_costs_them_and_its_call() -> None:
    paid = timers([75.0, 150.0])
    _, cold = paid.cold
    _, per_call = paid.pod_s / paid.requests
    assert cold.tolist() == [0, 0]
    # Beside them a tick and a window's uncertainty before the call, and the last pod's stay.
    least_s = LEAD_S + CALL_S + DRAIN_S
    assert (per_call >= least_s).all()
    assert (per_call <= least_s + 2.0 + 5.0 + LAST_POD_S).all()
    knative, _ = paid.pod_s / paid.requests
    assert (per_call <= 1.1 * knative).all()  # which is cold each time


def test_a_call_far_away_in_a_wide_window_keeps_no_pod() -> None:
    """As the learner forecasts: a window of 50 s begins within lead and drain, the call not."""
    paid = timers([75.0], windows=WINDOWS)
    assert paid.cold[1].tolist() == [0]
    assert paid.started[1] >= paid.requests[1] - 1
    assert paid.pod_s[1] / paid.requests[1] < 60.0


def test_a_timer_that_is_faster_keeps_its_pod() -> None:
    paid = timers([20.0, 34.0])
    assert paid.started[1].tolist() == [0, 0]
    assert paid.cold[1].tolist() == [0, 0]
    assert paid.pod_s[1] == pytest.approx([END_S - WARM_UP_S] * 2)
    assert (paid.started[0] > 50).all()  # Knative lets it go each time


def test_a_timer_whose_drain_is_not_known_is_let_go_for_nothing() -> None:
    """The check can fail: by the same rule, without the drain."""
    paid = timers([20.0, 34.0], base=replace(BASE, drain_s=0.0))
    assert (paid.started[1] > 50).all()
    assert (paid.pod_s[1] > 1.2 * (END_S - WARM_UP_S)).all()


# --- a price after the other ------------------------------------------------------------------

WINDOW_S = 60.0
PRICES = (20.0, 60.0, 200.0, 600.0, 1800.0)


def assert_honest(paid: Paid) -> None:
    """What is paid lies between neighbouring prices.

    A pod that is kept may cost lead more than its price, because a request that is served at once
    lets a pod go sooner, and half a window, because a request is taken to come at a window's begin.
    """
    for price_s, dearer_s, cost_s in zip(PRICES[:-1], PRICES[1:], paid.per_avoided(), strict=True):
        assert price_s / 1.25 <= cost_s <= dearer_s + LEAD_S + WINDOW_S / 2


def test_services_that_are_called_at_random_cost_what_was_said() -> None:
    rng = np.random.default_rng(0)
    mean_s = np.geomspace(40.0, 3000.0, 120)
    calls = [np.sort(rng.uniform(0, END_S, rng.poisson(END_S / mean))) for mean in mean_s]
    probability = np.empty((len(mean_s), int(END_S // WINDOW_S), 2))
    probability[:] = (1.0 - np.exp(-WINDOW_S / mean_s))[:, None, None]
    assert_honest(simulated(calls, probability, window_s=WINDOW_S, prices=PRICES))


def test_rare_regular_callers_cost_what_was_said() -> None:
    """The next call comes after a while of its own, and up to twice as long again."""
    rng = np.random.default_rng(1)
    least_s = np.geomspace(100.0, 600.0, 160)
    spread_s = least_s * np.resize([0.1, 0.3, 1.0, 2.0], len(least_s))
    origin_s = np.arange(0.0, END_S - WINDOW_S, WINDOW_S)
    calls, probability = [], []
    for least, spread in zip(least_s, spread_s, strict=True):
        at = np.cumsum(least + rng.uniform(0.0, spread, int(END_S // least) + 1))
        age_s = origin_s - np.concatenate([[0.0], at])[np.searchsorted(at, origin_s, side="right")]
        share = np.clip((age_s[:, None] + [0.0, WINDOW_S, 2 * WINDOW_S] - least) / spread, 0.0, 1.0)
        left = np.maximum(1.0 - share[:, :1], 1e-9)
        calls.append(at[at < END_S])
        probability.append(np.clip(np.diff(share, axis=1) / left, 0.0, 1.0))
    assert_honest(simulated(calls, np.array(probability), window_s=WINDOW_S, prices=PRICES))
