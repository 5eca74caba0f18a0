"""Laws of what is on its way, over upstreams with any past."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.decider import decide
from autoscaler.core.decision import Decisions
from autoscaler.core.fleet import Fleet
from autoscaler.core.surge import Links
from tests.autoscaler.core.stories import LAW
from tests.autoscaler.core.test_surge import NOW_S, chain, links

PAST_S, TICK_S = 240, 10
pasts = st.lists(st.integers(0, 60), min_size=1, max_size=4)  # requests a second, in equal runs
lags = st.floats(0.0, 250.0)


def lived(
    past: list[int], pulls: Links | None, *, times: float = 1.0, shift_s: int = 0, **spec: object
) -> tuple[Fleet, Decisions]:
    """The head of three lived that past; the others are called once a second. And what is said."""
    fleet, begin_s = chain(3, **spec), int(NOW_S) + shift_s - PAST_S
    fleet.seen.ready[:] = fleet.seen.replicas[:] = 1
    for s in range(PAST_S):
        came = np.array([times * past[s * len(past) // PAST_S], 1.0, 1.0])
        fleet.record(np.arange(3), np.full(3, begin_s + s), np.stack([np.ones(3), came]))
        if s % TICK_S == 0:
            fleet.remember(decide(fleet, None, now=float(begin_s + s), links=pulls))
    return fleet, decide(fleet, None, now=NOW_S + shift_s, links=pulls)


@LAW
@given(past=pasts, lag_s=lags, gain=st.floats(0.0, 10.0), most=st.integers(0, 20))
def test_never_below_knative_and_within_max_scale(
    past: list[int], lag_s: float, gain: float, most: int
) -> None:
    fleet, said = lived(past, links((0, 1), (1, 2), lag_s=lag_s, gain=gain), max_scale=most)
    alone = decide(fleet, None, now=NOW_S)
    assert (said.kpa == alone.kpa).all()
    assert (said.want >= alone.want).all()
    assert most == 0 or (said.want <= most).all()


@LAW
@given(past=pasts, lag_s=lags, times=st.floats(1.0, 20.0))
def test_more_calls_upstream_are_never_fewer_pods(
    past: list[int], lag_s: float, times: float
) -> None:
    pulls = links((0, 1), (1, 2), lag_s=lag_s)
    less, more = (lived(past, pulls, times=t)[1] for t in (1.0, times))
    assert (more.want >= less.want).all()


@LAW
@given(past=pasts, lag_s=lags)
def test_a_gain_of_nothing_asks_for_no_second_pod(past: list[int], lag_s: float) -> None:
    _, said = lived(past, links((0, 1), gain=0.0, lag_s=lag_s))
    assert said.surged[1] <= 1


@LAW
@given(past=pasts, lag_s=lags, steps=st.integers(1, 1000))
def test_a_shift_of_time_changes_nothing(past: list[int], lag_s: float, steps: int) -> None:
    pulls = links((0, 1), (1, 2), lag_s=lag_s)
    here, there = (lived(past, pulls, shift_s=s)[1] for s in (0, 10 * steps))
    assert here.want.tolist() == there.want.tolist()
    assert here.surged.tolist() == there.surged.tolist()


@LAW
@given(past=pasts, lag_s=lags)
def test_nothing_is_remembered_without_links(past: list[int], lag_s: float) -> None:
    fleet, _ = lived(past, None)
    ages = np.linspace(0.0, 300.0, 100)
    assert np.isnan(fleet.trail.at(np.zeros(100, dtype=np.int64), NOW_S - ages)).all()
