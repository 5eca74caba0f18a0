"""From calls to edges that are withdrawn: what counts as a warning, and as its coming true."""

import numpy as np
import pytest

from autoscaler.advisor.withdrawal.edge_warnings import FOLLOWS_S, GAP_S, CallTimes, Warnings
from autoscaler.advisor.withdrawal.edges import EdgeWithdrawals
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.state.services import Services
from tests.autoscaler.advisor.graphs import edges_of

UP, DOWN, OTHER = "shop/browse", "shop/cart", "shop/till"
EDGE = edges_of((UP, DOWN), [(0, 1)], probability=0.9, lag_s=2.0)
LOOK_S = 10.0


class Shop:
    """Calls of services, and what is seen of them every ten seconds."""

    def __init__(self, *services: str) -> None:
        self.services, self.now = Services(), 1e6
        for service in services or (UP, DOWN):
            self.services.join(service)

    def calls(self, service: str) -> None:
        row = np.array([self.services.row(service)])
        self.services.note_calls(row, np.array([self.now]), np.zeros(1, dtype=np.bool_))

    def times(self) -> CallTimes:
        calls = self.services.calls
        return CallTimes(
            at_s=self.now,
            service=calls.id.copy(),
            last_call_s=calls.last_call_s.copy(),
            last_start_s=calls.last_start_s.copy(),
        )


class Followed(Shop):
    """With what became of the warnings of an edge."""

    def __init__(self, edges: Edges = EDGE, *services: str) -> None:
        super().__init__(*services)
        self.warnings, self.came = Warnings(), list[bool]()
        self.warnings.of(edges)
        self.looks()

    def looks(self, seconds: float = LOOK_S) -> None:
        for _ in range(max(int(seconds / LOOK_S), 1)):
            self.now += min(seconds, LOOK_S)
            self.came += self.warnings.ended(self.times())[1].tolist()


def test_a_start_upstream_that_is_followed_comes_true_at_once() -> None:
    shop = Followed()
    shop.calls(UP)
    shop.now += 2
    shop.calls(DOWN)
    shop.looks()
    assert shop.came == [True]


def test_one_that_is_not_followed_within_its_lag_and_a_window_does_not() -> None:
    shop = Followed()
    shop.calls(UP)
    shop.looks(FOLLOWS_S)
    assert shop.came == []
    shop.looks()
    assert shop.came == [False]
    shop.calls(DOWN)
    shop.looks(200)
    assert shop.came == [False]


def test_reports_that_come_in_the_other_order_are_followed() -> None:
    shop = Followed()
    shop.calls(DOWN)
    shop.now += 1
    shop.calls(UP)
    shop.looks()
    assert shop.came == [True]


def test_calls_upstream_without_a_start_and_of_a_busy_downstream_are_no_warning() -> None:
    shop = Followed()
    shop.calls(DOWN)
    shop.looks(30)
    shop.calls(UP)  # a start, while the downstream was called half a minute ago
    for _ in range(20):
        shop.looks(50)
        shop.calls(UP)
    assert shop.came == []


def test_what_happened_in_a_gap_is_no_evidence() -> None:
    shop = Followed()
    shop.calls(UP)
    shop.looks()
    shop.now += GAP_S + 1
    shop.looks(200)
    assert shop.came == []


def test_services_that_come_and_go_and_other_edges_change_nothing() -> None:
    shop = Followed()
    shop.calls(UP)
    shop.looks()
    shop.services.join(OTHER)
    shop.looks()
    shop.warnings.of(edges_of((DOWN, OTHER, UP), [(2, 0), (1, 2)], lag_s=2.0))
    shop.looks(200)
    assert shop.came == [False]


@pytest.mark.parametrize("edges", [edges_of((UP, "prometheus/lag"), [(1, 0)]), edges_of((), [])])
def test_an_end_that_is_no_service_gives_no_evidence(edges: Edges) -> None:
    shop = Followed(edges)
    shop.calls(UP)
    shop.looks(200)
    assert shop.came == []


def lives(shop: Shop, withdrawals: EdgeWithdrawals, starts: int, *, true: bool) -> int:
    """So many starts upstream, 200 s apart; returns after how many something changed, or 0."""
    for start in range(1, starts + 1):
        shop.calls(UP)
        shop.now += 2
        if true:
            shop.calls(DOWN)
        for _ in range(10):
            shop.now += 20
            if withdrawals.follow(shop.times(), EDGE):
                return start
    return 0


def test_an_edge_that_was_true_until_a_release_is_withdrawn_and_comes_back() -> None:
    shop, withdrawals = Shop(), EdgeWithdrawals()
    assert not lives(shop, withdrawals, 300, true=True)
    assert 0 < lives(shop, withdrawals, 200, true=False) <= 75
    assert withdrawals.by_pair == {
        (UP, DOWN): "withdrawn since 1970-01-13 10:26 UTC: of 69 starts upstream that found it "
        "idle, none were followed by a call; it comes back once they are"
    }
    assert not lives(shop, withdrawals, 200, true=False)
    assert 0 < lives(shop, withdrawals, 20, true=True) <= 10
    assert withdrawals.by_pair == {}


def test_an_edge_that_is_known_no_more_is_forgotten() -> None:
    shop, withdrawals = Shop(), EdgeWithdrawals()
    lives(shop, withdrawals, 200, true=False)
    assert withdrawals.follow(shop.times(), edges_of((UP, OTHER), [(0, 1)]))
    assert withdrawals.by_pair == {}
