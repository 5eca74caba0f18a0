import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from benchmarks.simulator.forecasts import (
    ForecastTable,
    copied_forecasts,
    oracle_forecasts,
    stack,
)
from learner.demand import Demand

PEAKS = np.array([[0.0, 1.0, 0.0, 3.0, 2.0, np.nan, 0.5, 0.0], [4.0] + [0.0] * 7])


def truth(peak: FloatArray = PEAKS) -> Demand:
    return Demand(
        services=("shop/a", "shop/b"),
        start_s=600.0,
        step_s=60.0,
        arrivals=peak,
        peak=peak,
        capacity=np.ones(2),
    )


def table(origins: list[int]) -> ForecastTable:
    """Windows of one step, one step and two; cells of one in flight, the second's end at two."""
    return ForecastTable(
        services=("shop/a", "shop/b"),
        made_at_s=600.0 + 60.0 * np.array(origins),
        fitted_at_s=600.0,
        window_edges_s=np.array([0.0, 60.0, 120.0, 240.0]),
        demand_edges=np.array([[0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 2.0, 2.0, 2.0]]),
        exceedance=np.zeros((2, len(origins), 3, 4)),
        model=("pooled", "pooled"),
        reason=("", ""),
    )


def test_the_oracle_reads_the_peak_of_each_window_at_any_threshold() -> None:
    origins = [0, 2, 3]
    knowing = oracle_forecasts(table(origins), truth(), np.array(origins))
    peaks = [[0, 1, 3], [0, 3, 2], [3, 2, 1]]  # of steps 0, 1, 2-3; 2, 3, 4-5; 3, 4, 5-6
    for threshold in (0.0, 0.5, 0.999):
        read = [
            knowing.bundle(i).demand_at(np.array(threshold))[0].tolist()
            for i in range(len(origins))
        ]
        assert read == peaks


def test_the_oracle_knows_nothing_of_a_gap_and_of_what_is_beyond_the_end() -> None:
    knowing = oracle_forecasts(table([5, 7]), truth(), np.array([5, 7]))
    assert knowing.bundle(0).demand_at(np.array(0.5))[0].tolist() == [0, 1, 0]
    assert knowing.bundle(1).demand_at(np.array(0.5))[0].tolist() == [0, 0, 0]


def test_the_oracle_knows_crests_beyond_the_cells_of_the_model_it_stands_beside() -> None:
    knowing = oracle_forecasts(table([0]), truth(), np.array([0]))
    assert knowing.bundle(0).demand_at(np.array(0.5))[1].tolist() == [4, 0, 0]


def test_a_copy_says_what_came_so_long_ago() -> None:
    copied = copied_forecasts(table([3, 0]), truth(), np.array([3, 0]), ago_s=120.0)
    assert copied.bundle(0).demand_at(np.array(0.5))[0].tolist() == [1, 0, 3]  # of 1, 2, 3-4
    assert copied.bundle(1).demand_at(np.array(0.5))[0].tolist() == [0, 0, 1]  # nothing, 0, 1
    assert copied.model == ("copy", "copy")


def test_the_oracle_is_named_as_the_model() -> None:
    knowing = oracle_forecasts(table([0]), truth(), np.array([0]))
    assert (knowing.model, knowing.reason) == (("oracle", "oracle"), ("", ""))


@pytest.mark.parametrize("origin", [0, 1])
def test_a_tables_bundle_is_what_was_known_at_that_origin(origin: int) -> None:
    made = table([3, 4])
    made.exceedance[:, 1] = 0.5
    bundle = made.bundle(origin)
    assert bundle.made_at_s == 600.0 + 60.0 * (3 + origin)
    assert bundle.fitted_at_s == 600.0
    assert (bundle.exceedance == 0.5 * origin).all()
    assert bundle.exceedance.shape == (2, 3, 4)


def test_stacked_tables_stand_one_after_the_other() -> None:
    first, second = table([0]), oracle_forecasts(table([0]), truth(), np.array([0]))
    both = stack((first, second))
    assert both.services == ("shop/a", "shop/b", "shop/a", "shop/b")
    assert both.model == ("pooled", "pooled", "oracle", "oracle")
    np.testing.assert_array_equal(both.exceedance[:2], first.exceedance)
    np.testing.assert_array_equal(both.exceedance[2:], second.exceedance)
    assert both.demand_edges.shape == (4, 5)
