"""Synthetic calls over call graphs: delays of calls, and the true relations."""

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from benchmarks.traces.call_graphs import CallGraphs, sample_graphs
from benchmarks.traces.synthetic_calls import SyntheticCalls, draw_arrivals, follow_graphs

FRONT = [["0", "USER", "front", "http", 0, 9], ["0.1", "front", "cart", "rpc", 1, 3]]
CHAIN = [*FRONT, ["0.1.1", "cart", "stock", "db", 2, 3], ["0.2", "front", "pay", "rpc", 4, 6]]


def graphs(*edges: list[list[object]]) -> CallGraphs:
    lines = [{"service": "shop", "edges": e} for e in edges]
    return sample_graphs(lines, 1, np.random.default_rng(0))


def walked(made: CallGraphs, at_s: list[float]) -> SyntheticCalls:
    entry = np.zeros(len(at_s), dtype=np.int64)
    return follow_graphs(made, np.array(at_s), entry, np.random.default_rng(0), sigma=0.0)


def times(made: SyntheticCalls) -> dict[str, FloatArray]:
    return {name: made.at_s[made.service == i] for i, name in enumerate(made.services)}


def test_a_cold_chain_costs_a_start_up_at_every_hop() -> None:
    at = times(walked(graphs(CHAIN), [100.0]))
    assert at["made/front"][0] == pytest.approx(100.0, abs=0.01)
    assert at["made/cart"][0] == pytest.approx(102.0, abs=0.01)
    assert at["made/stock"][0] == pytest.approx(104.0, abs=0.01)
    assert at["made/pay"][0] == pytest.approx(106.0, abs=0.01)  # waits for the call before it


def test_a_warm_chain_keeps_the_times_of_the_graph() -> None:
    at = times(walked(graphs(CHAIN), [100.0, 130.0]))
    assert at["made/pay"][1] == pytest.approx(130.004, abs=1e-4)
    assert at["made/cart"][1] == pytest.approx(130.001, abs=1e-4)


def test_a_call_during_a_start_up_waits_for_its_rest() -> None:
    at = times(walked(graphs(FRONT), [100.0, 101.5]))
    assert at["made/cart"][1] == pytest.approx(102.0, abs=0.01)


def test_calls_at_the_same_time_go_on_side_by_side() -> None:
    both = [["0", "USER", "front", "http", 0, 9]]
    both += [[f"0.{i}", "front", name, "rpc", 1, 3] for i, name in enumerate(("cart", "pay"))]
    made = walked(graphs(both), [100.0])
    at = times(made)
    assert at["made/cart"][0] == at["made/pay"][0]
    cart, pay = (made.services.index(f"made/{name}") for name in ("cart", "pay"))
    assert made.probability()[cart, pay] == made.probability()[pay, cart] == 1.0


def test_the_truth_is_who_is_called_after_whom() -> None:
    made = walked(graphs(FRONT, CHAIN), [100.0 * i for i in range(1, 401)])
    front, cart, pay = (made.services.index(f"made/{n}") for n in ("front", "cart", "pay"))
    share = made.probability()
    assert share[front, cart] == 1.0
    assert share[cart, front] == share[pay, cart] == 0.0
    assert share[cart, pay] == pytest.approx(0.5, abs=0.1)
    assert made.direct[front, pay]
    assert not made.direct[cart, pay]
    assert made.cold_requests[front] == made.requests[front] == 400
    assert made.by_service.tolist() == [i != front for i in made.service]


def test_a_service_that_calls_itself_works_once() -> None:
    own = [*FRONT, ["0.1.1", "cart", "cart", "rpc", 1, 3], ["0.1.1.1", "cart", "db", "db", 2, 3]]
    made = walked(graphs(own), [100.0])
    assert len(made.at_s) == 3
    cart, db = (made.services.index(f"made/{name}") for name in ("cart", "db"))
    assert made.direct[cart, db]


def test_arrivals_are_in_order_and_of_the_kinds_that_were_asked_for() -> None:
    at, entry = draw_arrivals(60, 86400.0, np.random.default_rng(1), jitter_s=0.0)
    assert (np.diff(at) >= 0).all()
    assert at.min() >= 0
    gaps = [np.diff(at[entry == i]) for i in range(60)]
    timers = [g for g in gaps if len(g) > 3 and np.ptp(g) < 1e-6]
    assert 10 <= len(timers) <= 30
