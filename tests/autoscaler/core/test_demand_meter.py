import numpy as np
import pytest

from autoscaler.core.demand_meter import LATE_S, PEAK_S, DemandMeter, Metered
from autoscaler.core.fleet import Fleet
from autoscaler.core.revision import KNATIVE_DEFAULTS

SERVICES = ("shop/cart", "shop/cart", "shop/browse")


@pytest.fixture
def fleet() -> Fleet:
    """Two revisions of one service, one of another."""
    made = Fleet()
    names = ("shop/cart-00001", "shop/cart-00002", "shop/browse-00001")
    made.add(dict.fromkeys(names, KNATIVE_DEFAULTS), now=0.0)
    return made


def counted(metered: Metered) -> tuple[float, float, float, float]:
    return metered.requests, metered.cold, metered.in_flight, metered.peak


def tell(fleet: Fleet, second: int, in_flight: list[float], requests: list[float]) -> None:
    rows = np.arange(len(fleet))
    fleet.record(rows, np.full(len(fleet), second), np.array([in_flight, requests]))


def test_requests_of_a_services_revisions_add_up(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    for second in (100, 101, 102):
        tell(fleet, second, [1.0, 0.5, 0.0], [2.0, 1.0, 0.0])
    meter.count(fleet, SERVICES, 103.0 + LATE_S)
    assert (meter["shop/cart"].requests, meter["shop/browse"].requests) == (9.0, 0.0)
    assert meter["shop/cart"].peak == 1.5


def test_no_second_is_counted_twice(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 100, [1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    for now in (101.0 + LATE_S, 101.5 + LATE_S, 102.9 + LATE_S):
        meter.count(fleet, SERVICES, now)
    assert meter["shop/cart"].requests == 1.0


def test_a_late_statistic_is_counted_while_its_second_is_open(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    meter.count(fleet, SERVICES, 101.0)
    tell(fleet, 100, [1.0, 0.0, 0.0], [4.0, 0.0, 0.0])
    meter.count(fleet, SERVICES, 101.0 + LATE_S)
    assert meter["shop/cart"].requests == 4.0


def test_a_crest_is_shown_for_a_scrape_interval_and_no_longer(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 100, [7.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    for now in range(101 + LATE_S, 100 + LATE_S + PEAK_S):
        meter.count(fleet, SERVICES, float(now))
        assert meter["shop/cart"].peak == 7.0
    meter.count(fleet, SERVICES, 101.0 + LATE_S + PEAK_S)
    assert meter["shop/cart"].peak == 0.0


def test_what_was_slept_through_is_not_made_up(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 110, [1.0, 0.0, 0.0], [5.0, 0.0, 0.0])
    meter.count(fleet, SERVICES, 100.0 + 10 * PEAK_S)
    assert "shop/cart" not in meter


def test_the_mean_in_flight_is_over_the_seconds_that_a_service_was_known(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 98, [3.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    meter.count(fleet, SERVICES, 99.0 + LATE_S)
    assert meter["shop/cart"].in_flight == 4.0
    meter.count(fleet, SERVICES, 98.0 + LATE_S + 4)
    assert meter["shop/cart"].in_flight == 1.0
    meter.count(fleet, SERVICES, 98.0 + LATE_S + PEAK_S)
    assert meter["shop/cart"].in_flight == pytest.approx(4.0 / PEAK_S)
    meter.count(fleet, SERVICES, 99.0 + LATE_S + PEAK_S)
    assert meter["shop/cart"].in_flight == 0.0


def test_a_service_that_comes_later_is_averaged_over_its_own_seconds(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    meter.count(fleet, SERVICES, 110.0)
    fleet.add({"shop/till-00001": KNATIVE_DEFAULTS}, now=110.0)
    tell(fleet, 108, [0.0, 0.0, 0.0, 6.0], [0.0, 0.0, 0.0, 2.0])
    meter.count(fleet, (*SERVICES, "shop/till"), 111.0)
    assert counted(meter["shop/till"]) == (2.0, 0.0, 6.0, 6.0)


def test_counts_stay_when_rows_move(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 98, [1.0, 0.0, 2.0], [1.0, 0.0, 4.0])
    meter.count(fleet, SERVICES, 99.0 + LATE_S)
    fleet.remove("shop/cart-00001")
    tell(fleet, 99, [2.0, 0.0], [5.0, 0.0])  # browse lies in the first row now
    meter.count(fleet, ("shop/browse", "shop/cart"), 100.0 + LATE_S)
    assert meter["shop/browse"].requests == 9.0
    assert meter["shop/cart"].requests == 1.0


def test_rows_that_change_their_services_are_counted_for_the_new(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 98, [1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    meter.count(fleet, SERVICES, 99.0 + LATE_S)
    tell(fleet, 99, [0.0, 0.0, 7.0], [0.0, 0.0, 7.0])
    meter.count(fleet, ("shop/cart", "shop/browse", "shop/cart"), 100.0 + LATE_S)
    assert meter["shop/cart"].requests == 8.0


def test_a_service_whose_revisions_all_went_calms_down(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 98, [0.0, 0.0, 5.0], [0.0, 0.0, 5.0])
    meter.count(fleet, SERVICES, 99.0 + LATE_S)
    fleet.remove("shop/browse-00001")
    for now in range(100 + LATE_S, 100 + LATE_S + PEAK_S):
        meter.count(fleet, SERVICES[:2], float(now))
    assert counted(meter["shop/browse"]) == (5.0, 0.0, 0.0, 0.0)


def test_jitter_below_zero_takes_nothing_away(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 98, [2.0, -1.0, 0.0], [3.0, -2.0, 0.0])
    meter.count(fleet, SERVICES, 99.0 + LATE_S)
    assert counted(meter["shop/cart"]) == (3.0, 0.0, 2.0, 2.0)


@pytest.mark.parametrize("absurd", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_cold_requests_that_cannot_be_are_left_out(absurd: float) -> None:
    meter = DemandMeter()
    meter.count_cold("shop/cart", 2.0)
    meter.count_cold("shop/cart", absurd)
    assert meter["shop/cart"].cold == 2.0


def test_reading_while_services_come_is_reading_those_of_one_moment() -> None:
    meter = DemandMeter()
    meter.count_cold("shop/cart", 1.0)
    seen = []
    for service, metered in meter.items():
        meter.count_cold("shop/browse", 1.0)
        seen.append((service, metered.cold))
    assert seen == [("shop/cart", 1.0)]


def test_a_call_after_idleness_is_a_start_and_the_next_ones_are_not() -> None:
    meter, services = DemandMeter(), ["shop/cart", "shop/till"]
    assert "shop/cart" not in meter
    for at in (100.25, 130.0, 189.5, 300.75, 301.0):
        meter.called(services, np.array([0]), at, at_zero=np.array([False]))
    assert (meter["shop/cart"].begun_s, meter["shop/cart"].called_s) == (300.75, 301.0)
    assert np.isnan(meter["shop/till"].called_s)


def test_sixty_seconds_without_a_call_are_idleness() -> None:
    meter, services = DemandMeter(), ["shop/cart"]
    for at in (100.0, 159.9):
        meter.called(services, np.array([0]), at, at_zero=np.array([False]))
    assert meter["shop/cart"].begun_s == 100.0
    meter.called(services, np.array([0]), 219.9, at_zero=np.array([False]))
    assert meter["shop/cart"].begun_s == 219.9


def test_who_was_let_go_to_zero_starts_again_sooner() -> None:
    meter, services = DemandMeter(), ["shop/cart"]
    for at in (100.0, 140.0):
        meter.called(services, np.array([0]), at, at_zero=np.array([True]))
    assert meter["shop/cart"].begun_s == 140.0
