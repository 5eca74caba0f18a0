"""Observed times become busy periods; starts that were not observed do not."""

import numpy as np

from learner.dependencies.activity import OBSERVATION_S, Activity

CART = "shop/cart"
T0 = 1_700_000_010.0


def seen(
    starts: list[float], last_calls: list[float], observed: tuple[float, float] = (-600.0, 6000.0)
) -> Activity:
    """Of one service; times after T0."""
    return Activity(
        starts={CART: T0 + np.array(starts)},
        last_calls={CART: T0 + np.array(last_calls)},
        observed_s=T0 + np.arange(*observed, OBSERVATION_S),
    )


def busy_periods(activity: Activity) -> list[tuple[float, float]]:
    made = activity.busy_periods(since_s=T0 - 600.0, until_s=T0 + 6000.0)
    return list(zip((made.start_s - T0).tolist(), (made.end_s - T0).tolist(), strict=True))


def test_a_busy_period_ends_with_the_last_call_before_the_next_start() -> None:
    assert busy_periods(seen([0.0, 1000.0], [300.0, 500.5, 1000.25])) == [
        (0.0, 500.5),
        (1000.0, 1000.25),
    ]


def test_a_start_alone_is_a_busy_period_of_one_call() -> None:
    assert busy_periods(seen([0.0, 1000.0], [])) == [(0.0, 0.0), (1000.0, 1000.0)]


def test_a_new_exporter_makes_no_start_of_a_call_soon_after_the_last() -> None:
    assert busy_periods(seen([0.0, 520.0], [500.0, 900.0])) == [(0.0, 900.0)]


def test_the_first_call_after_an_outage_of_all_exporters_is_no_start() -> None:
    parts = (seen([0.0], [30.0], (-600.0, 300.0)), seen([900.0, 2000.0], [950.0], (900.0, 6000.0)))
    assert busy_periods(parts[0].joined(parts[1])) == [(0.0, 30.0), (2000.0, 2000.0)]


def test_a_start_after_the_outage_counts_once_an_idle_time_was_observed() -> None:
    parts = (seen([0.0], [30.0], (-600.0, 300.0)), seen([1000.0], [], (900.0, 6000.0)))
    assert busy_periods(parts[0].joined(parts[1])) == [(0.0, 30.0), (1000.0, 1000.0)]


def test_what_is_seen_twice_counts_once() -> None:
    once = seen([0.0, 1000.0], [500.0])
    assert busy_periods(once.joined(once)) == busy_periods(once)


def test_a_busy_period_that_goes_on_keeps_its_start_when_older_ones_are_dropped() -> None:
    later = seen([0.0, 1000.0, 2000.0], [500.0, 3000.0]).since(T0 + 2500.0)
    assert busy_periods(later) == [(2000.0, 3000.0)]


def test_a_service_that_was_long_not_called_is_dropped() -> None:
    assert seen([0.0], [500.0]).since(T0 + 600.0).starts == {}


def test_busy_periods_of_several_services_are_in_order_of_time() -> None:
    both = seen([0.0, 1000.0], []).joined(
        Activity(starts={"shop/a": T0 + np.array([500.0])}, last_calls={}, observed_s=np.zeros(0))
    )
    made = both.busy_periods(since_s=T0, until_s=T0 + 6000.0)
    assert [made.services[row] for row in made.service] == [CART, "shop/a", CART]
