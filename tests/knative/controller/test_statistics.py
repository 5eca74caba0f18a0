"""Statistics of activators and pods: recorded by second; revisions at zero are decided at once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knative.controller.state.events import StatisticsReceived
from knative.controller.state.instructions import Scale
from knative.controller.state.reports import AHEAD_S
from tests.autoscaler.core.stories import LAW
from tests.knative.controller.world import KEY, World, plans, statistics, writes
from tests.knative.objects import NOW_S

OTHER = "shop/till"
NOW = int(NOW_S)


@pytest.fixture
def world() -> World:
    return World()


def came(*said: tuple[str, float, int], by_activator: bool = True) -> StatisticsReceived:
    """One event: of each revision so many requests in a second."""
    load = np.array([load for _, load, _ in said])
    return StatisticsReceived(
        keys=[key for key, _, _ in said],
        samples=np.stack([load, load]),
        seconds=np.array([second for _, _, second in said], dtype=np.int64),
        by_activator=by_activator,
    )


def at(world: World, second: float, key: str = KEY) -> float:
    """Requests in flight of a revision in a second."""
    row = np.array([world.fleet.row(key)])
    return float(world.fleet.stable.at(row, np.array([int(second)]))[0, 0])


# --- what is recorded -----------------------------------------------------------------------------


def test_statistics_of_unknown_revisions_are_passed_over(world: World) -> None:
    world.has_revision()
    assert world.receives("shop/nobody", concurrency=5.0) == []
    world.tick()
    assert world.decided().no_data
    world.receives(KEY, "shop/nobody", concurrency=5.0)
    assert at(world, NOW_S) == 5.0


def test_what_several_activators_and_the_pods_say_of_one_second_adds_up(world: World) -> None:
    world.has_revision()
    world.handle(came((KEY, 30.0, NOW), (KEY, 40.0, 0)))
    world.handle(came((KEY, 50.0, NOW)))
    world.handle(came((KEY, 80.0, 0), by_activator=False))
    assert world.want() == 3
    assert world.decided().stable == 200.0


def test_each_second_is_recorded_by_itself(world: World) -> None:
    world.has_revision()
    world.has_revision("till")
    world.handle(came((KEY, 3.0, NOW - 2), (OTHER, 5.0, NOW), (KEY, 4.0, NOW - 1), (KEY, 1.0, 0)))
    assert [at(world, second) for second in (NOW - 2, NOW - 1, NOW)] == [3.0, 4.0, 1.0]
    assert at(world, NOW, OTHER) == 5.0


@pytest.mark.parametrize("absurd", [np.nan, np.inf, -np.inf, 1e300])
def test_an_absurd_statistic_says_nothing_and_the_others_count(world: World, absurd: float) -> None:
    world.has_revision()
    world.has_revision("till")
    world.handle(came((KEY, absurd, 0), (OTHER, 1.0, 0)))
    world.tick()
    assert (world.decided().no_data, world.decided(OTHER).no_data) == (True, False)


@pytest.mark.parametrize("second", [NOW + 3600, NOW + 2**40, -5, -(2**40)])
def test_a_clock_that_cannot_be_does_not_make_the_others_late(world: World, second: int) -> None:
    world.has_revision()
    world.handle(came((KEY, 3.0, second)))
    assert at(world, NOW_S) == 3.0  # as if it had been told for now
    world.handle(came((KEY, 2.0, 0)))
    assert at(world, NOW_S) == 5.0


def test_a_clock_a_little_ahead_is_believed_as_knative_does(world: World) -> None:
    world.has_revision()
    world.handle(came((KEY, 3.0, int(NOW_S + AHEAD_S))))
    assert at(world, NOW_S + AHEAD_S) == 3.0


def test_a_word_from_long_ago_changes_nothing(world: World) -> None:
    world.has_revision()
    world.receives(KEY, concurrency=150.0, seconds=60)
    world.handle(came((KEY, 1e6, NOW - 5000), (KEY, 1e6, 1)))
    assert world.want() == 3
    assert world.decided().stable == 150.0


reports = st.lists(
    st.tuples(
        st.sampled_from([KEY, OTHER, "shop/nobody"]),
        st.integers(0, 8000).map(lambda n: n / 8),
        st.sampled_from([0, NOW, NOW - 1, NOW - 7, NOW + 2]),
    ),
    max_size=12,
)


@LAW
@given(said=reports, data=st.data())
def test_it_does_not_matter_in_which_frames_statistics_come(
    said: list[tuple[str, float, int]], data: st.DataObject
) -> None:
    together, apart = World(), World()
    for world in (together, apart):
        world.has_revision()
        world.has_revision("till")
    together.handle(came(*said, by_activator=False))  # else a first one is decided at once
    for one in data.draw(st.permutations(said)):
        apart.handle(came(one, by_activator=False))
    for world in (together, apart):
        world.tick(2.0)
    for key in (KEY, OTHER):
        assert repr(together.decided(key)) == repr(apart.decided(key))


# --- what is decided at once ----------------------------------------------------------------------


def at_zero(world: World, *names: str) -> None:
    """Revisions that were let go to zero, as a tick has seen."""
    for name in names:
        world.has_revision(name, active="False", ready=0)
        world.receives(f"shop/{name}", concurrency=0.0)
    world.tick()


def test_demand_from_zero_is_acted_for_before_any_tick(world: World) -> None:
    at_zero(world, "cart")
    world.clock.advance(0.3)
    (scale, *_) = writes(world.receives(KEY, concurrency=1.0))
    assert scale == Scale(deployment="cart-deployment", pods=1)
    assert world.receives(KEY, concurrency=1.0) == []  # it is on its way


def test_of_many_that_sleep_only_who_is_called_is_decided(world: World) -> None:
    at_zero(world, "cart", "till", "shelf")
    world.clock.advance(0.5)
    done = world.handle(statistics({KEY: 1.0, OTHER: 0.0}, second=0))
    assert {plan.key for plan in plans(done)} == {KEY}
    assert world.decided().at_s == NOW_S + 0.5
    assert world.decided(OTHER).at_s == NOW_S


def test_who_is_called_in_one_second_and_silent_in_the_next_is_woken(world: World) -> None:
    at_zero(world, "cart")
    done = world.handle(came((KEY, 1.0, NOW - 1), (KEY, 0.0, NOW)))
    assert writes(done)[0] == Scale(deployment="cart-deployment", pods=1)


@pytest.mark.parametrize(("concurrency", "by_activator"), [(0.0, True), (1.0, False)])
def test_silence_and_a_pods_own_word_wait_for_the_tick(
    world: World, concurrency: float, by_activator: bool
) -> None:
    at_zero(world, "cart")
    assert world.receives(KEY, concurrency=concurrency, by_activator=by_activator) == []


def test_demand_above_zero_waits_for_the_tick(world: World) -> None:
    world.has_revision()
    world.receives(KEY, concurrency=1.0)
    world.tick()
    assert world.receives(KEY, concurrency=500.0) == []
    assert writes(world.tick())[0] == Scale(deployment="cart-deployment", pods=8)


def test_a_request_for_who_slept_when_we_came_is_decided_at_once(world: World) -> None:
    world.has_revision()
    assert world.column("memory", "kpa") == -1
    world.receives(KEY, concurrency=1.0)
    assert world.decided().at_s == NOW_S


def test_a_revision_that_is_not_ours_wakes_nobody(world: World) -> None:
    at_zero(world, "cart")
    assert world.receives("shop/elsewhere", concurrency=5.0) == []
    assert world.handle(replace(statistics({}), keys=[])) == []


# --- what the other policy would do ---------------------------------------------------------------


def test_what_the_other_policy_would_do_is_counted_beside(world: World) -> None:
    world.has_revision(annotations={"kn-ahead.dev/mode": "outward"})
    world.tick()
    world.receives(KEY, concurrency=5.0)
    account = world.fleet.services.account
    assert account.requests.tolist() == [5.0]
    assert account.ahead_cold.tolist() == [0.0]


def test_a_count_that_fails_is_reported_and_keeps_nothing_waiting(world: World) -> None:
    world.has_revision(ready=0, asked=0, active="False")
    world.tick()
    world.fleet.twins = None  # type: ignore[assignment]  # any fault of the twins
    assert plans(world.receives(KEY, concurrency=1.0))
    assert "not counted any more" in str(world.controller.health.by_part["twin"])
    world.tick()
    assert world.want() == 1
