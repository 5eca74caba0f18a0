"""A list of requests is read as a trace of minutes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.traces.trace import read_trace

EVENTS: dict[str, Any] = {
    "t_s": np.array([0.5, 61.0, 62.0, 185.0]),
    "ids": np.array(["model-a", "model-b"]),
    "model_idx": np.array([0, 1, 1, 0], np.int16),
    "exec_time_s": np.array([2.0, 10.0, 20.0, 0.0], np.float32),
    "t0": np.array("2024-05-01T00:00:00"),
}


def npz(folder: Path, **changes: Any) -> Path:
    path = folder / "events.npz"
    arrays = {name: array for name, array in (EVENTS | changes).items() if array is not None}
    np.savez(path, **arrays)
    return path


def test_requests_are_counted_by_minute(tmp_path: Path) -> None:
    trace = read_trace(npz(tmp_path))
    assert trace.services == ("default/model-a", "default/model-b")
    assert (trace.step_s, trace.kind) == (60.0, "counts")
    assert trace.start_s == 1_714_521_600.0
    assert trace.counts.tolist() == [[1, 0, 0, 1], [0, 2, 0, 0]]
    np.testing.assert_array_equal(
        trace.duration_s, [[2.0, np.nan, np.nan, np.nan], [np.nan, 15.0, np.nan, np.nan]]
    )


def test_a_list_without_services_or_durations_is_one_service(tmp_path: Path) -> None:
    trace = read_trace(npz(tmp_path, ids=None, model_idx=None, exec_time_s=None, t0=None))
    assert trace.services == ("default/requests",)
    assert trace.counts.tolist() == [[1, 2, 0, 1]]
    assert np.isnan(trace.duration_s).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"t_s": np.array([1.0, -2.0, 3.0, 4.0])}, "t_s[1] is -2; allowed: finite, >= 0"),
        ({"t_s": np.array([1.0, np.inf, 3.0, 4.0])}, "t_s[1] is inf; allowed: finite, >= 0"),
        ({"t_s": np.array([["a"]])}, "t_s is <U1 of shape (1, 1); allowed: numbers"),
        ({"t_s": np.zeros(0)}, "t_s is float64 of shape (0,); allowed: numbers"),
        ({"t_s": np.array([1e15, 0, 0, 0])}, "so take fewer days or services"),
        ({"t_s": np.array([1e300, 0, 0, 0])}, "so take fewer days or services"),
        ({"ids": np.array("one")}, "allowed: 4 whole numbers from 0 to 0"),
        ({"model_idx": np.array([0, 1, 2, 0])}, "allowed: 4 whole numbers from 0 to 1"),
        ({"model_idx": None}, "model_idx is float64 of shape (0,)"),
        ({"exec_time_s": np.ones(3)}, "exec_time_s is float64 of shape (3,)"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    path = npz(tmp_path, **wrong)
    with pytest.raises(PermanentError) as caught:
        read_trace(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
