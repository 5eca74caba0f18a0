"""Plans are read by rivals' own rules, by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.chosen import NEW_SERVICES
from benchmarks.harness.rules import FEMUX, WILD, OtherRules
from benchmarks.policies.contender import Contender, Plan, Scene
from benchmarks.policies.contenders import contenders
from benchmarks.policies.femux_choice import MEMORY_GB
from benchmarks.policies.kn_ahead import KnAhead, OfOthers
from benchmarks.policies.policies import configured
from tests.benchmarks.policies.scenes import scene_of

ALL = contenders()
# A service that is called in minutes 3, 5 and 14 of 20, a quarter after each began, for half a
# minute. Planned is from minute 4 on, and counted from minute 5 on.
SCENE = scene_of([[(3.25, 30.0), (5.25, 30.0), (14.25, 30.0)]], 20, 4)


def by_rules(it: Contender, value: float, scene: Scene = SCENE) -> dict[str, float]:
    return OtherRules.of(scene, 60.0).played(it, it.plan(scene, value), value)


def of_plan(**wanted: Any) -> dict[str, float]:
    plan = Plan(services=SCENE.services, **wanted)
    return OtherRules.of(SCENE, 60.0).played(ALL["KPA"], plan, 1.0)


def in_minutes(*minutes: int) -> np.ndarray:
    return np.isin(np.arange(4, 20), minutes).astype(np.int64)[None]


def femux(of: dict[str, float]) -> tuple[float, ...]:
    """Cold starts, and container-minutes allocated and wasted."""
    cold, *gb_s = (of[name] for name in FEMUX)
    return (cold, *(each / MEMORY_GB / 60 for each in gb_s))


def wild(of: dict[str, float]) -> tuple[float, ...]:
    """Cold at the 75th percentile, always cold, and s wasted; 900 s are counted."""
    p75, always, wasted = (of[name] for name in WILD)
    return p75, always, 900 * wasted


@pytest.mark.parametrize(
    ("name", "value", "cold", "allocated"),
    [
        ("KPA", 1.0, 2, 3.0),  # the minute before again; a missing container stands half a minute
        ("keep-alive", 5.0, 1, 11.5),
        ("keep-alive", 10.0, 0, 15.0),
        ("min-scale", 1.0, 0, 15.0),
        ("min-scale", 2.0, 0, 30.0),
        ("oracle", 600.0, 0, 2.0),
    ],
)
def test_by_femux_rules(name: str, value: float, cold: float, allocated: float) -> None:
    assert femux(by_rules(ALL[name], value)) == pytest.approx((cold, allocated, allocated - 1))


@pytest.mark.parametrize(
    ("name", "value", "p75", "always", "wasted_s"),
    [
        ("KPA", 1.0, 1.0, 1, 60 + 60),
        ("KPA", 2.0, 0.5, 0, 15 + 120 + 120),
        ("keep-alive", 5.0, 0.5, 0, 15 + 300 + 300),
        ("keep-alive", 10.0, 0.0, 0, 900),
        ("min-scale", 1.0, 0.0, 0, 900),
        ("hybrid histogram", 1.0, 0.0, 0, 900),  # too few idle times: kept for the whole hour
        ("oracle", 600.0, 0.0, 0, 60 + 60),
    ],
)
def test_by_wild_rules(name: str, value: float, p75: float, always: float, wasted_s: float) -> None:
    assert wild(by_rules(ALL[name], value)) == pytest.approx((p75, always, wasted_s))


def test_the_hybrid_histogram_has_its_own_windows_and_not_those_of_its_steps() -> None:
    every_half_hour = scene_of([[(30.0 * k, 1.0) for k in range(1, 60)]], 1800, 900)
    found = by_rules(ALL["hybrid histogram"], 4.0, every_half_hour)
    # Loaded 0.9 x 30 min after each call; the fixed keep-alive of 10 min is always cold.
    assert found["wild_cold_p75"] == 0
    assert found["wild_wasted_memory"] == pytest.approx(3 / 10, rel=0.03)


def test_a_forecast_of_the_mean_goes_before_the_floors_that_follow_it() -> None:
    mean = 0.4 * in_minutes(5, 14)
    found = of_plan(mean_in_flight=mean, floors=7 * in_minutes(*range(4, 20)))
    assert femux(found) == pytest.approx((0, 2, 1))
    assert wild(found) == pytest.approx((0, 0, 120))


def test_floors_stand_alone_and_a_cold_image_stays_until_its_minute_ends() -> None:
    found = of_plan(floors=in_minutes(14))
    assert femux(found) == pytest.approx((1, 1.5, 0.5))
    assert wild(found) == pytest.approx((0.5, 0, 45 + 60))


def test_what_is_not_forecast_is_left_to_knative() -> None:
    found = by_rules(KnAhead(NEW_SERVICES, OfOthers()), 600.0)
    assert femux(found) == femux(by_rules(ALL["KPA"], 1.0))


def test_a_greater_price_wants_pods_for_what_is_less_probable() -> None:
    table = ALL["oracle"].plan(SCENE, 600.0).forecasts
    assert table is not None
    doubtful = replace(table, exceedance=table.exceedance * np.float32(0.2))
    cold = [
        femux(by_rules(KnAhead("doubtful", lambda _: doubtful), price_s))[0]
        for price_s in (239.0, 241.0)  # 0.2 x 240 s = 0.8 x 60 s
    ]
    assert cold == [2, 0]


@pytest.mark.parametrize(("value", "concurrency"), [(0.5, 1), (2.0, 1), (1.0, 2), (1.0, 0)])
def test_where_femux_rules_do_not_say_wilds_do(value: float, concurrency: int) -> None:
    scene = replace(SCENE, services=configured(concurrency, 5.0, 30.0))
    found = by_rules(ALL["KPA"], value, scene)
    assert np.isnan([found[name] for name in FEMUX]).all()
    assert not np.isnan([found[name] for name in WILD]).any()
