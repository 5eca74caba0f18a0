"""What the API says of the autoscaler's own health."""

from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.app import create_app
from autoscaler.clock import SimulatedClock
from autoscaler.refusals import Refusals
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.advisor.test_read_model import a_bundle
from tests.autoscaler.api.conftest import ask

NOW_S = 1_700_000_000.0


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    controller = Controller(tmp_path, begin_s=NOW_S)
    controller.shows(2)
    return controller


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW_S + 3.0)


def samples(client: httpx.Client) -> dict[str, float]:
    text = client.get("/metrics").text
    return {
        f"{s.name}{''.join(sorted(s.labels.values()))}": s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_a_loop_that_ticks_is_ready_and_one_that_is_stuck_is_not(
    controller: Controller, clock: SimulatedClock
) -> None:
    with ask(create_app(controller.model, clock, Refusals())) as client:
        assert client.get("/readyz").status_code == 200
        clock.advance(20.0)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["ready"] is False
        assert answer.json()["detail"][0] == "the last tick ended 21 s ago; allowed: 10 s"
        assert "The last tick ended 21 s ago" in client.get("/").text
        clock.advance(1.0)
        assert "The last tick ended 22 s ago" in client.get("/").text
        controller.shows(24)
        assert client.get("/readyz").status_code == 200


def test_a_part_that_ails_is_told_in_readyz_and_in_a_metric_until_it_is_well(
    controller: Controller, clock: SimulatedClock
) -> None:
    health = controller.model.health
    health.report("learner", "connection refused", NOW_S)
    health.report("graph", "", NOW_S)
    with ask(create_app(controller.model, clock, Refusals())) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 200  # Knative's rule holds on with what it knows
        assert "learner since 2023-11-14T22:13:20Z: connection refused" in answer.json()["detail"]
        seen = samples(client)
        assert (seen["kn_ahead_degradedlearner"], seen["kn_ahead_degradedgraph"]) == (1, 0)
        health.report("learner", "", NOW_S + 9.0)
        assert samples(client)["kn_ahead_degradedlearner"] == 0


def test_a_forecast_from_the_future_is_not_in_force_and_says_why(
    controller: Controller, clock: SimulatedClock
) -> None:
    controller.model.put_forecasts(a_bundle(("shop/cart",), made_at_s=NOW_S + 3600.0))
    with ask(create_app(controller.model, clock, Refusals())) as client:
        answer = client.get("/v1/forecasts/shop/cart").json()
    assert answer["reason"] == "from the future: it begins at 2023-11-14T23:13:20Z"
