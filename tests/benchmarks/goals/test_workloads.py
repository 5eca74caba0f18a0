"""Recorded traces become workloads."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.goals.workloads import recorded


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Three hours; the second service is called in the last one only."""
    counts = np.zeros((3, 180))
    counts[0, ::10] = 2
    counts[1, 150] = 1
    path = tmp_path / "shop.npz"
    np.savez(path, ids=np.array(["a", "b", "c"]), step_s=60, counts=counts)
    return path


def test_services_that_are_never_called_are_left_out(trace: Path) -> None:
    work = recorded(trace, "1h", start_up_s=30.0)
    assert work.demand.services == ("default/a", "default/b")
    assert work.requests.offset.tolist() == [0, 36, 37]
    assert (work.first, work.demand.n_steps, work.start_up_s) == (60, 180, 30.0)


def test_services_that_were_recorded_in_the_past_alone_are_left_out(tmp_path: Path) -> None:
    counts, valid = np.ones((2, 180)), np.ones((2, 180), dtype=np.bool_)
    valid[0, 60:] = False
    path = tmp_path / "ends.npz"
    np.savez(path, ids=np.array(["a", "b"]), step_s=60, counts=counts, valid=valid)
    assert recorded(path, "1h").demand.services == ("default/b",)
    assert recorded(path, "59m").demand.services == ("default/a", "default/b")


def test_what_comes_after_the_end_does_not_exist(trace: Path) -> None:
    work = recorded(trace, "1h", "2h")
    assert work.demand.services == ("default/a",)
    assert work.requests.arrival_s.max() < 7200


def test_a_past_that_leaves_nothing_is_refused(trace: Path) -> None:
    with pytest.raises(PermanentError, match="fit-until is 3h; allowed: within its 180 minutes"):
        recorded(trace, "3h")
