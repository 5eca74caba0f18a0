"""Busy periods are checked where they enter."""

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from learner.dependencies.busy_periods import BusyPeriods


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"service": np.array([0, 2])}, "beyond"),
        ({"start_s": np.array([5.0, 4.0])}, "in order"),
        ({"start_s": np.array([np.nan, 4.0])}, "in order"),
        ({"end_s": np.array([0.0, 9.0])}, "before it starts"),
        ({"end_s": np.array([9.0])}, "lengths"),
    ],
)
def test_impossible_busy_periods_are_refused(columns: dict[str, FloatArray], words: str) -> None:
    good = {
        "service": np.array([0, 1]),
        "start_s": np.array([1.0, 2.0]),
        "end_s": np.array([1.0, 3.0]),
    }
    with pytest.raises(PermanentError, match=words):
        BusyPeriods(services=("a", "b"), since_s=0.0, until_s=9.0, **(good | columns))
