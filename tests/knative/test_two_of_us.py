"""Two autoscalers by mistake, or for safety: one writes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from websockets.asyncio.client import connect

from autoscaler.clock import SystemClock
from autoscaler.core.forecasts import ForecastBundle
from knative.leader import Standing
from knative.service import Service, ServiceSettings
from knative.wire import Stat, WireStatMessage, WireStatMessages
from tests.knative.conftest import (
    a_bundle,
    a_deployment,
    a_podautoscaler,
    a_serverlessservice,
    an_old_status,
    path_of,
    run_fast,
)
from tests.knative.leases import FIRST, LeaseApi, LeaseStore

SCALE = path_of("deployment") + "/scale"
RETRY_S = 10.0
PATIENCE_S = 15.0  # until a test of real sockets gives up


def no_bundle(path: Path) -> ForecastBundle:
    return a_bundle(1.0)


class Replica:
    """A whole service without its sockets, over its own view of one cluster's leases."""

    def __init__(self, store: LeaseStore, number: int, port: int = 8080) -> None:
        self.api = LeaseApi(store)
        for what, o in (
            ("podautoscaler", a_podautoscaler(status=an_old_status("False"))),
            ("serverlessservice", a_serverlessservice()),
            ("deployment", a_deployment(pods=0)),
        ):
            self.api.objects[path_of(what)] = o
        self.name = f"autoscaler-{number}"
        settings = ServiceSettings(pod_name=self.name, pod_ip=f"127.0.0.{number}", stats_port=port)
        self.service = Service(self.api, settings, SystemClock(), no_bundle)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def standing(self) -> Standing:
        return self.service._leadership.attend()

    def start(self) -> None:
        s = self.service
        self._tasks = [asyncio.create_task(p) for p in (s._follow(), s._tick(), s._campaign())]

    async def stop(self) -> None:
        await self.crash()
        await self.service._leadership.resign()

    async def crash(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.service._actor.rest()

    @property
    def scaled(self) -> list[int]:
        return [body[0]["value"] for body in self.api.bodies(SCALE)]


def a_frame(concurrency: float = 1.0) -> bytes:
    stat = Stat(average_concurrent_requests=concurrency, request_count=concurrency)
    message = WireStatMessage(namespace="shop", name="cart", stat=stat)
    return bytes(WireStatMessages(messages=[message]).SerializeToString())


async def two_of_us() -> tuple[LeaseStore, Replica, Replica]:
    """A leader and who follows it."""
    store = LeaseStore()
    one, two = Replica(store, 1), Replica(store, 2)
    one.start()
    await asyncio.sleep(5.0)
    two.start()
    await asyncio.sleep(5.0)
    return store, one, two


def test_of_two_exactly_one_writes() -> None:
    async def story() -> None:
        store, one, two = await two_of_us()
        assert [one.standing, two.standing] == [Standing.LEADING, Standing.FOLLOWING]
        await asyncio.sleep(300.0)
        assert one.api.calls != []
        assert two.api.calls == []
        assert store.spec(FIRST)["holderIdentity"] == "autoscaler-1_127.0.0.1"
        assert store.spec(FIRST)["leaseTransitions"] == 0
        await one.crash()
        await two.crash()

    run_fast(story())


def test_who_follows_does_not_decide_and_is_ready() -> None:
    async def story() -> None:
        _, one, two = await two_of_us()
        now = SystemClock().now()
        assert list(one.service.seat.board.all_decided()) != []
        assert list(two.service.seat.board.all_decided()) == []
        readiness = two.service.seat.board.readiness(now)
        assert readiness.ready
        assert any("following autoscaler-1_127.0.0.1" in line for line in readiness.degraded)
        await one.crash()
        await two.crash()

    run_fast(story())


def test_when_the_first_stops_cleanly_the_second_leads_within_one_period() -> None:
    async def story() -> None:
        _, one, two = await two_of_us()
        await one.stop()
        written = len(one.api.calls)
        await asyncio.sleep(RETRY_S)
        assert two.standing is Standing.LEADING
        await asyncio.sleep(3.0)
        assert two.api.calls != []
        assert len(one.api.calls) == written
        await two.crash()

    run_fast(story())


def test_when_the_first_is_killed_the_second_leads_once_the_lease_has_run_out() -> None:
    async def story() -> None:
        _, one, two = await two_of_us()
        await one.crash()
        await asyncio.sleep(40.0)
        assert two.standing is Standing.FOLLOWING
        await asyncio.sleep(40.0)
        assert two.service._leadership.attend() is Standing.LEADING
        await two.crash()

    run_fast(story())


def test_when_the_first_is_killed_and_its_pod_restarts_it_leads_at_once() -> None:
    async def story() -> None:
        store, one, two = await two_of_us()
        await one.crash()
        again = Replica(store, 1)
        again.start()
        await asyncio.sleep(1.0)
        assert (again.standing, two.standing) == (Standing.LEADING, Standing.FOLLOWING)
        await again.crash()
        await two.crash()

    run_fast(story())


def test_a_config_of_the_election_is_followed_live() -> None:
    async def story() -> None:
        store, one, two = await two_of_us()
        key = "knative-serving/config-leader-election"
        for replica in (one, two):
            replica.service._saw_config(key, {"buckets": "2", "lease-duration": "90s"})
        await asyncio.sleep(1.0)
        assert one.standing is Standing.LEADING
        names = [path.rpartition("/")[2] for path in store.leases]
        assert names == [FIRST, "autoscaler-bucket-00-of-02", "autoscaler-bucket-01-of-02"]
        assert store.spec(names[1])["leaseDurationSeconds"] == 90
        one.service._saw_config(key, {"buckets": "11"})
        await asyncio.sleep(20.0)
        assert [one.standing, two.standing] == [Standing.LEADING, Standing.FOLLOWING]
        await one.crash()
        await two.crash()

    run_fast(story())


# --- with real sockets ----------------------------------------------------------------------------


@asynccontextmanager
async def listening(replica: Replica) -> AsyncIterator[None]:
    """Give a replica its sockets: one port, an address of its own."""
    service = replica.service
    await service._stats.start(service._settings.pod_ip, service._settings.stats_port)
    task = asyncio.create_task(service._forwarder.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await service._stats.stop()


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def timed() -> None:
        await asyncio.wait_for(story(), 2 * PATIENCE_S)

    asyncio.run(timed())


def test_a_request_that_wakes_a_revision_is_acted_for_whichever_of_us_hears_of_it() -> None:
    async def story() -> None:
        store, port = LeaseStore(), a_free_port()
        one, two = Replica(store, 1, port), Replica(store, 2, port)
        async with listening(one), listening(two):
            one.start()
            await until(lambda: one.standing is Standing.LEADING and len(one.service.seat.fleet))
            await until(lambda: list(one.service.seat.board.all_decided()))
            two.start()
            # The link stands before the first frame comes.
            await until(lambda: two.service._forwarder._address)
            async with connect(f"ws://127.0.0.2:{port}/", compression=None, proxy=None) as it:
                await it.send(a_frame())
                await until(lambda: one.scaled == [1])
            assert two.api.calls == []
            await one.crash()
            await two.crash()

    run(story)


def test_who_follows_takes_over_in_the_moment_in_which_the_leader_stops_cleanly() -> None:
    async def story() -> None:
        store, port = LeaseStore(), a_free_port()
        one, two = Replica(store, 1, port), Replica(store, 2, port)
        async with listening(two):
            async with listening(one):
                one.start()
                await until(lambda: one.standing is Standing.LEADING)
                two.start()
                await until(lambda: two.service._forwarder._address)
                await until(lambda: one.service._stats._server.connections)  # type: ignore[union-attr]
                begin = asyncio.get_running_loop().time()
                await one.stop()
                await one.service._stats.stop()
                await until(lambda: two.standing is Standing.LEADING)
                assert asyncio.get_running_loop().time() - begin < RETRY_S / 2
            await two.crash()

    run(story)
