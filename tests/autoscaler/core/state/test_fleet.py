from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.decider import decide
from autoscaler.core.names import name_id
from autoscaler.core.state.fleet import Fleet, take
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, UNDECIDED, Active, Revision
from autoscaler.errors import PermanentError
from tests.autoscaler.core.stories import BASE_S, sample

SECOND = int(BASE_S)


def shop(*names: str, revision: Revision = KNATIVE_DEFAULTS) -> Fleet:
    fleet = Fleet()
    fleet.add(dict.fromkeys(names, revision), now=BASE_S)
    return fleet


def average(fleet: Fleet, row: int, second: int) -> float:
    at = np.array([row]), np.array([second]), np.array([0])
    return float(fleet.stable.average(*at)[0])


def test_each_revision_has_its_row() -> None:
    fleet = shop("cart", "mail")
    assert [fleet.row("cart"), fleet.row("mail")] == [0, 1]
    assert "mail" in fleet
    assert len(fleet) == 2


def test_an_unknown_revision_is_named() -> None:
    with pytest.raises(PermanentError, match=r"revision 'mail' is unknown; known are 1"):
        shop("cart").row("mail")


def test_a_revision_is_added_once() -> None:
    fleet = shop("cart")
    with pytest.raises(PermanentError, match="'cart' is in the fleet already"):
        fleet.add({"mail": KNATIVE_DEFAULTS, "cart": KNATIVE_DEFAULTS}, now=BASE_S)
    assert fleet.keys == ["cart"]


def test_a_wrong_count_of_ready_pods_leaves_the_fleet_as_it_was() -> None:
    fleet = shop("cart")
    more = {"mail": KNATIVE_DEFAULTS, "pay": KNATIVE_DEFAULTS}
    with pytest.raises((PermanentError, ValueError)):
        fleet.add(more, now=BASE_S, ready=[1])
    assert fleet.keys == ["cart"]
    assert "mail" not in fleet
    assert len(decide(fleet, None, now=BASE_S).decision.want) == 1


def test_a_new_revision_has_decided_nothing_and_is_activating() -> None:
    fleet = shop("cart")
    assert fleet.memory.kpa.tolist() == [-1]
    assert np.isnan(fleet.memory.panic_since_s).all()
    assert fleet.observed.active.tolist() == [Active.UNKNOWN]
    assert fleet.observed.active_since_s.tolist() == [BASE_S]


def test_more_than_one_ready_pod_starts_in_panic() -> None:
    fleet = Fleet()
    pods = {"cart": KNATIVE_DEFAULTS, "mail": KNATIVE_DEFAULTS}
    fleet.add(pods, now=BASE_S, ready=[5, 1])
    assert fleet.memory.panic_since_s[0] == BASE_S
    assert fleet.memory.max_panic_pods.tolist() == [5, 0]
    assert np.isnan(fleet.memory.panic_since_s[1])


@pytest.mark.parametrize(("burst", "spare"), [(-1.0, -1.0), (0.0, 0.0), (211.0, 89.0)])
def test_burst_capacity_begins_with_that_of_the_initial_scale(burst: float, spare: float) -> None:
    revision = replace(KNATIVE_DEFAULTS, initial_scale=3, target_burst_capacity=burst)
    assert shop("cart", revision=revision).memory.excess_burst_capacity.tolist() == [spare]


def test_a_change_of_annotations_is_followed() -> None:
    fleet = shop("cart", "mail")
    fleet.configure("mail", replace(KNATIVE_DEFAULTS, min_scale=3))
    assert fleet.spec.min_scale.tolist() == [0, 3]


def test_delay_and_aggregation_stay_as_they_were_first_seen() -> None:
    fleet = shop("cart")
    changed = replace(KNATIVE_DEFAULTS, scale_down_delay_s=60.0, weighted_exponential=True)
    fleet.configure("cart", changed)
    assert fleet.spec.scale_down_delay_s.tolist() == [0.0]
    assert fleet.spec.weighted_exponential.tolist() == [False]
    assert not fleet.delay.delayed(slice(None)).any()


def test_a_change_of_window_keeps_its_newest_seconds() -> None:
    fleet = shop("cart")
    for i in range(20):
        sample(fleet, [float(i)], SECOND + i)
    fleet.configure("cart", replace(KNATIVE_DEFAULTS, stable_window_s=6, panic_window_s=1))
    assert average(fleet, 0, SECOND + 19) == 16.5
    assert decide(fleet, None, now=BASE_S + 19).decision.panic.tolist() == [19.0]


def test_the_last_row_takes_the_place_of_a_removed_one() -> None:
    fleet = shop("cart", "mail", "pay")
    sample(fleet, [1.0, 2.0, 3.0], SECOND)
    fleet.remove("cart")
    assert fleet.keys == ["pay", "mail"]
    assert [average(fleet, fleet.row(k), SECOND) for k in ("mail", "pay")] == [2.0, 3.0]


def test_the_last_revision_may_be_removed() -> None:
    fleet = shop("cart")
    fleet.remove("cart")
    assert len(fleet) == 0
    assert len(decide(fleet, None, now=BASE_S).decision.want) == 0


def test_removing_an_unknown_revision_is_an_error() -> None:
    with pytest.raises(PermanentError, match="'mail' is unknown"):
        shop("cart").remove("mail")


def test_nothing_may_be_added_and_nothing_recorded() -> None:
    fleet = shop()
    sample(fleet, [], SECOND)
    assert len(fleet) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_left_out(bad: float) -> None:
    fleet = shop("cart", "mail")
    sample(fleet, [bad, 2.0], SECOND)
    assert average(fleet, 1, SECOND) == 2.0
    assert decide(fleet, None, now=BASE_S).decision.no_data.tolist() == [True, False]


def test_what_a_tick_leaves_is_remembered_for_its_rows_alone() -> None:
    fleet = shop("cart", "mail", revision=replace(KNATIVE_DEFAULTS, scale_down_delay_s=10.0))
    sample(fleet, [100.0, 100.0], SECOND)
    decide(fleet, None, now=BASE_S, rows=np.array([1])).apply(fleet)
    assert fleet.memory.kpa.tolist() == [-1, 2]


def test_memory_is_counted() -> None:
    small, large = shop("cart"), shop("cart", "mail", "pay")
    assert 0 < small.nbytes < large.nbytes


def test_coming_and_going_does_not_eat_memory() -> None:
    fleet = shop("cart", revision=replace(KNATIVE_DEFAULTS, scale_down_delay_s=60.0))
    sample(fleet, [5.0], SECOND)
    for turn in range(200):
        guest = f"guest-{turn}"
        fleet.add({guest: replace(KNATIVE_DEFAULTS, scale_down_delay_s=60.0)}, now=BASE_S)
        fleet.remove(guest)
    assert fleet.nbytes < 100_000
    assert average(fleet, 0, SECOND) == 5.0


def test_taken_columns_are_those_of_the_rows() -> None:
    fleet = Fleet()
    fleet.add({str(n): replace(KNATIVE_DEFAULTS, min_scale=n) for n in range(4)}, now=BASE_S)
    assert take(fleet.spec, np.array([3, 1])).min_scale.tolist() == [3, 1]
    assert take(fleet.spec, slice(None)).min_scale.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("absurd", [1e18, -1e18, 1e303, -1e303, 8e307])
def test_an_absurd_sample_crashes_nothing_and_touches_no_other_row(absurd: float) -> None:
    fleet = shop("cart", "mail")
    for i in range(3):
        sample(fleet, [absurd, 100.0], SECOND + i)
        decide(fleet, None, now=BASE_S + i).apply(fleet)
        assert fleet.decision.kpa[1] == 2


@pytest.mark.parametrize("absurd", [1e12, 1e18, 1e300, -1e18])
def test_an_absurd_sample_is_forgotten_when_it_leaves_the_window(absurd: float) -> None:
    fleet = shop("cart")
    sample(fleet, [absurd], SECOND)
    for i in range(1, 130):
        sample(fleet, [30.0], SECOND + i)
    assert average(fleet, 0, SECOND + 129) == 30.0


def test_rows_are_found_by_key_and_known_by_their_ids() -> None:
    fleet = shop("cart", "mail")
    assert fleet.rows(["mail", "gone", "cart"]).tolist() == [1, -1, 0]
    assert fleet.ids.tolist() == [name_id("cart"), name_id("mail")]


def test_a_new_revision_has_no_other_pods_and_nothing_was_requested_for_it() -> None:
    fleet = shop("cart")
    assert fleet.pods.pending.tolist() == [0]
    assert fleet.requested_of(0).want == UNDECIDED
    assert fleet.requested_of(0).changed
