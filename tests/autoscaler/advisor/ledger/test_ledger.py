"""What reaches the ledger, by real snapshots of a controller's fleet."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.advisor.ledger.counted import COLUMNS, GAP_S
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.read_model import ReadModel
from autoscaler.core.state.revision import Mode
from autoscaler.health import Health
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.advisor.ledger.counting import (
    BEGIN_S,
    CART,
    DAY_S,
    HOUR_S,
    TILL,
    begins_anew,
    covered,
    known,
    spec,
)

# --- from snapshot to snapshot --------------------------------------------------------------------


def test_counts_what_came_since_the_first_snapshot_and_not_before(controller: Controller) -> None:
    controller.counts(CART, requests=100.0)
    controller.shows(0)
    assert (known(controller.model), covered(controller.model)) == (0.0, 0.0)
    for second in (2, 4):
        controller.counts(CART, requests=3.0)
        controller.shows(second)
    assert (known(controller.model), covered(controller.model)) == (6.0, 4.0)


def test_both_policies_are_kept_apart(controller: Controller) -> None:
    controller.shows(0)
    sums = {name: float(i + 1) for i, name in enumerate(COLUMNS)}
    controller.counts(CART, **sums)
    controller.shows(2)
    assert {name: known(controller.model, column=name) for name in COLUMNS} == sums


def test_a_controller_that_begins_anew_counts_from_zero(
    controller: Controller, tmp_path: Path
) -> None:
    controller.counts(CART, requests=100.0)
    controller.shows(0)
    new = begins_anew(controller, tmp_path)
    new.counts(CART, requests=7.0)
    new.shows(20)
    assert known(new.model) == 7.0


def test_a_service_that_joins_counts_from_its_first_request(controller: Controller) -> None:
    controller.shows(0)
    controller.has(f"{TILL}-1")
    controller.counts(TILL, requests=2.0)
    controller.shows(2)
    assert known(controller.model, TILL) == 2.0


def test_a_service_that_comes_back_begins_anew(controller: Controller) -> None:
    controller.has(f"{TILL}-1")
    controller.counts(TILL, requests=50.0)
    controller.shows(0)
    controller.loses(f"{TILL}-1")
    controller.shows(2)
    controller.has(f"{TILL}-1")
    controller.counts(TILL, requests=60.0)
    controller.shows(4)
    assert known(controller.model, TILL) == 60.0


def test_what_a_service_that_left_had_is_still_known(controller: Controller) -> None:
    controller.has(f"{TILL}-1")
    controller.shows(0)
    controller.counts(TILL, requests=5.0)
    controller.shows(2)
    controller.loses(f"{TILL}-1")
    controller.shows(4)
    assert known(controller.model, TILL) == 5.0


def test_rows_that_change_places_keep_their_sums(controller: Controller) -> None:
    for service in ("shop/a", "shop/b", TILL):
        controller.has(f"{service}-1")
    controller.counts(TILL, requests=40.0)
    controller.shows(0)
    controller.loses("shop/a-1")  # the last row takes its place
    controller.counts(TILL, requests=1.0)
    controller.shows(2)
    assert known(controller.model, TILL) == 1.0


def test_a_service_is_counted_from_the_first_moment_though_its_name_comes_later(
    controller: Controller,
) -> None:
    controller.shows(0)
    names = controller.names
    controller.has(f"{TILL}-1")
    late, controller.names = controller.names, names
    controller.counts(TILL, requests=2.0)
    controller.shows(2)
    assert known(controller.model, TILL) == 0.0
    controller.names = late
    controller.shows(4)
    assert known(controller.model, TILL) == 2.0


@pytest.mark.parametrize("second", [-10.0, GAP_S + 1, 40 * DAY_S])
def test_a_jump_in_time_is_a_gap(controller: Controller, second: float) -> None:
    controller.shows(0)
    controller.counts(CART, requests=1000.0)
    controller.shows(second)
    assert (known(controller.model), covered(controller.model)) == (0.0, 0.0)
    controller.counts(CART, requests=1.0)
    controller.shows(second + 2)
    assert (known(controller.model), covered(controller.model)) == (1.0, 2.0)


@pytest.mark.parametrize("mad", [np.nan, np.inf, -np.inf, -5.0, 1e300])
def test_what_cannot_have_been_counted_is_not(controller: Controller, mad: float) -> None:
    controller.counts(CART, requests=4.0)
    controller.shows(0)
    requests = controller.fleet.services.account.requests
    requests[0] = mad
    controller.shows(2)
    requests[0] = 9.0
    controller.shows(4)
    assert 0.0 <= known(controller.model) <= 9.0


def test_a_replica_that_follows_counts_nothing(controller: Controller) -> None:
    controller.shows(0)
    controller.notes["leading"] = False
    controller.counts(CART, requests=10.0)
    controller.shows(2)
    controller.notes["leading"] = True
    controller.counts(CART, requests=10.0)
    controller.shows(4)
    controller.counts(CART, requests=1.0)
    controller.shows(6)
    assert known(controller.model) == 1.0


# --- modes ----------------------------------------------------------------------------------------


def test_what_was_counted_in_a_mode_stays_there_when_the_mode_changes(
    controller: Controller,
) -> None:
    controller.shows(0)
    for second, mode, n in ((2, Mode.FULL, 5.0), (4, Mode.SHADOW, 7.0), (6, Mode.FULL, 1.0)):
        controller.fleet.spec.mode[:] = mode
        controller.counts(CART, requests=n)
        controller.shows(second)
    assert known(controller.model, CART, Mode.FULL) == 6.0
    assert known(controller.model, CART, Mode.SHADOW) == 7.0


def test_a_revision_that_no_route_leads_to_does_not_say_the_mode(controller: Controller) -> None:
    controller.has(f"{CART}-2", spec=spec(Mode.SHADOW))
    controller.fleet.spec.reachable[controller.row(f"{CART}-1")] = False
    controller.shows(0)
    controller.counts(CART, requests=3.0)
    controller.shows(2)
    assert known(controller.model, CART, Mode.SHADOW) == 3.0


# --- hours ----------------------------------------------------------------------------------------


def test_each_hour_has_what_came_in_it(controller: Controller) -> None:
    controller.shows(HOUR_S - 4)
    for second, n in ((-2, 1.0), (0, 10.0), (2, 100.0)):
        controller.counts(CART, requests=n)
        controller.shows(HOUR_S + second)
    first, second_ = controller.model.ledger.hours(0.0, float("inf"))
    assert (first.start_s, second_.start_s) == (BEGIN_S, BEGIN_S + HOUR_S)
    assert [table.sums[0].tolist() for table in (first, second_)] == [[1.0], [110.0]]
    assert (first.covered_s, second_.covered_s) == (2.0, 4.0)


def test_an_hour_that_time_is_set_back_into_goes_on(controller: Controller, tmp_path: Path) -> None:
    controller.model = ReadModel(Health(), Ledger(tmp_path / "ledger"))
    for second in (0, 2, DAY_S, DAY_S + 2, 4, 6):
        controller.counts(CART, requests=1.0)
        controller.shows(second)
        assert controller.model.ledger.save(BEGIN_S + second) == ""
    today, tomorrow = controller.model.ledger.hours(0.0, float("inf"))
    assert (today.sums[0].tolist(), today.covered_s) == ([2.0], 4.0)
    assert (tomorrow.sums[0].tolist(), tomorrow.covered_s) == ([1.0], 2.0)
