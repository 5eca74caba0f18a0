"""A number of requests in flight becomes a floor of pods."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from benchmarks.policies.contenders import contenders
from benchmarks.policies.point_forecast import OfInFlight, PointForecast, in_flight
from benchmarks.policies.weekly_copy import WEEK_STEPS, same_minute_last_week
from tests.benchmarks.policies.scenes import scene_of

SCENE = scene_of([[(0.5, 60.0)], [(1.0, 6.0), (1.05, 6.0)]], 4, 2)


def of_ones(in_flight: FloatArray, first: int) -> FloatArray:
    return np.ones_like(in_flight[:, first:])


def test_what_is_in_flight_is_averaged_over_the_step() -> None:
    assert in_flight(SCENE).tolist() == [[0.5, 0.5, 0, 0], [0, 0.2, 0, 0]]


@pytest.mark.parametrize(("factor", "pods"), [(0.5, 1), (0.7, 1), (1.0, 2), (4.0, 6)])
def test_the_floor_is_what_the_forecast_needs_at_the_target(factor: float, pods: int) -> None:
    plan = PointForecast("ones", OfInFlight(of_ones)).plan(SCENE, factor)
    assert plan.floors is not None
    assert plan.floors.tolist() == [[pods, pods]] * 2
    assert plan.services == SCENE.services


def test_each_service_has_its_own_target() -> None:
    revision = replace(SCENE.services.revision, target=np.array([0.5, 70.0]))
    scene = replace(SCENE, services=replace(SCENE.services, revision=revision))
    floors = PointForecast("ones", OfInFlight(of_ones)).plan(scene, 1.0).floors
    assert floors is not None
    assert floors.tolist() == [[2, 2], [1, 1]]


@pytest.mark.parametrize("nothing", [0.0, 0.7e-5, -3.0])
def test_a_forecast_of_nothing_needs_no_pod(nothing: float) -> None:
    it = PointForecast("nothing", lambda scene: nothing * in_flight(scene)[:, 2:] ** 0)
    floors = it.plan(SCENE, 4.0).floors
    assert floors is not None
    assert not floors.any()


def test_the_same_minute_last_week_is_copied() -> None:
    seen = np.arange(WEEK_STEPS + 3.0)[None]
    assert same_minute_last_week(seen, WEEK_STEPS - 1).tolist() == [[0, 0, 1, 2]]


def test_forecasts_are_made_once_for_all_values_of_the_knob_and_not_sent_along() -> None:
    made: list[int] = []

    def count(in_flight: FloatArray, first: int) -> FloatArray:
        made.append(first)
        return of_ones(in_flight, first)

    it = PointForecast("counted", OfInFlight(count))
    for factor in it.knob.values:
        it.plan(SCENE, factor)
    assert made == [2]
    it.plan(replace(SCENE, first=1), 1.0)
    assert made == [2, 1]
    weekly = contenders()["weekly copy"]
    sent = len(pickle.dumps(weekly))
    weekly.plan(SCENE, 1.0)
    assert len(pickle.dumps(weekly)) == sent
