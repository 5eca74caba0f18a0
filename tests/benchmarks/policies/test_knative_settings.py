"""Contenders that only set Knative otherwise."""

from dataclasses import replace

import numpy as np

from benchmarks.policies.contender import Scene
from benchmarks.policies.keep_alive import KeepAlive
from benchmarks.policies.kpa import Kpa
from benchmarks.policies.min_scale import MinScale
from tests.benchmarks.policies.scenes import scene_of

EMPTY = scene_of([[], []], 4, 2)


def with_settings(**settings: object) -> Scene:
    revision = replace(EMPTY.services.revision, **settings)
    return replace(EMPTY, services=replace(EMPTY.services, revision=revision))


def test_kpa_at_its_default_is_what_is_configured() -> None:
    plan = Kpa().plan(EMPTY, Kpa.knob.default)
    assert plan.services == EMPTY.services
    assert plan.floors is None
    assert plan.forecasts is None


def test_kpa_stretches_each_service_s_windows_within_knative_s_bounds() -> None:
    scene = with_settings(stable_window_s=np.array([60, 600]), panic_window_s=np.array([6, 60]))
    revision = Kpa().plan(scene, 30.0).services.revision
    assert revision.stable_window_s.tolist() == [1800, 3600]
    assert revision.panic_window_s.tolist() == [180, 1800]
    least = Kpa().plan(scene, 0.01).services.revision
    assert (least.stable_window_s.tolist(), least.panic_window_s.tolist()) == ([6, 6], [1, 1])


def test_a_keep_alive_never_shortens_what_is_configured() -> None:
    scene = with_settings(retention_s=np.array([0.0, 7200.0]))
    revision = KeepAlive().plan(scene, 10.0).services.revision
    assert revision.retention_s.tolist() == [600.0, 7200.0]


def test_min_scale_never_lowers_what_is_configured_nor_passes_the_max_scale() -> None:
    scene = with_settings(min_scale=np.array([0, 4]), max_scale=np.array([1, 0]))
    assert MinScale().plan(scene, 3.0).services.revision.min_scale.tolist() == [1, 4]
