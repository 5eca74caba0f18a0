"""Every contender is held to the same laws; and the laws find those that break them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import typer

from benchmarks.policies.contender import Contender, Knob, Plan, Scene
from benchmarks.policies.contenders import contenders
from benchmarks.policies.contract import LAWS, Law, main
from benchmarks.policies.kn_ahead import Walked
from benchmarks.policies.walk import WalkSettings
from learner.settings import LearnerSettings

QUICK = WalkSettings(learner=LearnerSettings(max_rows=300, rounds=5, windows=(0, 1, 5)))
ALL = contenders(Walked(QUICK))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", ALL)
def test_every_contender_keeps(name: str, law: Law) -> None:
    assert list(law(ALL[name])) == []


class Made:
    """Floors by some rule."""

    name = "made"
    knob = Knob(name="pods", values=(1.0, 2.0), default=1.0)
    hindsight = False

    def __init__(self, floors: Callable[[Scene, float], np.ndarray]) -> None:
        self._floors = floors

    def plan(self, scene: Scene, value: float) -> Plan:
        return Plan(services=scene.services, floors=self._floors(scene, value))


def future(scene: Scene) -> np.ndarray:
    return np.ceil(np.nan_to_num(scene.demand.peak[:, scene.first :])).astype(np.int64)


def at_random(scene: Scene, value: float) -> np.ndarray:
    return np.random.default_rng().integers(0, 9, future(scene).shape)


def spoil(scene: Scene, value: float) -> np.ndarray:
    scene.demand.arrivals[0, 0] += 1
    return future(scene) * 0


BREAKS: dict[str, Contender] = {
    "knows_nothing_of_the_future": Made(lambda scene, value: future(scene)),
    "plans_have_the_shapes_of_their_scenes": Made(lambda scene, value: future(scene)[:, 1:]),
    "the_same_scene_has_the_same_plan": Made(at_random),
    "scenes_are_left_as_they_were": Made(spoil),
    "a_greater_knob_keeps_no_fewer_pods": Made(
        lambda scene, value: future(scene) * 0 + int(3 - value)
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_law_is_told(name: str) -> None:
    (law,) = (law for law in LAWS if law.__name__ == name)
    assert list(law(BREAKS[name]))


@pytest.mark.parametrize("name", ["knows_nothing_of_the_future", "plans_have_the_shapes"])
def test_a_forecast_of_the_mean_is_held_to_them_as_well(name: str) -> None:
    class Foreseen(Made):
        def plan(self, scene: Scene, value: float) -> Plan:
            mean = scene.demand.peak[:, scene.first + (name != "knows_nothing_of_the_future") :]
            return replace(super().plan(scene, value), mean_in_flight=np.nan_to_num(mean))

    (law,) = (law for law in LAWS if law.__name__.startswith(name))
    found = list(law(Foreseen(lambda scene, value: future(scene) * 0)))
    assert found
    assert all("mean_in_flight" in each for each in found)


def test_a_default_that_is_not_swept_is_told() -> None:
    it = Made(lambda scene, value: future(scene) * 0)
    it.knob = replace(it.knob, default=7.0)
    assert list(LAWS[0](it)) == ["default 7; allowed: one of (1.0, 2.0)"]


def test_what_a_plug_in_raises_is_told_and_not_raised() -> None:
    def fail(scene: Scene, value: float) -> np.ndarray:
        raise KeyError("made up")

    found = list(LAWS[1](Made(fail)))
    assert found[0] == "all kinds: KeyError: 'made up'"


def test_it_is_run_on_a_contender_of_the_user_s(capsys: pytest.CaptureFixture[str]) -> None:
    main("benchmarks.policies.keep_alive:KeepAlive")
    assert capsys.readouterr().out.count("kept") == len(LAWS)
    with pytest.raises(typer.Exit):
        main("tests.benchmarks.policies.plug_in:Peeking")
    assert "in step 45 know of step 45" in capsys.readouterr().out
