"""Laws of the fleet: rows are independent, and leave nothing behind when they go."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.decider import decide
from autoscaler.core.state.decision import explain, row_of
from autoscaler.core.state.fleet import Fleet
from tests.autoscaler.core.stories import LAW, Story, differences, look, stories, tell


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@LAW
@given(story=stories())
def test_a_sample_that_is_no_number_is_as_if_it_were_not_there(story: Story, value: float) -> None:
    fleet, second = tell(story), math.ceil(story.now)
    for row in range(len(fleet)):
        fleet.record(np.array([row]), np.array([second]), np.array([[value], [1.0]]))
    assert not differences(
        decide(fleet, None, now=second + 0.5), decide(tell(story), None, now=second + 0.5)
    )


@LAW
@given(story=stories(rows=4), gone=st.integers(0, 3))
def test_a_revision_added_again_is_a_fresh_one(story: Story, gone: int) -> None:
    fleet, fresh = tell(story), Fleet()
    key = fleet.keys[gone % len(fleet)]
    life = story.lives[int(key)]
    fleet.remove(key)
    for f in (fleet, fresh):
        f.add({key: life.revision}, now=story.now, ready=[life.observed.ready])
    again, alone = np.array([fleet.row(key)]), np.array([0])
    second = math.ceil(story.now)
    for _ in range(3):
        for f, row in ((fleet, again), (fresh, alone)):
            f.record(row, np.array([second]), np.array([[8.0], [16.0]]))
            look(f, int(row[0]), life.observed)
        second += 2
        ours = decide(fleet, None, now=float(second), rows=again)
        first = decide(fresh, None, now=float(second), rows=alone)
        assert not differences(ours, first)
        ours.apply(fleet)
        first.apply(fresh)


@LAW
@given(story=stories(rows=5), gone=st.integers(0, 4))
def test_removing_a_revision_leaves_the_others_as_they_were(story: Story, gone: int) -> None:
    fleet, whole = tell(story), tell(story)
    key = fleet.keys[gone % len(fleet)]
    fleet.remove(key)
    before = decide(whole, None, now=story.now).decision
    after = decide(fleet, None, now=story.now).decision
    for row, other in enumerate(fleet.keys):
        ours, theirs = row_of(after, row), row_of(before, whole.row(other))
        assert explain(ours) == explain(theirs)
        assert (ours.kpa, ours.want) == (theirs.kpa, theirs.want)
    assert [fleet.row(k) for k in fleet.keys] == list(range(len(fleet)))
    assert key not in fleet
    assert fleet.services.keys == [fleet.services.keys[s] for s in range(len(fleet.services))]
    assert [fleet.services.keys[s] for s in fleet.service] == fleet.keys
