import numpy as np
import pytest

from autoscaler.fleet import Fleet
from autoscaler.meter import LATE_S, PEAK_S, DemandMeter
from autoscaler.revision import KNATIVE_DEFAULTS

SERVICES = ("shop/cart", "shop/cart", "shop/browse")


@pytest.fixture
def fleet() -> Fleet:
    """Two revisions of one service, one of another."""
    made = Fleet()
    names = ("shop/cart-00001", "shop/cart-00002", "shop/browse-00001")
    made.add(dict.fromkeys(names, KNATIVE_DEFAULTS), now=0.0)
    return made


def tell(fleet: Fleet, second: int, in_flight: list[float], requests: list[float]) -> None:
    rows = np.arange(len(fleet))
    fleet.record(rows, np.full(len(fleet), second), np.array([in_flight, requests]))


def test_requests_of_a_services_revisions_add_up(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    for second in (100, 101, 102):
        tell(fleet, second, [1.0, 0.5, 0.0], [2.0, 1.0, 0.0])
    meter.count(fleet, SERVICES, 103.0 + LATE_S)
    read = meter.read()
    assert (read["shop/cart"].requests, read["shop/browse"].requests) == (9.0, 0.0)
    assert read["shop/cart"].peak == 1.5


def test_no_second_is_counted_twice(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 100, [1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    for now in (101.0 + LATE_S, 101.5 + LATE_S, 102.9 + LATE_S):
        meter.count(fleet, SERVICES, now)
    assert meter.read()["shop/cart"].requests == 1.0


def test_a_late_statistic_is_counted_while_its_second_is_open(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    meter.count(fleet, SERVICES, 101.0)
    tell(fleet, 100, [1.0, 0.0, 0.0], [4.0, 0.0, 0.0])
    meter.count(fleet, SERVICES, 101.0 + LATE_S)
    assert meter.read()["shop/cart"].requests == 4.0


def test_a_crest_is_shown_for_a_scrape_interval_and_no_longer(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 100, [7.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    for now in range(101 + LATE_S, 100 + LATE_S + PEAK_S):
        meter.count(fleet, SERVICES, float(now))
        assert meter.read()["shop/cart"].peak == 7.0
    meter.count(fleet, SERVICES, 101.0 + LATE_S + PEAK_S)
    assert meter.read()["shop/cart"].peak == 0.0


def test_what_was_slept_through_is_not_made_up(fleet: Fleet) -> None:
    meter = DemandMeter()
    meter.count(fleet, SERVICES, 100.0)
    tell(fleet, 110, [1.0, 0.0, 0.0], [5.0, 0.0, 0.0])
    meter.count(fleet, SERVICES, 100.0 + 10 * PEAK_S)
    assert "shop/cart" not in meter.read()
