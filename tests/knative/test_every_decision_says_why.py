"""The third promise: every decision says why, in the same sentence wherever one looks."""

import asyncio

import httpx
import pytest

from autoscaler.api.app import create_app
from knative.events import Regarding
from knative.reports import Reports
from tests.knative.conftest import NAMESPACE, Cluster, FakeApi, a_bundle, path_of, run_fast

OWN = Regarding(
    api_version="v1", kind="Pod", namespace="knative-serving", name="autoscaler-0", uid="u-1"
)
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
OUTWARD = {"kn-ahead.dev/mode": "outward"}


def tell(cluster: Cluster, api: FakeApi, concurrency: float, demand: float) -> None:
    """A revision at work is decided upon, and decided anew; Events go to an API of their own."""
    reports = Reports(api, cluster.seat, cluster.clock, OWN)

    async def story() -> None:
        task = asyncio.create_task(reports.events.run())
        key = cluster.has_revision("cart", annotations=OUTWARD)
        cluster.hears(key, concurrency=1.0, seconds=60)
        await cluster.tick()
        cluster.clock.advance(2.0)
        cluster.hears(key, concurrency=concurrency, seconds=2)
        if demand:
            cluster.seat.forecast(a_bundle(demand))
        await cluster.tick()
        await asyncio.sleep(5.0)
        task.cancel()
        await asyncio.wait([task])

    run_fast(story())


def asked(cluster: Cluster, path: str) -> httpx.Response:
    """What the REST API answers."""
    transport = httpx.ASGITransport(create_app(cluster.seat.board, cluster.clock))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.get(path)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("concurrency", "demand", "event", "reason"),
    [(1.0, 900.0, "ScaledAhead", "FORECAST"), (9000.0, 0.0, "Scaled", "PANIC")],
)
def test_every_decision_says_why_in_the_api_a_metric_and_an_event(
    concurrency: float, demand: float, event: str, reason: str
) -> None:
    cluster, api = Cluster(), FakeApi()
    tell(cluster, api, concurrency, demand)
    (written,) = api.bodies(EVENTS)
    answer = asked(cluster, f"/v1/decisions/{NAMESPACE}/cart-service").json()
    metrics = asked(cluster, "/metrics").text
    (decision,) = answer["revisions"]
    newest = answer["changes"][0]
    assert (decision["reason"], newest["reason"]) == (reason, reason)
    assert written["reason"] == event
    assert written["message"] == decision["sentence"] == newest["sentence"]
    labels = f'{{namespace="{NAMESPACE}",reason="{reason}",service="cart-service"}}'
    assert f"kn_ahead_changes_total{labels} 1.0" in metrics
    assert 'kn_ahead_events_total{outcome="written"} 1.0' in metrics
    shown = f'namespace="{NAMESPACE}",reason="{reason}",revision="cart",service="cart-service"'
    assert f"kn_ahead_decision_reason{{{shown}}} 1.0" in metrics


def test_an_event_that_is_refused_leaves_the_decision_as_it_was() -> None:
    cluster, api = Cluster(), FakeApi()
    api.refusals[EVENTS] = [403]
    tell(cluster, api, 1.0, 900.0)
    assert cluster.api.objects[path_of("deployment")]["spec"] == {"replicas": 9}
    assert str(cluster.seat.board.faults.by_part["events"]).endswith("403")
