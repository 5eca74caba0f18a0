"""The controller asks pods: whom, when, and what comes of it; a real process over real sockets."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.exchange.snapshot import TICK, Snapshot, read_tick
from knative.client.api import Object
from knative.controller.runtime.process import CLEAN, Process
from knative.controller.runtime.settings import ControllerSettings
from knative.controller.state.controller import Controller
from knative.controller.state.events import PodAutoscalerSeen, ServerlessServiceSeen
from knative.mirror.objects import podautoscaler, serverlessservice
from knative.statistics.scraping import outage
from tests.knative.leadership.leases import LeaseApi, LeaseStore
from tests.knative.objects import (
    NOW_S,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
    an_old_status,
)
from tests.knative.statistics.queue_proxies import (
    PATIENCE_S,
    Page,
    Pods,
    address_of,
    in_flight,
    run,
    says,
)

AWAY = says(b"", status=500)


class Running:
    """A process that is under way, and what it shows."""

    def __init__(self, api: LeaseApi, folder: Path) -> None:
        self.api, self._tick = api, folder / TICK
        settings = ControllerSettings(host="127.0.0.1", port=0, snapshots=folder)
        self.process = Process(api, settings, SystemClock(), plain=False, scrapes=4)

    async def until(self, holds: Callable[[Snapshot], object]) -> Snapshot:
        """Wait until something is shown."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if self._tick.exists() and holds(snapshot := read_tick(self._tick)):
                    return snapshot
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(
    folder: Path, *objects: Object, leader: str = "", mesh: str = "auto"
) -> AsyncIterator[Running]:
    """A process over a cluster of these objects.

    leader: who leads already; "" = nobody. mesh: as config-network has it.
    """
    store = LeaseStore()
    if leader:
        store.put(holderIdentity=leader, leaseDurationSeconds=3600)
    api = LeaseApi(store)
    api.put(*objects)
    place = {"namespace": "knative-serving", "name": "config-network"}
    config = {"metadata": place, "data": {"mesh-compatibility-mode": mesh}}
    api.objects[f"/api/v1/namespaces/{place['namespace']}/configmaps/{place['name']}"] = config
    it = Running(api, folder)
    task = asyncio.create_task(it.process.run())
    try:
        yield it
        os.kill(os.getpid(), signal.SIGTERM)
        assert await task == CLEAN
    finally:
        task.cancel()
        gc.unfreeze()  # what the process took out of collection is the test's


async def pods(stack: AsyncExitStack, *pages: Page) -> tuple[Pods, list[Object]]:
    """A revision with a pod for each page."""
    there = Pods()
    for i, page in enumerate(pages):
        await there.start(stack, i, page)
    return there, [
        a_podautoscaler(status=an_old_status()),
        a_serverlessservice(),
        a_deployment(pods=len(pages)),
        *(a_pod(f"cart-{i}", address=address_of(i)) for i in range(len(pages))),
    ]


def shown(name: str) -> Callable[[Snapshot], object]:
    return lambda snapshot: snapshot.notes["faults"].get(name)


def test_pods_are_asked_and_what_they_say_is_averaged(tmp_path: Path) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            there, objects = await pods(stack, in_flight(2.0), in_flight(5.0))
            it = await stack.enter_async_context(running(tmp_path, *objects))
            snapshot = await it.until(lambda s: len(s.revision) and s.decision.stable[0] > 0)
            assert snapshot.decision.stable[0] == 7.0
            assert set(there.asked) == {address_of(0), address_of(1)}
            # Each is timed, and shown as such.
            snapshot = await it.until(lambda s: s.columns["scrapes"].sum() >= 2)
            assert snapshot.columns["scrapes_s"][0] > 0

    run(story())


def test_who_follows_asks_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            there, objects = await pods(stack, in_flight(2.0))
            it = await stack.enter_async_context(running(tmp_path, *objects, leader="another"))
            first = await it.until(lambda s: "following another" in s.notes["leadership"])
            await it.until(lambda s: s.at_s > first.at_s + 3.0)
            assert there.asked == []

    run(story())


def test_pods_that_nobody_can_reach_are_shown_as_a_fault_until_one_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "OUTAGE_S", 1.0)

    async def story() -> None:
        answers = [False]

        async def now_and_then(request: web.Request) -> web.StreamResponse:
            return await (in_flight(2.0) if answers[0] else AWAY)(request)

        async with AsyncExitStack() as stack:
            _, objects = await pods(stack, now_and_then)
            it = await stack.enter_async_context(running(tmp_path, *objects))
            snapshot = await it.until(shown("scrape"))
            assert "no pod of any revision answers" in snapshot.notes["faults"]["scrape"]
            answers[0] = True
            await it.until(lambda s: not shown("scrape")(s))

    run(story())


def test_behind_a_mesh_as_config_network_has_it_no_pod_is_asked_at_its_address(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            there, objects = await pods(stack, in_flight(2.0))
            it = await stack.enter_async_context(running(tmp_path, *objects, mesh="enabled"))
            await it.until(lambda s: s.columns["scrapes"].sum() >= 1)
            assert there.asked == []

    run(story())


def test_a_wrong_value_in_config_network_is_shown_and_the_former_ones_stay(tmp_path: Path) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            _, objects = await pods(stack, in_flight(2.0))
            it = await stack.enter_async_context(running(tmp_path, *objects, mesh="sometimes"))
            snapshot = await it.until(lambda s: len(s.revision) and s.decision.stable[0] > 0)
            assert "'sometimes'; allowed: auto" in snapshot.notes["faults"]["config-network"]

    run(story())


def test_a_private_service_is_called_what_its_controller_calls_it() -> None:
    """Knative shortens long names in a way of its own."""
    controller, o = Controller(), a_serverlessservice()
    o["status"]["privateServiceName"] = "cart-of-a-name-too-long-for-what-is-to-follow"
    controller.handle(
        PodAutoscalerSeen(key="shop/cart", object=podautoscaler(a_podautoscaler())), NOW_S
    )
    assert controller.private_service_of("shop/cart") == ""
    controller.handle(ServerlessServiceSeen(key="shop/cart", object=serverlessservice(o)), NOW_S)
    assert controller.private_service_of("shop/cart") == o["status"]["privateServiceName"]
    assert controller.private_service_of("shop/nobody") == ""
