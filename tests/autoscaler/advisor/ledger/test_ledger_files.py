"""What of the ledger outlives the advisor: files, restarts, replicas that take turns."""

from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.read_model import ReadModel
from autoscaler.core.names import name_id
from autoscaler.health import Health
from autoscaler.limits import Limit
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.advisor.ledger.counting import (
    BEGIN_S,
    CART,
    HOUR_S,
    covered,
    known,
)


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
