"""A part counts what the simulator did, day by day, for every value of every knob."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.harness.chosen import chosen
from benchmarks.harness.fleet import Fleet
from benchmarks.harness.part import Counted, counted
from benchmarks.harness.scene import scene_of
from benchmarks.harness.settings import BenchSettings
from tests.benchmarks.harness.small import CONTENDERS, SETTINGS, part, trace


@pytest.fixture(scope="module")
def found() -> dict[str, Counted]:
    return counted(part(), chosen(CONTENDERS))


def test_each_contender_gets_the_same_requests_at_each_value(found: dict[str, Counted]) -> None:
    assert set(found) == {"KPA", "min-scale", *CONTENDERS}
    requests = [one.columns["requests"].sum(axis=(1, 2)) for one in found.values()]
    found_requests = np.concatenate(requests)
    assert found_requests.min() > 2
    assert np.ptp(found_requests) <= 1  # one may still wait when counting begins


def test_pods_that_always_stand_are_never_cold_from_zero_and_cost_most(
    found: dict[str, Counted],
) -> None:
    always, kpa = found["min-scale"], found["KPA"]
    assert always.columns["cold_from_zero"].sum() == 0 < kpa.columns["cold_from_zero"].sum()
    assert always.columns["allocated_s"][0].sum() == pytest.approx(3 * 900, rel=0.05)
    assert always.columns["allocated_s"][0].sum() > kpa.columns["allocated_s"][1].sum()


def test_a_longer_keep_alive_is_cold_less_often(found: dict[str, Counted]) -> None:
    cold = found["keep-alive"].columns["cold_from_zero"].sum(axis=(1, 2))
    assert cold[0] > cold[-1]
    assert (np.diff(cold) <= 0).all()


def test_days_are_counted_one_by_one() -> None:
    scene = scene_of(part(of=trace(minutes=30 + 1440 + 7)))
    fleet = Fleet(scene=scene, warm_up_s=600.0, plans={})
    assert fleet.days_s.tolist() == [86_400.0, 420.0]
    assert fleet.ends_s[-1] == scene.demand.end_s


def test_what_comes_while_it_warms_up_is_not_counted(found: dict[str, Counted]) -> None:
    came = (scene_of(part()).requests.arrival_s >= 1500.0).sum()
    assert found["KPA"].columns["requests"][0].sum() == pytest.approx(came, abs=1)


def test_forecasts_tell_how_many_starts_came_without_warning(found: dict[str, Counted]) -> None:
    assert found["KPA"].starts == 0
    assert found["oracle"].starts > 1
    assert 0 <= found["oracle"].surprises < found["oracle"].starts


def test_a_trace_without_requests_is_refused() -> None:
    silent = replace(trace(), counts=np.zeros((3, 40)))
    with pytest.raises(PermanentError, match="small has no request; allowed"):
        scene_of(part(of=silent))


@pytest.mark.parametrize("fit_until", ["0s", "35m", "10d"])
def test_a_past_that_leaves_nothing_is_refused(fit_until: str) -> None:
    with pytest.raises(PermanentError, match=f"fit-until is {fit_until}; allowed: within its 0.03"):
        scene_of(part(settings=replace(SETTINGS, fit_until=fit_until)))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(PermanentError, match="start-up is -1; allowed: seconds >= 0"):
        BenchSettings(start_up_s=-1.0)
