"""What the API says of the autoscaler's own health."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.app import create_app
from autoscaler.board import Board
from autoscaler.clock import SimulatedClock
from tests.autoscaler.api.conftest import ask
from tests.autoscaler.test_board import a_bundle

NOW_S = 1_700_000_000.0


def a_board() -> tuple[Board, SimulatedClock]:
    board = Board()
    board.pulse.beat(NOW_S, 0.03)
    board.pulse.beat(NOW_S + 2.0, 99.0)
    return board, SimulatedClock(NOW_S + 3.0)


def samples(client: httpx.Client) -> dict[str, float]:
    text = client.get("/metrics").text
    return {
        f"{s.name}{''.join(sorted(s.labels.values()))}": s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_a_loop_that_ticks_is_ready_and_one_that_is_stuck_is_not() -> None:
    board, clock = a_board()
    with ask(create_app(board, clock)) as client:
        assert client.get("/readyz").status_code == 200
        clock.advance(20.0)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["ready"] is False
        assert answer.json()["detail"][0] == "the last tick ended 21 s ago; allowed: 10 s"
        assert "The last tick ended 21 s ago" in client.get("/").text
        board.pulse.beat(clock.now(), 0.01)
        assert client.get("/readyz").status_code == 200


def test_a_part_that_ails_is_told_in_readyz_and_in_a_metric_until_it_is_well() -> None:
    board, clock = a_board()
    board.faults.say("pods", "connection refused", NOW_S)
    board.faults.say("deployments", "", NOW_S)
    with ask(create_app(board, clock)) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 200  # Knative's rule holds on with what it knows
        assert "pods since 2023-11-14T22:13:20Z: connection refused" in answer.json()["detail"]
        seen = samples(client)
        assert (seen["kn_ahead_degradedpods"], seen["kn_ahead_degradeddeployments"]) == (1, 0)
        board.faults.say("pods", "", NOW_S + 9.0)
        assert samples(client)["kn_ahead_degradedpods"] == 0


def test_a_forecast_from_the_future_is_not_in_force_and_says_why() -> None:
    board, clock = a_board()
    board.post_forecasts(a_bundle(("shop/cart",), made_at_s=NOW_S + 3600.0))
    with ask(create_app(board, clock)) as client:
        answer = client.get("/v1/forecasts/shop/cart").json()
    assert answer["reason"] == "from the future: it begins at 2023-11-14T23:13:20Z"


def test_ticks_are_measured() -> None:
    board, clock = a_board()
    with ask(create_app(board, clock)) as client:
        seen = samples(client)
    assert seen["kn_ahead_last_tick_timestamp_seconds"] == NOW_S + 2.0
    assert seen["kn_ahead_tick_seconds_bucket0.02"] == 0
    assert seen["kn_ahead_tick_seconds_bucket0.05"] == 1
    assert seen["kn_ahead_tick_seconds_bucket+Inf"] == 2
    assert seen["kn_ahead_tick_seconds_count"] == 2
    assert seen["kn_ahead_tick_seconds_sum"] == 99.03
