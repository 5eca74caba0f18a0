"""After every step the state's features are those of the whole past."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from autoscaler.core.types import FloatArray
from learner.state.fill import fill
from learner.state.level_state import empty_state
from learner.state.stepping import advance, step
from tests.examples import examples
from tests.learner.state.oracle import START_S, STEP_S, assert_features, demand_of

pods = st.sampled_from([0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 14.0, 300.0, np.nan])
needs = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=pods)


@given(needs)
@settings(max_examples=examples(30, many=2000), deadline=None)
def test_stepping_gives_the_features_of_the_whole_past(need: FloatArray) -> None:
    demand = demand_of(need)
    state = empty_state(start_s=START_S, step_s=STEP_S, spread=1)
    state = advance(state, demand.until(1))
    for steps in range(1, demand.n_steps):
        assert_features(state, demand.until(steps))
        state = step(state, need[:, steps])
    assert_features(state, demand)


@given(needs, st.data())
@settings(max_examples=examples(30, many=2000), deadline=None)
def test_filling_gives_the_features_of_the_whole_past(
    need: FloatArray, data: st.DataObject
) -> None:
    demand = demand_of(need)
    cut = data.draw(st.integers(0, demand.n_steps))
    overlap = data.draw(st.integers(0, cut))
    later = demand_of(need[:, cut - overlap :], start=cut - overlap)
    state = fill([demand.until(cut), later], spread=1)
    assert state is not None
    assert_features(state, demand)
