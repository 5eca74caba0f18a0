"""A forecast that is withdrawn is seen: in the decision, the API, the metrics and on the pages."""

from dataclasses import replace

import numpy as np
import pytest
from httpx import Client

from autoscaler.advisor.withdrawal.withdrawals import Withdrawal
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.api.conftest import START_S

HOUR_S = 3600.0
PHRASE = "; the forecast would have 4 pods, but is withdrawn."


@pytest.fixture
def cart_withdrawn(controller: Controller) -> None:
    """From the tick at second 6 on; the shadow of browse is none that is applied."""
    advice = controller.state.advice
    assert advice is not None
    controller.advised(replace(advice, withdrawn=np.array([True, True, False])))
    found = Withdrawal(
        since_s=START_S, shown_s=9 * 24 * HOUR_S, saved=-0.2, more_pod_s=4.1 * HOUR_S
    )
    controller.model.withdrawals.by_service = {"shop/browse": found, "shop/cart": found}
    controller.ticks(6, 70.0, 140.0, 0.0)


@pytest.mark.usefixtures("cart_withdrawn")
def test_the_api_says_since_when_and_why(client: Client) -> None:
    answer = client.get("/v1/decisions/shop/cart").json()
    assert answer["withdrawn"] == {
        "since": "2026-03-02T09:00:00Z",
        "sentence": "Its forecast is withdrawn since 2026-03-02 09:00 UTC: in the 9 days before, "
        "it took 4.1 pod-hours more than Knative alone and spared no requests a wait. It is still "
        "compared, and comes back once it would pay.",
    }
    (decision,) = answer["revisions"]
    assert decision["sentence"].endswith(PHRASE)
    assert decision["desired_scale"] == decision["candidates"]["kpa"]
    assert client.get("/v1/decisions/shop/browse").json()["withdrawn"] is None


@pytest.mark.usefixtures("cart_withdrawn")
def test_pages_say_it(client: Client) -> None:
    overview = client.get("/").text
    assert "1 forecast is withdrawn, as it lost more than it saved: shop/cart." in overview
    assert "Its forecast is withdrawn since" in client.get("/services/shop/cart").text
    assert "withdrawn since" not in client.get("/services/shop/browse").text


@pytest.mark.usefixtures("cart_withdrawn")
def test_metrics_count_it_by_revision(client: Client) -> None:
    lines = client.get("/metrics").text.splitlines()
    found = [line for line in lines if line.startswith("kn_ahead_forecast_withdrawn{")]
    assert sum(line.endswith(" 1") or line.endswith(" 1.0") for line in found) == 1
    assert next(line for line in found if 'service="cart"' in line).split()[-1] in {"1", "1.0"}


def test_nobody_is_withdrawn_without_evidence(client: Client) -> None:
    assert client.get("/v1/decisions/shop/cart").json()["withdrawn"] is None
    assert "withdrawn" not in client.get("/").text
