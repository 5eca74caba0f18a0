"""FeMux's features and its choice among forecasters."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from benchmarks.policies.femux_choice import NAMES, Clusters, Femux
from benchmarks.policies.femux_features import features, harmonics, linear, stationary
from benchmarks.scores.rum import BLOCK
from tests.benchmarks.policies.scenes import scene_of

RANDOM = np.random.default_rng(0)
AT = np.arange(BLOCK)


def test_a_random_walk_is_not_stationary_and_noise_is() -> None:
    assert not stationary(100 + np.cumsum(RANDOM.normal(size=BLOCK)))
    assert stationary(RANDOM.random(BLOCK))
    assert stationary(np.zeros(BLOCK))


def test_independent_changes_are_linear_and_a_chaotic_map_is_not() -> None:
    assert linear(np.expm1(np.abs(np.cumsum(RANDOM.normal(size=BLOCK))) + 50))
    chaotic = [0.3]
    for _ in range(BLOCK - 1):
        chaotic.append(3.99 * chaotic[-1] * (1 - chaotic[-1]))
    assert not linear(np.array(chaotic))
    assert linear(np.ones(BLOCK))


def test_periods_of_two_to_sixty_minutes_stand_out() -> None:
    assert harmonics(3 + np.cos(2 * np.pi * AT / 12) + np.cos(2 * np.pi * AT / 7)) == 2
    assert harmonics(np.zeros(BLOCK)) == 0


def test_density_is_the_mean() -> None:
    assert features(np.full((1, BLOCK), 0.25)).tolist() == [[0.25, 1, 1, 0]]


def rows(kind: int, best: int, m: int = 12) -> tuple[FloatArray, FloatArray]:
    known = np.full((m, 4), [10.0 * kind, kind, 1 - kind, 30 * kind])
    rums = np.ones((m, len(NAMES)))
    rums[:, best] = 0.1
    return known, rums


def test_clusters_find_the_forecaster_that_was_best_for_blocks_alike() -> None:
    (one, of_one), (two, of_two) = rows(0, best=1), rows(1, best=3)
    clusters = Clusters.of(np.concatenate([one, two]), np.concatenate([of_one, of_two]))
    assert clusters is not None
    assert clusters.best(np.concatenate([two, one])[::12]).tolist() == [3, 1]
    other = clusters.told_by(*rows(0, best=4))
    assert other.best(one[:1]).tolist() == [4]


def test_one_row_makes_no_clusters() -> None:
    assert Clusters.of(*rows(0, best=1, m=1)) is None


def test_without_two_blocks_of_past_a_keep_alive_speaks() -> None:
    scene = scene_of([[(500.5, 30.0)]], 520, 498)
    found = Femux().forecasts(scene)[0]
    assert np.flatnonzero(found).tolist() == list(range(3, 13))


@pytest.mark.parametrize("released", [False, True])
def test_choices_are_learned_from_the_past_unless_released(released: bool) -> None:
    timers = [(10.0 * k + 0.2, 30.0) for k in range(3 * 51)]
    scene = scene_of([timers, timers[::2]], 3 * BLOCK, 2 * BLOCK)
    it = Femux("x", told_by=Femux() if released else None)
    assert it.hindsight is released
    found = it.forecasts(scene)
    assert found.shape == (2, BLOCK)
    calls_no_more = replace(scene, first=2 * BLOCK)
    np.testing.assert_array_equal(it.forecasts(calls_no_more), found)
