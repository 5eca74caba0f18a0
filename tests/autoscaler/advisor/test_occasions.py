"""What begins is told once, until it is over."""

from pathlib import Path

import pytest

from autoscaler.advisor.occasions import OVER_S, Begun, Occasion, Occasions
from autoscaler.advisor.promises import Achieved, Promise
from autoscaler.core.state.revision import Mode
from tests.autoscaler.advisor.controller import Controller

CART = "shop/cart-1"


class Billed(Controller):
    """Two revisions, of which one's bill cuts or does not."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for key in ("shop/browse-1", CART):
            self.has(key)
        self.occasions = Occasions()
        self.missed: dict[str, Promise] = {}

    def at(self, second: float, *, cut: bool) -> list[Begun]:
        """What begins with the snapshot of this second."""
        made = self.fleet.decision
        made.desired[:] = made.bounded[:] = made.want[:] = 1
        made.kpa[:] = made.undelayed[:] = 1
        made.desired[1], made.bounded[1], made.want[1] = 5, 2, 2
        made.ahead[1], made.extra[1], made.max_extra[1] = 4, (1 if cut else 4), 0.2
        self.shows(second)
        return self.occasions.begun(self.model.frame, self.missed)


@pytest.fixture
def billed(tmp_path: Path) -> Billed:
    return Billed(tmp_path)


def test_a_bill_that_gets_the_last_word_is_told_once(billed: Billed) -> None:
    assert billed.at(0, cut=False) == []
    (begun,) = billed.at(2, cut=True)
    assert (begun.occasion, begun.revision.revision) == (Occasion.BILL_REACHED, CART)
    assert "the bill allows 1 of 4 pods ahead: 20 % of pods that Knative wants" in begun.sentence
    assert [billed.at(2 + second, cut=True) for second in range(2, 60, 2)] == [[]] * 29


def test_one_that_cuts_now_and_then_is_told_once_and_again_when_it_was_over(
    billed: Billed,
) -> None:
    told = [
        second
        for second in range(0, 2 * int(OVER_S), 2)
        if billed.at(second, cut=second % 8 == 0 and second <= OVER_S)
    ]
    assert told == [0]
    assert billed.at(2 * OVER_S + 8, cut=True)


def test_a_revision_without_a_name_is_told_of_when_it_has_one(billed: Billed) -> None:
    names, billed.names = billed.names, {}
    assert billed.at(0, cut=True) == []
    billed.names = names
    assert len(billed.at(2, cut=True)) == 1


def test_a_missed_promise_is_told_once_of_the_revision_that_made_it(billed: Billed) -> None:
    billed.has("shop/cart-2")
    billed.fleet.spec.max_cold_rate[2], billed.fleet.spec.mode[2] = 0.01, Mode.OUTWARD
    many = Achieved(hours=5, requests=1e4, rate=0.05, low=0.04, high=0.06, more_pod_s=0.0)
    billed.missed["shop/cart"] = Promise(rate=0.01, price_s=5000.0, achieved=many)
    (begun,) = billed.at(0, cut=False)
    assert (begun.occasion, begun.revision.revision) == (Occasion.PROMISE_MISSED, "shop/cart-2")
    assert "in 5 hours 5 were (95 %: 4 to 6)" in begun.sentence
    assert "It is missed so far, and the price rises." in begun.sentence
    assert billed.at(2, cut=False) == []


def test_a_promise_that_is_missed_as_a_bill_cuts_names_the_bill(billed: Billed) -> None:
    billed.fleet.spec.max_cold_rate[1] = 0.01
    billed.fleet.spec.mode[1] = Mode.OUTWARD
    many = Achieved(hours=5, requests=1e4, rate=0.05, low=0.04, high=0.06, more_pod_s=0.0)
    billed.missed["shop/cart"] = Promise(rate=0.01, price_s=5000.0, achieved=many)
    told = {one.occasion: one.sentence for one in billed.at(0, cut=True)}
    assert told[Occasion.PROMISE_MISSED].endswith("not attainable under the bill of 1.2.")
