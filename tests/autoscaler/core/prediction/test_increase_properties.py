"""Laws of what is on its way, over upstreams with any past."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.control import Reported, control
from autoscaler.core.decider import decide
from autoscaler.core.prediction.advice import NO_PATHS, Paths
from autoscaler.core.state.decision import DecisionArrays
from tests.autoscaler.core.stories import LAW
from tests.autoscaler.core.upstreams import NOW_S, Shop, paths

PAST_S, TICK_S = 240, 10
pasts = st.lists(st.integers(0, 60), min_size=1, max_size=4)  # requests a second, in equal runs
lags = st.floats(0.0, 250.0)


def lived(
    past: list[int], known: Paths, *, times: float = 1.0, shift_s: int = 0, **spec: Any
) -> tuple[Shop, DecisionArrays]:
    """The first of three lived that past; the others are called once a second. And the answer."""
    shop = Shop(3, known, **spec)
    shop.fleet.observed.ready[:] = shop.fleet.observed.replicas[:] = 1
    for s in range(PAST_S):
        came = np.array([times * past[s * len(past) // PAST_S], 1.0, 1.0])
        after_s = float(shift_s - PAST_S + s)
        report = Reported(
            rows=np.arange(3),
            seconds=np.full(3, int(NOW_S + after_s)),
            samples=np.stack([np.ones(3), came]),
            by_activator=False,
        )
        control(shop.state, report, NOW_S + after_s)
        if s % TICK_S == 0:
            shop.tick(after_s)
    return shop, decide(shop.fleet, shop.state.advice, now=NOW_S + shift_s).decision


@LAW
@given(past=pasts, lag_s=lags, gain=st.floats(0.0, 10.0), most=st.integers(0, 20))
def test_never_below_knative_and_within_max_scale(
    past: list[int], lag_s: float, gain: float, most: int
) -> None:
    known = paths((0, 1), (1, 2), lag_s=lag_s, gain=gain)
    shop, ours = lived(past, known, max_scale=most)
    alone = decide(shop.fleet, None, now=NOW_S).decision
    assert (ours.kpa == alone.kpa).all()
    assert (ours.want >= alone.want).all()
    assert most == 0 or (ours.want <= most).all()


@LAW
@given(past=pasts, lag_s=lags, times=st.floats(1.0, 20.0))
def test_more_calls_upstream_are_never_fewer_pods(
    past: list[int], lag_s: float, times: float
) -> None:
    known = paths((0, 1), (1, 2), lag_s=lag_s)
    less, more = (lived(past, known, times=t)[1] for t in (1.0, times))
    assert (more.want >= less.want).all()


@LAW
@given(past=pasts, lag_s=lags)
def test_a_gain_of_nothing_asks_for_no_second_pod(past: list[int], lag_s: float) -> None:
    _, ours = lived(past, paths((0, 1), gain=0.0, lag_s=lag_s))
    assert ours.anticipated[1] <= 1


@LAW
@given(past=pasts, lag_s=lags, steps=st.integers(1, 1000))
def test_a_shift_of_time_changes_nothing(past: list[int], lag_s: float, steps: int) -> None:
    known = paths((0, 1), (1, 2), lag_s=lag_s)
    here, there = (lived(past, known, shift_s=s)[1] for s in (0, 10 * steps))
    assert here.want.tolist() == there.want.tolist()
    assert here.anticipated.tolist() == there.anticipated.tolist()


@LAW
@given(past=pasts)
def test_nothing_is_remembered_without_paths(past: list[int]) -> None:
    shop, _ = lived(past, NO_PATHS)
    ages = np.linspace(0.0, 300.0, 100)
    remembered = shop.fleet.services.rates.at(np.zeros(100, dtype=np.int64), NOW_S - ages)
    assert np.isnan(remembered).all()
