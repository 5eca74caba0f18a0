"""What people read: gains, losses, and what is not known."""

import numpy as np
import pytest

from autoscaler.advisor.ledger.comparison import Comparison
from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.advisor.ledger.table import N_ROWS
from autoscaler.api.ledger.sentences import OFF, saved

WHEN = "In the last 7 days"


def of(cold: float, more_pod_h: float, half: float = 0.0) -> Comparison:
    """So many cold requests saved for so many pod-hours, give or take."""
    sums = np.zeros(N_ROWS)
    sums[COLUMNS.index("knative_cold")] = 1000.0 + cold
    sums[COLUMNS.index("ahead_cold")] = 1000.0
    sums[COLUMNS.index("ahead_pod_s")] = 1e6 + more_pod_h * 3600
    sums[COLUMNS.index("knative_pod_s")] = 1e6
    sums[len(COLUMNS)] = (half / 1.96) ** 2
    return Comparison(sums=sums)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (of(312, 4.1, 32), "312 cold requests were saved for 4.1 pod-hours more"
                           " (95 %: 280 to 344)."),
        (of(1, 0, 2), "1 cold request was saved at the same pod-hours (95 %: -1 to 3)."),
        (of(4321, -12.34, 0), "4,321 cold requests were saved with 12.3 pod-hours fewer"
                              " (95 %: 4,321 to 4,321)."),
        (of(0, 2), "no cold request was saved for 2.0 pod-hours more (95 %: 0 to 0)."),
        (of(-12, 4.1, 9), "there were 12 more cold requests than under Knative alone,"
                          " for 4.1 pod-hours more (95 %: 3 to 21)."),
        (of(-1, 0, 3), "there was 1 more cold request than under Knative alone,"
                       " at the same pod-hours (95 %: -2 to 4)."),
    ],
)  # fmt: skip
def test_gains_and_losses_read_as_they_are(found: Comparison, said: str) -> None:
    assert saved(WHEN, found, None, some=True, covered=1.0) == [f"{WHEN} {said}"]


def test_in_shadow_it_would_have_been() -> None:
    (gain,) = saved(WHEN, None, of(312, 4.1, 32), some=True, covered=1.0)
    assert "312 cold requests would have been saved for 4.1" in gain
    (loss,) = saved(WHEN, None, of(-12, 4.1, 9), some=True, covered=1.0)
    assert "there would have been 12 more cold requests than under Knative alone" in loss


def test_what_was_saved_and_what_would_have_been_are_said_apart() -> None:
    first, second = saved(WHEN, of(5, 0), of(7, 0), some=True, covered=1.0)
    assert first.startswith("In the last 7 days 5 cold requests were saved")
    assert second.startswith("Of services in shadow 7 cold requests would have been saved")


def test_where_all_are_off_nothing_is_compared() -> None:
    assert saved(WHEN, None, None, some=True, covered=1.0) == [OFF]


def test_where_nothing_came_nothing_was_saved() -> None:
    (said,) = saved(WHEN, None, None, some=False, covered=1.0)
    assert said == "In the last 7 days nothing came, and nothing was saved."


def test_time_of_which_nothing_is_known_is_said() -> None:
    *_, last = saved(WHEN, of(5, 0), None, some=True, covered=0.834)
    assert last == "Of that time 83 % is known."
