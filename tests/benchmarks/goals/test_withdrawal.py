"""Forecasts that go wrong, in the simulator, and what is expected to become of each."""

import numpy as np
import pytest

from benchmarks.goals.withdrawal import ALIKE_H, BEFORE_H, HOURS, SCENARIOS, Outcome, outcome

ROW = {one.name: i for i, one in enumerate(SCENARIOS)}
SETTLED_H = 2  # h until pods ahead are gone
SIMULATED_H = HOURS - max(ALIKE_H)  # h at the end, after the last that are made of those before


@pytest.fixture(scope="module")
def found() -> Outcome:
    return outcome()


def withdrawn_h(found: Outcome, name: str) -> list[int]:
    """Hours after the change."""
    hours = np.flatnonzero(found.withdrawn[:, ROW[name]])
    return [int(hour) + 1 - BEFORE_H for hour in hours]


@pytest.mark.parametrize("name", ["nothing changes", "clocks change", "slow start-up"])
def test_a_forecast_that_pays_or_is_wrong_for_half_a_day_stays_in_force(
    found: Outcome, name: str
) -> None:
    row = ROW[name]
    assert not withdrawn_h(found, name)
    assert found.cold[-24:, row].sum() == 0
    assert found.knative_cold[-24:, row].sum() == 24


def test_one_that_fails_half_of_the_time_and_pays_stays_in_force(found: Outcome) -> None:
    row = ROW["knows half of the calls"]
    assert not withdrawn_h(found, "knows half of the calls")
    assert found.failed[:, row].mean() > 0.15  # of windows of which P95 promises 0.05
    # Hours that are simulated follow others that are made of two in turn, in whatever order.
    for hours in (slice(-SIMULATED_H - 24, -SIMULATED_H), slice(-SIMULATED_H, -1)):
        assert found.cold[hours, row].sum() == found.knative_cold[hours, row].sum() / 2


@pytest.mark.parametrize(("name", "within_h"), [("poisoned history", 10), ("drift", 72)])
def test_a_forecast_that_loses_is_withdrawn_and_costs_what_knative_costs(
    found: Outcome, name: str, within_h: int
) -> None:
    row, hours = ROW[name], withdrawn_h(found, name)
    assert 0 < hours[0] <= within_h
    assert hours == list(range(hours[0], hours[-1] + 1))
    settled = slice(BEFORE_H + hours[0] + SETTLED_H, None)
    assert found.cold[settled, row].tolist() == found.knative_cold[settled, row].tolist()
    assert found.pod_s[settled, row] == pytest.approx(found.knative_pod_s[settled, row], rel=0.1)
