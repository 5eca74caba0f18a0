"""What reaches the ledger, by real snapshots of a controller's fleet."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.advisor.ledger.comparison import Compared
from autoscaler.advisor.ledger.counted import COLUMNS, GAP_S
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.ledger.table import merged
from autoscaler.advisor.read_model import ReadModel
from autoscaler.core.names import name_id
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from autoscaler.health import Health
from autoscaler.limits import Limit
from tests.autoscaler.advisor.controller import Controller

BEGIN_S = 1_772_442_000.0  # 2026-03-02T09:00:00Z
HOUR_S, DAY_S = 3600.0, 86_400.0
CART, TILL = "shop/cart", "shop/till"


def spec(mode: Mode) -> Any:
    return replace(KNATIVE_DEFAULTS, mode=mode)


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    controller = Controller(tmp_path, begin_s=BEGIN_S)
    controller.has(f"{CART}-1", spec=spec(Mode.FULL))
    return controller


def begins_anew(controller: Controller, folder: Path) -> Controller:
    """Another process of the controller, whose sums begin at zero."""
    new = Controller(folder, begin_s=controller.begin_s)
    new.model = controller.model
    new.has(f"{CART}-1", spec=spec(Mode.FULL))
    return new


def known(model: ReadModel, service: str = CART, *modes: Mode, column: str = "requests") -> float:
    """A sum of all that is known of a service, while in some modes or in any."""
    days = model.ledger.days(0.0, float("inf"))
    rows = Compared.of(merged(days, start_s=0.0, length_s=0.0))
    chosen = [
        name == service and (not modes or Mode(int(mode)) in modes)
        for name, mode in zip(rows.services, rows.mode, strict=True)
    ]
    return rows.together(np.array(chosen, dtype=np.bool_)).total(column)


def covered(model: ReadModel) -> float:
    return sum(table.covered_s for table in model.ledger.hours(0.0, float("inf")))


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


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "ledger"


@pytest.fixture
def restart(controller: Controller, folder: Path) -> Callable[[], None]:
    """The advisor begins anew over the same folder; the controller goes on."""

    def again() -> None:
        controller.model = ReadModel(Health(), Ledger(folder))

    again()
    return again


def test_a_restart_loses_nothing_while_the_controller_goes_on(
    controller: Controller, restart: Callable[[], None]
) -> None:
    controller.shows(0)
    controller.counts(CART, requests=5.0)
    controller.shows(2)
    assert controller.model.ledger.save(BEGIN_S + 2) == ""
    controller.counts(CART, requests=1.0)
    controller.shows(4)  # not saved
    restart()
    controller.counts(CART, requests=1.0)
    controller.shows(10)
    assert (known(controller.model), covered(controller.model)) == (7.0, 10.0)


def test_a_restart_over_the_end_of_an_hour_keeps_both(
    controller: Controller, restart: Callable[[], None], folder: Path
) -> None:
    end_s = HOUR_S - 10
    for second in (end_s, end_s + 2):
        controller.counts(CART, requests=1.0)
        controller.shows(second)
    controller.model.ledger.save(BEGIN_S + end_s + 2)
    restart()
    controller.counts(CART, requests=10.0)
    controller.shows(HOUR_S + 5)
    controller.model.ledger.save(BEGIN_S + HOUR_S + 5)
    hours = controller.model.ledger.hours(0.0, float("inf"))
    assert [hour.sums[0].tolist() for hour in hours] == [[1.0], [10.0]]
    assert sorted(path.name for path in folder.iterdir()) == ["2026-03-02T09.hour", "going-on"]


def test_an_advisor_that_was_away_for_long_has_a_gap(
    controller: Controller, restart: Callable[[], None]
) -> None:
    for second in (0.0, 2.0):
        controller.counts(CART, requests=1.0)
        controller.shows(second)
    controller.model.ledger.save(BEGIN_S + 2)
    restart()
    controller.counts(CART, requests=1000.0)
    for second in (5 * HOUR_S, 5 * HOUR_S + 2):
        controller.counts(CART, requests=1.0)
        controller.shows(second)
    assert (known(controller.model), covered(controller.model)) == (2.0, 4.0)
    hours = [hour.start_s for hour in controller.model.ledger.hours(0.0, float("inf"))]
    assert hours == [BEGIN_S, BEGIN_S + 5 * HOUR_S]


def test_who_takes_the_lead_goes_on_from_the_files_of_who_led(
    controller: Controller, restart: Callable[[], None], folder: Path, tmp_path: Path
) -> None:
    """Two pods over one volume, in the middle of an hour."""
    first = controller.model
    for second in (0, 2):
        controller.counts(CART, requests=1.0)
        controller.shows(second)
    first.ledger.save(BEGIN_S + 2)
    restart()
    second_ = controller.model
    controller.notes["leading"] = False
    controller.shows(3)
    second_.ledger.save(BEGIN_S + 3)
    controller.notes["leading"] = True
    for second in (5, 7):
        controller.counts(CART, requests=100.0)
        controller.shows(second)
    assert (known(second_), covered(second_)) == (101.0, 4.0)
    controller.model = first
    controller.notes["leading"] = False
    controller.shows(8)
    assert first.ledger.save(BEGIN_S + 120) == ""
    second_.ledger.save(BEGIN_S + 120)
    restart()
    controller.notes["leading"] = True
    controller.shows(9)
    assert known(controller.model) == 101.0


def test_the_hour_that_goes_on_is_written_once_a_minute(
    controller: Controller, restart: Callable[[], None], folder: Path
) -> None:
    written = set()
    for second in range(0, 120, 10):
        controller.counts(CART, requests=1.0)
        controller.shows(second)
        controller.model.ledger.save(BEGIN_S + second)
        written.add((folder / "going-on").stat().st_ino)
    assert len(written) == 2


def test_a_folder_that_cannot_be_written_is_a_fault_and_hours_wait(
    controller: Controller, restart: Callable[[], None], folder: Path
) -> None:
    folder.parent.mkdir()
    folder.write_text("no folder")
    for second in (0.0, 2.0, HOUR_S, HOUR_S + 2):
        controller.counts(CART, requests=1.0)
        controller.shows(second)
        assert "nothing is kept over a restart" in controller.model.ledger.save(BEGIN_S + second)
    folder.unlink()
    assert controller.model.ledger.save(BEGIN_S + HOUR_S + 2) == ""
    restart()
    controller.shows(HOUR_S + 4)
    assert known(controller.model) == 2.0


def test_names_in_files_are_those_of_services(
    controller: Controller, restart: Callable[[], None], folder: Path
) -> None:
    for second in (0, 2, HOUR_S):
        controller.counts(CART, requests=1.0)
        controller.shows(second)
    controller.model.ledger.save(BEGIN_S + HOUR_S)
    controller.model.ledger.fold(controller.snapshot(HOUR_S + 2), {name_id(CART): CART}, leads=True)
    restart()
    (first, *_) = controller.model.ledger.hours(0.0, float("inf"))
    assert first.services == (CART,)


def test_more_services_than_an_hour_takes_are_a_fault_and_the_others_are_counted(
    controller: Controller, restart: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.shows(0)
    assert controller.model.ledger.save(BEGIN_S) == ""
    for n in range(3):
        controller.has(f"shop/more{n}-1")
    monkeypatch.setattr("autoscaler.advisor.ledger.hour.LEDGER_ROWS", few(2))
    controller.counts(CART, requests=1.0)
    controller.shows(2)
    assert known(controller.model) == 1.0
    assert "what came then is not counted" in controller.model.ledger.save(BEGIN_S + 2)


def few(most: int) -> Limit:
    return Limit("ledger_rows", most, "services", "in a test")
