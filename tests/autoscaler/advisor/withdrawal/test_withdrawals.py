"""From the hours of a ledger to who is withdrawn, and from there to the controller."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscaler.advisor.advising import advice_of
from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.advisor.ledger.ended import ENDED_S, EndedHours
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.ledger.store import Store
from autoscaler.advisor.ledger.table import HOUR_S, Table, with_squares
from autoscaler.advisor.withdrawal.withdrawals import Withdrawal, Withdrawals
from autoscaler.core.names import name_id
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from autoscaler.exchange.advice import for_fleet
from tests.autoscaler.advisor.controller import Controller

BEGIN_S = 1_772_442_000.0  # 2026-03-02T09:00:00Z
CART, TILL = "shop/cart", "shop/till"
PRICES_S = {CART: 600.0, TILL: 600.0}


class Shop:
    """Two services: pods ahead of the cart may be in vain, the till's pay for themselves."""

    def __init__(self, folder: Path) -> None:
        self.store, self.ledger = Store(folder), Ledger(folder)
        self.withdrawals, self.ended, self.now = Withdrawals(), EndedHours(), BEGIN_S

    def lives(self, hours: int, *, cart_pod_s: float, mode: Mode = Mode.FULL) -> None:
        """So many hours, in each of which one request of each does not wait."""
        sums = np.zeros((len(COLUMNS), 2))
        sums[COLUMNS.index("knative_short")] = 1.0
        sums[COLUMNS.index("ahead_pod_s")] = cart_pod_s, 60.0
        for _ in range(hours):
            hour = Table(
                start_s=self.now,
                length_s=HOUR_S,
                covered_s=HOUR_S,
                services=(CART, TILL),
                mode=np.array([mode, Mode.FULL]),
                sums=with_squares(sums),
            )
            self.store.write(hour)
            self.now += HOUR_S
            self.looks()

    def looks(self) -> None:
        """At hours that are over."""
        for hour in self.ended.take(self.ledger, self.now + ENDED_S):
            self.withdrawals.take(hour, PRICES_S)


def test_what_loses_is_withdrawn_and_comes_back_and_what_pays_never_is(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.lives(30, cart_pod_s=60.0)
    assert not shop.withdrawals.by_service
    shop.lives(7, cart_pod_s=36_000.0)
    (service,) = shop.withdrawals.by_service
    found = shop.withdrawals.by_service[service]
    assert service == CART
    assert BEGIN_S + 30 * HOUR_S < found.since_s <= BEGIN_S + 37 * HOUR_S
    assert found.more_pod_s == pytest.approx(10 * found.shown_s)
    shop.lives(24 * 10, cart_pod_s=60.0, mode=Mode.SHADOW)
    assert not shop.withdrawals.by_service


def test_after_a_restart_it_is_found_again_in_the_hours_that_were_kept(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.lives(36, cart_pod_s=36_000.0)
    assert list(shop.withdrawals.by_service) == [CART]
    again = Shop(tmp_path)
    again.now = shop.now
    again.looks()
    assert again.withdrawals.by_service == shop.withdrawals.by_service


def test_a_sentence_says_since_when_and_what_it_cost(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.lives(40, cart_pod_s=36_000.0)
    assert shop.withdrawals.by_service[CART].sentence == (
        "Its forecast is withdrawn since 2026-03-03 14:00 UTC: in the 5 hours before, it took 50.0 "
        "pod-hours more than Knative alone and spared 5 requests a wait. It is still compared, "
        "and comes back once it would pay."
    )


def test_a_sentence_says_it_where_more_had_to_wait() -> None:
    found = Withdrawal(since_s=BEGIN_S, shown_s=3 * 86_400.0, saved=-3.0, more_pod_s=-3600.0)
    assert (
        "in the 3 days before, it took 1.0 pod-hours fewer than Knative alone and let 3 more "
        "requests wait." in found.sentence
    )


def test_in_mode_off_there_is_no_evidence(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.lives(40, cart_pod_s=36_000.0, mode=Mode.OFF)
    assert not shop.withdrawals.by_service


def test_revisions_of_a_service_that_is_withdrawn_are_as_in_shadow(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "ledger")
    shop.lives(40, cart_pod_s=36_000.0)
    controller = Controller(tmp_path, begin_s=shop.now)
    for service in (CART, TILL):
        controller.has(f"{service}-1", spec=replace(KNATIVE_DEFAULTS, mode=Mode.FULL))
    controller.model.ledger = shop.ledger
    controller.ticks(ENDED_S, 0.0, 0.0)
    assert controller.model.follow_hours()
    assert not controller.model.follow_hours()  # nothing more, within an hour
    snapshot = controller.model.frame.snapshot
    assert snapshot is not None
    gone = controller.model.withdrawals.by_service
    table = advice_of(snapshot, controller.names, None, None, withdrawn=gone)
    assert table.withdrawn.tolist() == [name_id(f"{CART}-1")]
    controller.advised(for_fleet(table, controller.fleet))
    controller.ticks(ENDED_S + 2, 0.0, 0.0)
    assert controller.fleet.modes.tolist() == [Mode.SHADOW, Mode.FULL]
    (state,) = controller.model.revisions(CART)
    assert "its forecast is withdrawn" in state.sentence


def test_what_another_replica_wrote_is_looked_at_once_this_one_leads(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "ledger")
    shop.lives(40, cart_pod_s=36_000.0)
    controller = Controller(tmp_path, begin_s=shop.now)
    controller.has(f"{CART}-1", spec=replace(KNATIVE_DEFAULTS, mode=Mode.FULL))
    controller.model.ledger, withdrawals = shop.ledger, controller.model.withdrawals
    for leads in (True, False, True):
        controller.notes["leading"] = leads
        controller.shows(ENDED_S)
        assert controller.model.follow_hours()
        assert list(withdrawals.by_service) == ([CART] if leads else [])
