"""What a bill says of real pods: an estimate, of the time in which a forecast was applied."""

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.advisor.bills import Bill, ClusterBill
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from tests.autoscaler.advisor.controller import Controller

CART, KEY = "shop/cart", "shop/cart-00001"
SPEC = replace(KNATIVE_DEFAULTS, mode=Mode.OUTWARD, max_extra=0.2)


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    controller = Controller(tmp_path)
    controller.has(KEY, spec=SPEC)
    controller.ticks(0.0, 0.0)
    return controller


def bill(controller: Controller) -> Bill | None:
    return Bill.of(controller.model.revisions(CART), controller.model.ledger)


def hours(controller: Controller, *ahead_pod_s: float, first: int = 0) -> None:
    """Hours in which Knative's rule costs 1000 s of pod, and we as many as are given."""
    for hour, pod_s in enumerate(ahead_pod_s, start=first):
        for minute in range(0, 60, 2):
            counts = {"knative_pod_s": 1000.0 / 30, "ahead_pod_s": pod_s / 30}
            controller.counts(CART, **counts)
            controller.shows(hour * 3600.0 + minute * 60.0 + 60.0)


def test_without_a_bill_there_is_nothing_to_say(controller: Controller) -> None:
    controller.fleet.configure(KEY, replace(SPEC, max_extra=float("inf")))
    controller.shows()
    assert bill(controller) is None


def test_before_anything_is_counted_it_says_what_it_allows(controller: Controller) -> None:
    assert str(bill(controller)) == (
        "Bill: at most 1.2 times what Knative wants, and an allowance; in real pods nothing was "
        "counted yet."
    )


def test_it_says_what_real_pods_came_to_with_an_interval(controller: Controller) -> None:
    hours(controller, 1030.0, 1100.0, 1080.0)
    made = bill(controller)
    assert made is not None
    assert made.pod_ratio is not None
    assert made.pod_ratio.value == pytest.approx(1.07, abs=0.002)
    half = 1.96 * (30.0**2 + 100.0**2 + 80.0**2) ** 0.5 / 3000.0
    assert made.pod_ratio.high - made.pod_ratio.value == pytest.approx(half, rel=0.05)
    assert (
        "in the last 7 days 1.07 times in real pods, with start-up and drain (estimate, 95 %: "
        in (str(made))
    )


def test_hours_in_shadow_are_not_on_the_bill(controller: Controller) -> None:
    hours(controller, 1100.0)
    controller.fleet.configure(KEY, replace(SPEC, mode=Mode.SHADOW))
    hours(controller, 5000.0, first=1)
    assert "no forecast is applied, so nothing is paid" in str(bill(controller))
    controller.fleet.configure(KEY, SPEC)
    controller.shows(7200.0)
    made = bill(controller)
    assert made is not None
    assert made.pod_ratio is not None
    assert made.pod_ratio.value == pytest.approx(1.1, abs=0.02)


def test_the_widest_of_several_revisions_counts(controller: Controller) -> None:
    controller.has("shop/cart-00002", CART, replace(SPEC, max_extra=0.5))
    controller.ticks(2.0, 0.0, 0.0)
    made = bill(controller)
    assert made is not None
    assert made.max_extra == 0.5


@pytest.mark.parametrize(
    ("left_s", "said"), [(3120.4, "3,120 s of pod are left."), (-30.0, "overdrawn by 30 s of pod.")]
)
def test_the_clusters_bill_says_what_is_left(
    controller: Controller, left_s: float, said: str
) -> None:
    controller.notes = {"cluster_bill": {"max_extra": 0.1, "left_s": left_s}}
    controller.shows()
    assert str(ClusterBill.of(controller.model.frame)) == (
        f"The cluster's bill: at most 1.1 times what Knative wants, for all together; {said}"
    )


@pytest.mark.parametrize("noted", [{}, {"max_extra": 0.1}, {"max_extra": "a", "left_s": 1.0}, 7])
def test_a_cluster_without_a_bill_says_nothing(controller: Controller, noted: object) -> None:
    controller.notes = {"cluster_bill": noted}
    controller.shows()
    assert ClusterBill.of(controller.model.frame) is None
