"""What goes wrong with one service silences a model for that service alone."""

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from learner.demand import Demand
from learner.models.single_service import fit_by_service, forecast_by_service

PEAK = np.array([[1.0, 0.0, 3.0], [2.0, 2.0, 2.0], [0.0, 0.0, 40.0]])
DEMAND = Demand(
    services=("shop/a", "shop/b", "shop/c"),
    start_s=0.0,
    step_s=60.0,
    arrivals=PEAK,
    peak=PEAK,
    capacity=np.ones(3),
)


def test_what_cannot_be_learned_of_one_is_learned_of_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert fit_by_service(DEMAND, lambda need: int(6 / need[0]), -1) == {
        "shop/a": 6,
        "shop/b": 3,
        "shop/c": -1,
    }
    (record,) = caplog.records
    assert record.message == "fit failed service=shop/c"
    assert record.exc_info


def test_one_with_whom_answering_fails_is_silent_and_says_why() -> None:
    def answer(row: int, need: FloatArray, n_cells: int) -> FloatArray | str:
        if row == 1:
            raise IndexError("off the grid")
        return np.full((1, 2, n_cells), 0.5)

    said = forecast_by_service(DEMAND, np.array([3]), 2, answer)
    assert said.reason == ("", "a fault of ours: IndexError('off the grid')", "")
    assert np.isnan(said.exceedance[1]).all()
    assert (said.exceedance[2] == 0.5).all()


def test_each_is_asked_for_as_many_cells_as_it_has_whoever_else_there_is() -> None:
    widths = []

    def answer(row: int, need: FloatArray, n_cells: int) -> FloatArray | str:
        widths.append(n_cells)
        return np.full((1, 1, n_cells), 0.5)

    said = forecast_by_service(DEMAND, np.array([3]), 1, answer)
    assert widths == [4, 3, 27]
    assert (said.exceedance[:, 0, 0] > 0).sum(axis=1).tolist() == widths
