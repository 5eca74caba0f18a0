"""Promises: the price follows from the ledger, is kept over a restart, and is advised."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.advisor.advising import advice_of
from autoscaler.advisor.ledger.ended import ENDED_S
from autoscaler.advisor.promises import FILE, Promise, Promises, promised
from autoscaler.advisor.read_model import ReadModel
from autoscaler.core.prediction.promise import MOST_S, START_S
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from autoscaler.health import Health
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.advisor.forecasts import a_bundle

BEGIN_S = 1_772_442_000.0  # 2026-03-02T09:00:00Z
HOUR_S = 3600.0
CART, TILL = "shop/cart", "shop/till"


def spec(rate: float = np.inf, mode: Mode = Mode.FULL) -> Any:
    return replace(KNATIVE_DEFAULTS, mode=mode, max_cold_rate=rate)


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    controller = Controller(tmp_path, begin_s=BEGIN_S)
    controller.has(f"{CART}-1", spec=spec(0.01))
    controller.has(f"{TILL}-1", spec=spec())
    controller.shows(0)
    return controller


def hours(controller: Controller, promises: Promises, *cold: float, first: int = 0) -> None:
    """Hours in each of which 1,000 requests come to both, so many of them cold."""
    for hour, many in enumerate(cold, first):
        for part in range(60):
            for service in (CART, TILL):
                controller.counts(
                    service, requests=1000 / 60, ahead_cold=many / 60, ahead_pod_s=120.0
                )
            controller.shows(hour * HOUR_S + ENDED_S + (part + 1) * 58.0)
        follows(controller, promises, hour + 1)


def follows(controller: Controller, promises: Promises, hour: int) -> bool:
    """So many hours are over."""
    controller.model.promises = promises
    controller.shows(hour * HOUR_S)
    controller.shows(hour * HOUR_S + ENDED_S)
    return controller.model.follow_hours()


def promise(promises: Promises) -> Promise:
    """The cart's."""
    made = promises.promise(CART)
    assert made
    return made


def begun(controller: Controller, folder: Path | None = None) -> Promises:
    promises = Promises(folder)
    follows(controller, promises, 0)
    return promises


def test_it_begins_at_a_price_and_says_that_nothing_was_counted(controller: Controller) -> None:
    promises = begun(controller)
    assert promises.prices_s == {CART: START_S}
    made = promise(promises)
    assert (made.rate, made.achieved, made.missed) == (0.01, None, False)
    assert str(made) == "Of 100 requests 1 are promised to be cold at most; none was counted yet."
    assert promises.promise(TILL) is None


def test_more_cold_than_promised_makes_it_dearer_and_less_cheaper(controller: Controller) -> None:
    promises = begun(controller)
    hours(controller, promises, 20.0)
    dear_s = promises.prices_s[CART]
    assert dear_s > START_S
    hours(controller, promises, 10.0, first=1)
    assert promises.prices_s[CART] == pytest.approx(dear_s)
    hours(controller, promises, 0.0, first=2)
    assert promises.prices_s[CART] < dear_s


def test_it_says_what_was_achieved_with_an_interval_and_for_how_much(
    controller: Controller,
) -> None:
    promises = begun(controller)
    hours(controller, promises, 8.0, 12.0, 4.0)
    made = promise(promises)
    assert made.achieved
    assert made.achieved.hours == 3
    assert made.achieved.requests == pytest.approx(3000)
    assert made.achieved.rate == pytest.approx(0.008)
    assert made.achieved.low < 0.008 < made.achieved.high
    assert made.achieved.more_pod_s == pytest.approx(24 * 60 * 120.0)
    assert "in 3 hours 0.8 were (95 %: 0.43 to 1.2), for 48.0 pod-hours a day more" in str(made)


def test_what_cannot_be_attained_is_said(controller: Controller) -> None:
    promises = begun(controller)
    hours(controller, promises, *[400.0] * 12)
    made = promise(promises)
    assert made.missed
    assert (promises.prices_s[CART], made.attainable) == (MOST_S, False)
    assert str(made).endswith("as few as can be attained: the price is the greatest there is.")


def test_prices_are_kept_over_a_restart_and_hours_between_count(
    controller: Controller, tmp_path: Path
) -> None:
    folder = tmp_path / "ledger"
    folder.mkdir()
    promises = begun(controller, folder)
    hours(controller, promises, 30.0, 30.0)
    kept, kept_s = (folder / FILE).read_bytes(), promises.prices_s[CART]
    hours(controller, promises, 30.0, first=2)
    (folder / FILE).write_bytes(kept)
    again = Promises(folder)
    controller.model = ReadModel(Health(), controller.model.ledger)
    follows(controller, again, 3)
    assert again.prices_s == promises.prices_s
    assert again.prices_s[CART] > kept_s
    assert promise(again) == promise(promises)


def test_a_damaged_file_begins_anew_and_says_so(controller: Controller, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nonsense")
    promises = begun(controller, tmp_path)
    assert promises.prices_s == {CART: START_S}
    assert "begin anew" in promises.fault
    hours(controller, promises, 30.0)
    assert promises.fault == ""


def test_the_least_rate_of_reachable_revisions_counts_and_none_of_those_in_off(
    controller: Controller,
) -> None:
    controller.has(f"{CART}-2", spec=spec(0.002))
    controller.has(f"{CART}-3", spec=replace(spec(0.001), reachable=False))
    controller.has(f"{TILL}-2", spec=spec(0.05, Mode.OFF))
    snapshot = controller.snapshot(0)
    assert promised(snapshot, controller.names) == {CART: 0.002}


def test_a_promise_of_none_comes_to_the_greatest_price_and_of_all_falls(
    controller: Controller,
) -> None:
    controller.fleet.spec.max_cold_rate[:] = [0.0, 1.0]
    controller.shows(0)
    promises = begun(controller)
    hours(controller, promises, *[20.0] * 12)
    assert promises.prices_s[CART] == MOST_S
    assert promises.prices_s[TILL] < START_S / 2


def test_a_dearer_promise_is_advised_with_more_pods_and_no_other_service_notices(
    controller: Controller,
) -> None:
    snapshot = controller.snapshot(0)
    curve = np.array([0.5, 0.1, 0.01, 0.001], dtype=np.float32)
    bundle = replace(
        a_bundle(1.0, now=BEGIN_S),
        services=(CART, TILL),
        demand_edges=np.tile(np.arange(5.0), (2, 1)),
        exceedance=np.tile(curve, (2, 1, 1)),
        model=("seasonal", "seasonal"),
        reason=("", ""),
    )
    plain = advice_of(snapshot, controller.names, bundle, None)
    dear = advice_of(snapshot, controller.names, bundle, None, {CART: 100_000.0})
    cart, till = (
        int(np.flatnonzero(plain.revision == controller.fleet.ids[row])[0]) for row in (0, 1)
    )
    assert np.isnan(plain.price_s).all()
    assert dear.price_s[cart] == 100_000.0
    assert np.isnan(dear.price_s[till])
    assert (dear.worth_keeping[cart] >= plain.worth_keeping[cart]).all()
    assert (dear.worth_keeping[cart] > plain.worth_keeping[cart]).any()
    assert np.array_equal(dear.worth_keeping[till], plain.worth_keeping[till])


def test_while_nothing_of_ours_is_applied_it_is_said_to_be_an_estimate(
    controller: Controller,
) -> None:
    model = controller.model
    follows(controller, model.promises, 0)
    hours(controller, model.promises, 20.0)
    assert "were (95 %: " in str(model.promise(CART))
    controller.fleet.decision.withdrawn[0] = True
    controller.shows(HOUR_S + 2)
    assert "were (estimated, as its forecast is withdrawn; 95 %: " in str(model.promise(CART))
    controller.fleet.spec.mode[0] = Mode.SHADOW
    controller.fleet.decision.withdrawn[0] = False
    controller.shows(HOUR_S + 4)
    assert "were (estimated, as it is in shadow; 95 %: " in str(model.promise(CART))
    assert model.promise(TILL) is None


def test_missed_under_a_bill_it_names_the_bill_while_that_cuts_and_after(
    controller: Controller,
) -> None:
    model, made = controller.model, controller.fleet.decision
    follows(controller, model.promises, 0)
    hours(controller, model.promises, *[400.0] * 3)
    assert str(model.promise(CART)).endswith("It is missed so far, and the price rises.")
    made.kpa[:], made.undelayed[:], made.desired[:], made.want[:] = 1, 1, 5, 2
    made.bounded[:], made.ahead[:], made.extra[:], made.max_extra[:] = 2, 4, 1, 0.2
    rows = np.array([0])
    snapshot = controller.snapshot(3 * HOUR_S + 2, rows, np.array([1]))
    model.put_snapshot(snapshot, controller.names)
    for extra in (1, 4):
        made.extra[:] = extra
        controller.shows(3 * HOUR_S + 2 + extra)
        promise = model.promise(CART)
        assert promise
        assert not promise.attainable
        assert str(promise).endswith("Fewer are not attainable under the bill of 1.2.")
    made.max_extra[:] = np.inf  # it was taken away
    controller.shows(3 * HOUR_S + 8)
    assert str(model.promise(CART)).endswith("and the price rises.")
