import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from learner.demand import Demand


def demand(arrivals: FloatArray, peak: FloatArray | None = None, step_s: float = 60.0) -> Demand:
    return Demand(
        services=tuple(f"shop/s{i}" for i in range(len(arrivals))),
        start_s=600.0,
        step_s=step_s,
        arrivals=arrivals,
        peak=arrivals if peak is None else peak,
        capacity=np.ones(len(arrivals)),
    )


def test_knows_where_it_ends() -> None:
    assert demand(np.zeros((2, 5))).n_steps == 5
    assert demand(np.zeros((2, 5))).end_s == 900.0


def test_counts_its_first_step_from_unix_time_0() -> None:
    assert demand(np.zeros((2, 5))).first_step == 10
    assert demand(np.zeros((2, 5))).last(2).first_step == 13


def test_a_gap_is_not_known_and_not_zero() -> None:
    gappy = demand(np.array([[0.0, np.nan, 2.0]]))
    assert gappy.known.tolist() == [[True, False, True]]


def test_the_past_is_the_first_steps_and_nothing_of_the_rest() -> None:
    past = demand(np.arange(10.0).reshape(2, 5)).until(3)
    assert past.arrivals.tolist() == [[0.0, 1.0, 2.0], [5.0, 6.0, 7.0]]
    assert past.peak.tolist() == past.arrivals.tolist()
    assert (past.start_s, past.end_s) == (600.0, 780.0)


@pytest.mark.parametrize("value", [-1.0, np.inf])
def test_negative_and_infinite_demand_is_refused(value: float) -> None:
    with pytest.raises(PermanentError, match="arrivals holds a negative, infinite or absurd value"):
        demand(np.array([[value]]))


def test_series_of_different_shapes_are_refused() -> None:
    with pytest.raises(PermanentError, match=r"peak has shape \(2, 4\); expected \(2, 5\)"):
        demand(np.zeros((2, 5)), np.zeros((2, 4)))


@pytest.mark.parametrize("step_s", [0.0, -60.0, np.nan])
def test_a_step_that_is_no_length_is_refused(step_s: float) -> None:
    with pytest.raises(PermanentError, match=r"step_s is .*; allowed: > 0"):
        demand(np.zeros((1, 1)), step_s=step_s)


@pytest.mark.parametrize("capacity", [np.zeros(1), np.ones(2), np.full(1, np.nan)])
def test_a_capacity_that_is_no_capacity_is_refused(capacity: FloatArray) -> None:
    with pytest.raises(PermanentError, match="capacity is"):
        Demand(
            services=("shop/cart",),
            start_s=0.0,
            step_s=60.0,
            arrivals=np.zeros((1, 1)),
            peak=np.zeros((1, 1)),
            capacity=capacity,
        )
