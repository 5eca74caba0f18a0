import numpy as np
import pytest

from autoscaler.core.demand import MOST_DELAY_S, NONE_COUNTED, count_cold, count_demand
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS
from autoscaler.core.state.services import LOAD_S, PEAK_S, SHORT_PEAK_S


@pytest.fixture
def fleet() -> Fleet:
    """Two revisions of one service, one of another."""
    made = Fleet()
    names = ("shop/cart-00001", "shop/cart-00002", "shop/browse-00001")
    services = ("shop/cart", "shop/cart", "shop/browse")
    made.add(dict.fromkeys(names, KNATIVE_DEFAULTS), now=0.0, services=services)
    return made


class Counter:
    """Counts a fleet's demand, from second 100 on where nothing else is said."""

    def __init__(self, fleet: Fleet, now: float = 100.0) -> None:
        self.fleet = fleet
        self.next = count_demand(fleet, NONE_COUNTED, now)

    def count(self, now: float) -> None:
        self.next = count_demand(self.fleet, self.next, now)


def requests(fleet: Fleet, service: str) -> float:
    return float(fleet.services.calls.requests[fleet.services.row(service)])


def in_flight(fleet: Fleet, service: str) -> float:
    return float(fleet.services.in_flight[fleet.services.row(service)])


def peak(fleet: Fleet, service: str) -> float:
    return float(fleet.services.peak[fleet.services.row(service)])


def report(fleet: Fleet, second: int, load: list[float], came: list[float]) -> None:
    rows = np.arange(len(fleet))
    fleet.record(rows, np.full(len(fleet), second), np.array([load, came]))


def test_requests_of_a_services_revisions_add_up(fleet: Fleet) -> None:
    counter = Counter(fleet)
    for second in (100, 101, 102):
        report(fleet, second, [1.0, 0.5, 0.0], [2.0, 1.0, 0.0])
    counter.count(103.0 + MOST_DELAY_S)
    assert (requests(fleet, "shop/cart"), requests(fleet, "shop/browse")) == (9.0, 0.0)
    assert peak(fleet, "shop/cart") == 3 * 1.5 / LOAD_S


def test_no_second_is_counted_twice(fleet: Fleet) -> None:
    counter = Counter(fleet)
    report(fleet, 100, [1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    for now in (101.0 + MOST_DELAY_S, 101.5 + MOST_DELAY_S, 102.9 + MOST_DELAY_S):
        counter.count(now)
    assert requests(fleet, "shop/cart") == 1.0


def test_a_late_statistic_is_counted_while_its_second_is_open(fleet: Fleet) -> None:
    counter = Counter(fleet)
    counter.count(101.0)
    report(fleet, 100, [1.0, 0.0, 0.0], [4.0, 0.0, 0.0])
    counter.count(101.0 + MOST_DELAY_S)
    assert requests(fleet, "shop/cart") == 4.0


def test_a_crest_is_shown_for_a_scrape_interval_and_no_longer(fleet: Fleet) -> None:
    counter = Counter(fleet)
    report(fleet, 100, [7.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    for now in range(101 + MOST_DELAY_S, 100 + MOST_DELAY_S + PEAK_S):
        counter.count(float(now))
        assert peak(fleet, "shop/cart") == 7.0 / LOAD_S
    counter.count(101.0 + MOST_DELAY_S + PEAK_S)
    assert peak(fleet, "shop/cart") == 0.0


def test_load_that_stays_is_wholly_a_peak_and_ends_with_its_last_second(fleet: Fleet) -> None:
    counter = Counter(fleet)
    for second in range(100, 110):
        report(fleet, second, [2.0, 1.0, 0.0], [1.0, 1.0, 0.0])
    counter.count(110.0 + MOST_DELAY_S)
    assert peak(fleet, "shop/cart") == 3.0
    counter.count(110.0 + MOST_DELAY_S + SHORT_PEAK_S)
    assert fleet.services.short_peak[fleet.services.row("shop/cart")] == 0.0


def test_a_burst_that_the_pods_there_are_work_off_before_another_is_ready_is_no_need_of_it(
    fleet: Fleet,
) -> None:
    counter = Counter(fleet)
    report(fleet, 104, [4.0, 0.0, 0.0], [20.0, 0.0, 0.0])
    counter.count(105.0 + MOST_DELAY_S)
    assert 0.0 < peak(fleet, "shop/cart") <= 1.0


def test_what_was_slept_through_is_not_made_up(fleet: Fleet) -> None:
    counter = Counter(fleet)
    report(fleet, 110, [1.0, 0.0, 0.0], [5.0, 0.0, 0.0])
    counter.count(100.0 + 10 * PEAK_S)
    assert requests(fleet, "shop/cart") == 0.0


def test_after_a_clock_was_set_back_counting_goes_on(fleet: Fleet) -> None:
    counter = Counter(fleet, now=1000.0)
    counter.count(100.0)
    report(fleet, 99, [1.0, 0.0, 0.0], [5.0, 0.0, 0.0])
    counter.count(100.0 + MOST_DELAY_S)
    assert requests(fleet, "shop/cart") == 5.0


def test_the_mean_in_flight_is_over_the_seconds_that_a_service_was_known(fleet: Fleet) -> None:
    counter = Counter(fleet)
    report(fleet, 98, [3.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    counter.count(99.0 + MOST_DELAY_S)
    assert in_flight(fleet, "shop/cart") == 4.0
    counter.count(98.0 + MOST_DELAY_S + 4)
    assert in_flight(fleet, "shop/cart") == 1.0
    counter.count(98.0 + MOST_DELAY_S + PEAK_S)
    assert in_flight(fleet, "shop/cart") == pytest.approx(4.0 / PEAK_S)
    counter.count(99.0 + MOST_DELAY_S + PEAK_S)
    assert in_flight(fleet, "shop/cart") == 0.0


def test_a_service_that_comes_later_is_averaged_over_its_own_seconds(fleet: Fleet) -> None:
    counter = Counter(fleet)
    counter.count(110.0)
    fleet.add({"shop/till-00001": KNATIVE_DEFAULTS}, now=110.0, services=["shop/till"])
    report(fleet, 108, [0.0, 0.0, 0.0, 6.0], [0.0, 0.0, 0.0, 2.0])
    counter.count(111.0)
    assert (in_flight(fleet, "shop/till"), requests(fleet, "shop/till")) == (6.0, 2.0)


def test_counts_stay_when_rows_move(fleet: Fleet) -> None:
    counter = Counter(fleet)
    report(fleet, 98, [1.0, 0.0, 2.0], [1.0, 0.0, 4.0])
    counter.count(99.0 + MOST_DELAY_S)
    fleet.remove("shop/cart-00001")
    report(fleet, 99, [2.0, 0.0], [5.0, 0.0])  # browse lies in the first row now
    counter.count(100.0 + MOST_DELAY_S)
    assert requests(fleet, "shop/browse") == 9.0
    assert requests(fleet, "shop/cart") == 1.0


def test_a_revision_that_changes_its_service_is_counted_for_the_new(fleet: Fleet) -> None:
    counter = Counter(fleet)
    report(fleet, 98, [1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    counter.count(99.0 + MOST_DELAY_S)
    fleet.move("shop/browse-00001", "shop/cart")
    report(fleet, 99, [0.0, 0.0, 7.0], [0.0, 0.0, 7.0])
    counter.count(100.0 + MOST_DELAY_S)
    assert requests(fleet, "shop/cart") == 8.0
    assert "shop/browse" not in fleet.services


def test_a_service_without_a_revision_leaves_nothing_behind(fleet: Fleet) -> None:
    before = fleet.services.nbytes
    for turn in range(500):
        name = f"shop/guest-{turn}"
        fleet.add({name: KNATIVE_DEFAULTS}, now=0.0)
        fleet.remove(name)
    assert fleet.services.keys == ["shop/cart", "shop/browse"]
    assert fleet.services.nbytes == before


def test_jitter_below_zero_takes_nothing_away(fleet: Fleet) -> None:
    counter = Counter(fleet)
    report(fleet, 98, [2.0, -1.0, 0.0], [3.0, -2.0, 0.0])
    counter.count(99.0 + MOST_DELAY_S)
    assert (requests(fleet, "shop/cart"), in_flight(fleet, "shop/cart")) == (3.0, 2.0)


@pytest.mark.parametrize("absurd", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_cold_requests_that_cannot_be_are_left_out(fleet: Fleet, absurd: float) -> None:
    count_cold(fleet, np.array([0, 1]), np.array([2.0, absurd]))
    assert fleet.services.calls.cold.tolist() == [2.0, 0.0]


def test_requests_at_a_ready_pod_are_not_cold(fleet: Fleet) -> None:
    fleet.observed.ready[0] = 1
    count_cold(fleet, np.array([0, 2]), np.array([2.0, 3.0]))
    assert fleet.services.calls.cold.tolist() == [0.0, 3.0]


def call(fleet: Fleet, service: int, *times: float, at_zero: bool = False) -> None:
    for at in times:
        fleet.services.note_calls(np.array([service]), np.array([at]), np.array([at_zero]))


def test_a_call_after_idleness_is_a_start_and_the_next_ones_are_not(fleet: Fleet) -> None:
    call(fleet, 0, 100.25, 130.0, 189.5, 300.75, 301.0)
    calls = fleet.services.calls
    assert (calls.last_start_s[0], calls.last_call_s[0]) == (300.75, 301.0)
    assert np.isnan(calls.last_call_s[1])


def test_sixty_seconds_without_a_call_are_idleness(fleet: Fleet) -> None:
    call(fleet, 0, 100.0, 159.9)
    assert fleet.services.calls.last_start_s[0] == 100.0
    call(fleet, 0, 219.9)
    assert fleet.services.calls.last_start_s[0] == 219.9


def test_who_was_let_go_to_zero_starts_again_sooner(fleet: Fleet) -> None:
    call(fleet, 0, 100.0, 140.0, at_zero=True)
    assert fleet.services.calls.last_start_s[0] == 140.0


def test_a_service_that_is_named_twice_slept_where_any_revision_did(fleet: Fleet) -> None:
    call(fleet, 0, 100.0)
    both, at = np.array([0, 0]), np.array([140.0, 140.0])
    fleet.services.note_calls(both, at, np.array([True, False]))
    assert fleet.services.calls.last_start_s[0] == 140.0
