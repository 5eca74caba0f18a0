"""What kn-ahead would have changed where it is in shadow."""

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.advisor.read_model import MOST_CHANGES, Change
from autoscaler.core.state.decision import Reason
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from tests.autoscaler.advisor.controller import Controller

SHADOW, OUTWARD = "shop/cart-1", "shop/till-1"


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    controller = Controller(tmp_path)
    for key, mode in ((SHADOW, Mode.SHADOW), (OUTWARD, Mode.OUTWARD)):
        controller.has(key, spec=replace(KNATIVE_DEFAULTS, mode=mode))
    controller.ticks(2, 70.0, 70.0)
    return controller


def would(
    controller: Controller, second: float, pods: int, reason: Reason, *, begun: bool = True
) -> tuple[Change, ...]:
    """All that would have changed, after twins have come to so many pods."""
    twins = controller.fleet.twins.view
    twins.begun[:], twins.replicas[:], twins.reason[:], twins.kpa[:] = begun, pods, reason, 1
    controller.fleet.decision.predicted[:] = 3
    controller.shows(second)
    return controller.model.would_change("shop/cart")


def test_each_change_is_told_with_its_reason_and_knatives_answer(controller: Controller) -> None:
    would(controller, 4, 1, Reason.STABLE)
    (change,) = would(controller, 6, 3, Reason.FORECAST)
    assert (change.before, change.want, change.revision.revision) == (1, 3, SHADOW)
    assert change.sentence == (
        "3 pods: the forecast finds 3 pods worth having (Knative alone: 1 pod)."
    )
    newest, _ = would(controller, 8, 0, Reason.ZERO)
    assert newest.sentence == "0 pods: no demand is seen and none forecast."
    assert controller.model.would_change("shop/till") == ()


def test_where_a_twin_begins_nothing_has_changed(controller: Controller) -> None:
    assert would(controller, 4, 0, Reason.NO_DATA, begun=False) == ()
    assert would(controller, 6, 2, Reason.NO_DATA) == ()


def test_rows_that_move_are_no_changes(controller: Controller) -> None:
    would(controller, 4, 1, Reason.STABLE)
    controller.has("shop/new-1", spec=replace(KNATIVE_DEFAULTS, mode=Mode.SHADOW))
    controller.loses(OUTWARD)
    controller.shows(6)
    assert controller.model.would_change("shop/cart") == ()
    (change,) = would(controller, 8, 2, Reason.FORECAST)
    assert change.before == 1


def test_the_log_is_bounded_and_ends_with_its_service(controller: Controller) -> None:
    would(controller, 4, 1, Reason.STABLE)
    for i in range(MOST_CHANGES + 10):
        changes = would(controller, 6 + 2 * i, i % 2 + 2, Reason.FORECAST)
    assert len(changes) == MOST_CHANGES
    controller.loses(SHADOW)
    controller.shows(1000)
    assert controller.model.would_change("shop/cart") == ()
