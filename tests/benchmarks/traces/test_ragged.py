"""Series that were recorded each at times of its own are read as one trace."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.traces.ragged import WEEK_S
from benchmarks.traces.trace import read_trace

MONDAY_S = 1_397_088_000.0
SERIES: dict[str, Any] = {
    "ids": np.array(["front", "shop/cart"]),
    "t_0": MONDAY_S + np.array([0, 300, 900, 1200]),
    "v_0": np.array([1, 2, 3, 4], np.float32),
    "t_1": (MONDAY_S + 3 * WEEK_S + np.array([700, 1000])).astype(np.int64),
    "v_1": np.array([5.5, 0.0]),
}


def npz(folder: Path, **changes: Any) -> Path:
    path = folder / "series.npz"
    arrays = {name: array for name, array in (SERIES | changes).items() if array is not None}
    np.savez(path, **arrays)
    return path


def test_series_are_put_on_one_grid_and_the_same_day_of_the_week(tmp_path: Path) -> None:
    trace = read_trace(npz(tmp_path))
    assert trace.services == ("default/front", "shop/cart")
    assert (trace.start_s, trace.step_s, trace.kind) == (MONDAY_S, 300.0, "counts")
    nan = np.nan
    np.testing.assert_array_equal(trace.counts, [[1, 2, nan, 3, 4], [nan, nan, 5.5, 0, nan]])


def test_a_step_that_is_told_is_taken(tmp_path: Path) -> None:
    trace = read_trace(npz(tmp_path, step_s=np.array(100.0)))
    assert trace.counts.shape == (2, 13)
    assert np.nansum(trace.counts) == 15.5


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"v_1": None}, "v_1 is float64 of shape (0,); allowed: numbers (2,)"),
        ({"v_1": np.ones(3)}, "v_1 is float64 of shape (3,); allowed: numbers (2,)"),
        ({"v_0": np.array([1, 2, -3, 4])}, "v_0[2] is -3; allowed: finite, >= 0"),
        ({"t_1": None}, "t_1 is float64 of shape (0,); allowed: numbers (k,)"),
        ({"t_0": 300.0 * np.array([9, 10, 9, 12]), "step_s": np.array(300.0)}, "t_0[2] is in no"),
        ({"t_0": np.zeros(1), "v_0": np.ones(1)}, "the step is 0 s; allowed: > 0"),
        ({"t_0": 1e17 * np.arange(1, 5), "t_1": np.array([1e17, 2e17])}, "begins at 1e+17"),
        ({"t_0": np.array([0, 1, 2, 1e16])}, "so take fewer days or services"),
        ({"step_s": np.array([1.0, 2.0])}, "step_s is float64 of shape (2,); allowed"),
        ({"step_s": np.array("x")}, "step_s is <U1 of shape (1,); allowed: numbers (1,)"),
        ({"ids": None}, "holds t_0 and no ids"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    path = npz(tmp_path, **wrong)
    with pytest.raises(PermanentError) as caught:
        read_trace(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
