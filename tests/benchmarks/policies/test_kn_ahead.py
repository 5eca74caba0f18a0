"""Ours and the oracle decide alike, by forecasts of their own."""

import numpy as np

from autoscaler.core.state.revision import Mode
from benchmarks.policies.kn_ahead import KnAhead, foreseen
from tests.benchmarks.policies.scenes import scene_of

SCENE = scene_of([[(3.5, 60.0)], [(4.2, 6.0), (4.21, 6.0)]], 7, 2)


def test_the_price_is_the_knob_and_all_else_is_as_set() -> None:
    table = foreseen(SCENE)
    plan = KnAhead("ours", lambda scene: table).plan(SCENE, 45.0)
    assert plan.forecasts is table
    assert plan.floors is None
    assert plan.services.revision.mode == Mode.FULL
    assert plan.services.revision.cold_price_s == 45.0


def test_the_oracle_is_certain_of_what_comes_and_has_a_bundle_for_each_step() -> None:
    table = foreseen(SCENE)
    assert table.made_at_s.tolist() == [120, 180, 240, 300, 360]
    next_step = table.exceedance[:, :, 0].sum(axis=-1)  # pod levels that are needed, with certainty
    peak = SCENE.demand.peak[:, 2:]
    assert next_step.tolist() == np.ceil(peak).tolist() == [[0, 1, 1, 0, 0], [0, 0, 2, 0, 0]]
