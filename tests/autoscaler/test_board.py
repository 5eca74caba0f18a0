from dataclasses import replace

import numpy as np
import pytest

from autoscaler.board import CHANGES_KEPT, Board
from autoscaler.core.decider import decide
from autoscaler.core.decision import Decisions, Reason
from autoscaler.core.fleet import Fleet
from autoscaler.core.forecasts import ForecastBundle
from autoscaler.core.revision import KNATIVE_DEFAULTS, Mode
from autoscaler.core.types import IntArray

SERVICES = ["shop/browse", "shop/cart", "shop/cart"]
REVISIONS = ["shop/browse-1", "shop/cart-1", "shop/cart-2"]


def a_fleet() -> Fleet:
    fleet = Fleet()
    fleet.add({key: replace(KNATIVE_DEFAULTS, mode=Mode.OUTWARD) for key in REVISIONS}, now=0.0)
    return fleet


def tick(
    fleet: Fleet, second: int, in_flight: list[float], rows: IntArray | None = None
) -> Decisions:
    which = np.arange(len(in_flight)) if rows is None else rows
    samples = np.array([in_flight, in_flight])
    fleet.record(which, np.full(len(which), second), samples)
    decisions = decide(fleet, None, now=float(second), rows=rows)
    fleet.remember(decisions)
    return decisions


def a_bundle(services: tuple[str, ...], *, made_at_s: float = 0.0) -> ForecastBundle:
    n = len(services)
    return ForecastBundle(
        services=services,
        made_at_s=made_at_s,
        fitted_at_s=made_at_s,
        window_edges_s=np.array([0.0, 60.0, 120.0]),
        demand_edges=np.tile([0.0, 100.0, 200.0], (n, 1)),
        exceedance=np.tile([0.9, 0.1], (n, 2, 1)),
        model=("pooled",) * n,
        reason=("",) * n,
    )


def test_shows_the_last_decision_of_each_revision_of_a_service() -> None:
    board, fleet = Board(), a_fleet()
    board.post_decisions(fleet, SERVICES, tick(fleet, 10, [0.0, 70.0, 210.0]))
    one, two = board.decided("shop/cart")
    assert (one.revision, one.want, one.reason) == ("shop/cart-1", 1, Reason.STABLE)
    assert (two.revision, two.want, two.stable) == ("shop/cart-2", 3, 210.0)
    assert two.sentence == "3 pods: panicking, as demand over the panic window averages 210."


def test_keeps_the_other_rows_when_some_are_posted() -> None:
    board, fleet = Board(), a_fleet()
    board.post_decisions(fleet, SERVICES, tick(fleet, 10, [70.0, 70.0, 70.0]))
    board.post_decisions(fleet, SERVICES, tick(fleet, 11, [700.0], np.array([1])))
    assert [d.at_s for d in board.all_decided()] == [10.0, 11.0, 10.0]
    assert [d.want for d in board.decided("shop/cart")] == [6, 1]


def test_does_not_follow_the_fleet_after_the_post() -> None:
    board, fleet = Board(), a_fleet()
    board.post_decisions(fleet, SERVICES, tick(fleet, 10, [70.0, 70.0, 70.0]))
    fleet.seen.ready[:] = 9
    fleet.spec.mode[:] = Mode.OFF
    assert [(d.ready, d.mode) for d in board.all_decided()] == [(0, Mode.OUTWARD)] * 3


def test_forgets_a_revision_that_left_the_fleet() -> None:
    board, fleet = Board(), a_fleet()
    board.post_decisions(fleet, SERVICES, tick(fleet, 10, [70.0, 70.0, 70.0]))
    fleet.remove("shop/browse-1")  # the last row takes its place
    board.post_decisions(fleet, ["shop/cart", "shop/cart"], tick(fleet, 12, [70.0, 70.0]))
    assert board.services == ("shop/cart",)
    assert not board.knows("shop/browse")
    assert board.decided("shop/browse") == ()
    assert board.changes("shop/browse") == ()
    assert {d.revision for d in board.decided("shop/cart")} == {"shop/cart-1", "shop/cart-2"}


def test_logs_only_decisions_that_want_something_new() -> None:
    board, fleet = Board(), a_fleet()
    for second, load in ((10, 70.0), (12, 70.0), (14, 7000.0)):
        board.post_decisions(fleet, SERVICES, tick(fleet, second, [load] * 3))
    newest, first = board.changes("shop/browse")
    assert (first.before, first.want, first.at_s) == (None, 1, 10.0)
    assert (newest.before, newest.at_s, newest.reason) == (1, 14.0, Reason.PANIC)
    assert newest.sentence.startswith(f"{newest.want} pods: ")


def test_the_log_is_bounded() -> None:
    board, fleet = Board(), a_fleet()
    ticks = CHANGES_KEPT + 20
    for i in range(ticks):
        loads = [0.0, 70.0 * (2 + i), 0.0]  # grows: every tick wants more
        board.post_decisions(fleet, SERVICES, tick(fleet, 10 + 60 * i, loads))
    assert len(board.changes("shop/cart")) == CHANGES_KEPT
    assert board.changes("shop/cart")[0].at_s == 10.0 + 60 * (ticks - 1)


def test_a_forecast_is_cut_to_the_service() -> None:
    board = Board()
    board.post_forecasts(a_bundle(("shop/browse", "shop/cart")))
    cut = board.forecast("shop/cart")
    assert cut is not None
    assert cut.services == ("shop/cart",)
    assert cut.exceedance.shape == (1, 2, 2)
    assert board.forecast("shop/purchase") is None
    assert board.forecast_by("shop/cart") == "pooled"
    assert board.forecast_by("shop/purchase") == ""


def test_services_are_those_decided_and_those_forecast() -> None:
    board, fleet = Board(), a_fleet()
    board.post_forecasts(a_bundle(("jobs/nightly", "shop/cart")))
    board.post_decisions(fleet, SERVICES, tick(fleet, 10, [70.0, 70.0, 70.0]))
    assert board.services == ("jobs/nightly", "shop/browse", "shop/cart")


def test_is_ready_once_decisions_were_posted() -> None:
    board, fleet = Board(), a_fleet()
    assert not board.readiness(0.0).ready
    board.post_forecasts(a_bundle(("shop/cart",)))
    assert not board.readiness(0.0).ready
    board.post_decisions(fleet, SERVICES, tick(fleet, 10, [70.0, 70.0, 70.0]))
    assert board.readiness(10.0).ready


@pytest.mark.parametrize(
    ("now", "degraded"),
    [
        (119.9, ()),
        (120.0, ("forecasts ended 0 s ago: deciding as Knative alone would",)),
        (195.0, ("forecasts ended 75 s ago: deciding as Knative alone would",)),
    ],
)
def test_forecasts_past_their_horizon_degrade(now: float, degraded: tuple[str, ...]) -> None:
    board, fleet = Board(), a_fleet()
    board.post_decisions(fleet, SERVICES, tick(fleet, 10, [70.0, 70.0, 70.0]))
    board.post_forecasts(a_bundle(("shop/cart",)))
    assert board.readiness(now).degraded == degraded
    assert board.readiness(now).ready


def test_no_forecasts_at_all_degrade_but_are_ready() -> None:
    board, fleet = Board(), a_fleet()
    board.post_decisions(fleet, SERVICES, tick(fleet, 10, [70.0, 70.0, 70.0]))
    state = board.readiness(10.0)
    assert state.ready
    assert state.degraded == ("no forecasts yet: deciding as Knative alone would",)


def test_forecasts_that_are_withdrawn_are_shown_no_more() -> None:
    board, fleet = Board(), a_fleet()
    board.post_decisions(fleet, SERVICES, tick(fleet, 10, [70.0, 70.0, 70.0]))
    board.post_forecasts(a_bundle(("jobs/nightly", "shop/cart")))
    board.withdraw_forecasts()
    assert board.forecasts is None
    assert board.forecast("shop/cart") is None
    assert board.services == ("shop/browse", "shop/cart")


@pytest.mark.parametrize(("silence_s", "missing"), [(10.0, ""), (10.1, "10 s ago; allowed: 10 s")])
def test_is_not_ready_when_ticks_are_not_heard_any_more(silence_s: float, missing: str) -> None:
    board = Board()
    board.pulse.beat(100.0, 0.01)
    state = board.readiness(100.0 + silence_s)
    assert state.ready == (not missing)
    assert state.missing.endswith(missing)


def test_is_ready_with_ticks_though_there_is_no_revision() -> None:
    board = Board()
    board.pulse.beat(100.0, 0.01)
    assert board.readiness(101.0).ready


def test_a_fault_degrades_and_tells_more_than_the_board_knows_of_forecasts() -> None:
    board = Board()
    board.faults.say("pods", "refused", 1_700_000_000.0)
    board.faults.say("forecasts", "damaged", 1_700_000_000.0)
    board.faults.say("deployments", "", 1_700_000_000.0)
    assert board.readiness(1_700_000_001.0).degraded == (
        "pods since 2023-11-14T22:13:20Z: refused",
        "forecasts since 2023-11-14T22:13:20Z: damaged",
    )


def test_changes_are_told_and_counted_by_service_and_reason_while_the_service_is_there() -> None:
    board, fleet = Board(), a_fleet()
    heard: list[str] = []
    board.on_change = lambda change: heard.append(change.revision)
    for second, load in ((10, 70.0), (12, 70.0), (14, 7000.0)):
        board.post_decisions(fleet, SERVICES, tick(fleet, second, [load] * 3))
    assert heard == REVISIONS * 2
    assert board.changed["shop/cart", Reason.PANIC] == 2
    fleet.remove("shop/browse-1")
    board.post_decisions(fleet, ["shop/cart"] * 2, tick(fleet, 16, [7000.0] * 2))
    assert {service for service, _ in board.changed} == {"shop/cart"}
