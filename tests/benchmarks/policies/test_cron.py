"""Timetables that are best in hindsight."""

import numpy as np
import pytest

from benchmarks.policies.cron import Cron, timetable
from tests.benchmarks.policies.scenes import scene_of

HOUR = np.repeat(np.arange(48) % 24, 60)  # of two days of minutes


def needed_at(*minutes: int, pods: int = 1) -> np.ndarray:
    need = np.zeros(len(HOUR), dtype=np.int64)
    need[list(minutes)] = pods
    return need


@pytest.mark.parametrize(("price_s", "kept"), [(1730.0, 0), (1750.0, 1)])
def test_an_hour_is_kept_iff_its_calls_outweigh_its_idle_time(price_s: float, kept: int) -> None:
    need = needed_at(540, 560, 580, 600 + 1440 - 30)  # 4 calls at nine o'clock in two days
    found = timetable(need, HOUR, 60.0, price_s)
    assert found[9] == kept  # 116 idle minutes = 4 x 1740 s
    assert found.sum() == kept


def test_each_pod_level_is_judged_by_itself() -> None:
    need = needed_at(*range(540, 600, 2), *range(1980, 2040, 2)) + needed_at(550, pods=2)
    assert timetable(need, HOUR, 60.0, 100.0)[9] == 1
    assert timetable(need, HOUR, 60.0, 1e6)[9] == 3


def test_pods_are_planned_by_the_hour_of_the_day() -> None:
    scene = scene_of([[(70.0, 6.0), (80.0, 6.0)], []], 180, 30)
    floors = Cron().plan(scene, 1e6).floors
    assert floors is not None
    assert np.flatnonzero(floors[0]).tolist() == list(range(30, 90))
    assert not floors[1].any()
