"""Two replicas: exactly one decides and writes."""

import asyncio
import gc
import socket
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from autoscaler.exchange.snapshot import TICK, read_tick
from knative.leadership.elector import Leadership
from knative.statistics.wire import FORWARDED, Stat, WireStatMessage, WireStatMessages
from tests.knative.controller.processes import PATIENCE_S, Running
from tests.knative.controller.world import KEY, statistics
from tests.knative.fast_loop import run_fast
from tests.knative.leadership.leases import FIRST, LeaseStore, Switch
from tests.knative.objects import a_configmap

RETRY_S = 10.0


def replica(store: LeaseStore, number: int, port: int = 0, **settings: Any) -> Running:
    address = f"127.0.0.{number}"
    host = {"host": address} if port else {}
    named = {"pod_name": f"autoscaler-{number}", "pod_ip": address, "port": port}
    return Running(store, **named, **host, **settings)


async def two_of_us(store: LeaseStore, **settings: Any) -> tuple[Running, Running]:
    """A leader and who follows it."""
    one, two = replica(store, 1), replica(store, 2, **settings)
    one.start()
    await asyncio.sleep(5.0)
    two.start()
    await asyncio.sleep(5.0)
    assert [one.leadership, two.leadership] == [Leadership.LEADING, Leadership.FOLLOWING]
    return one, two


def live(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        run_fast(story())
    finally:
        gc.unfreeze()


def notes(folder: Path) -> Mapping[str, Any]:
    """What a process noted of itself last."""
    return read_tick(folder / TICK).notes if (folder / TICK).exists() else {}


# --- who leads ------------------------------------------------------------------------------------


def test_exactly_one_of_two_replicas_writes() -> None:
    async def story() -> None:
        store = LeaseStore()
        one, two = await two_of_us(store)
        await asyncio.sleep(300.0)
        assert one.api.calls != []
        assert two.api.calls == []
        assert store.spec(FIRST)["holderIdentity"] == "autoscaler-1_127.0.0.1"
        assert store.spec(FIRST)["leaseTransitions"] == 0
        await one.crash()
        await two.crash()

    live(story)


def test_a_follower_goes_on_writing_snapshots_that_name_the_leader(tmp_path: Path) -> None:
    async def story() -> None:
        one, two = await two_of_us(LeaseStore(), snapshots=tmp_path)
        snapshot = read_tick(tmp_path / TICK)
        assert (len(one.wanted), len(snapshot.revision)) == (1, 0)
        assert snapshot.notes["leadership"] == "following autoscaler-1_127.0.0.1, which decides"
        assert snapshot.notes["leading"] is False
        assert two.clock.now() - snapshot.at_s < 3.0
        await one.end()
        await two.until(lambda: notes(tmp_path)["leading"])
        snapshot = read_tick(tmp_path / TICK)
        assert snapshot.notes["leadership"] == ""
        assert len(snapshot.revision) == 1
        await two.crash()

    live(story)


def test_after_an_orderly_stop_the_second_leads_within_one_period() -> None:
    async def story() -> None:
        one, two = await two_of_us(LeaseStore())
        assert await one.end() == 0
        written = len(one.api.calls)
        await asyncio.sleep(RETRY_S)
        assert two.leadership is Leadership.LEADING
        await asyncio.sleep(3.0)
        assert two.api.calls != []
        assert len(one.api.calls) == written
        await two.crash()

    live(story)


def test_after_a_crash_the_second_leads_once_the_lease_has_expired() -> None:
    async def story() -> None:
        one, two = await two_of_us(LeaseStore())
        await one.crash()
        seen = []
        for _ in range(2):
            await asyncio.sleep(40.0)
            seen.append(two.leadership)
        assert seen == [Leadership.FOLLOWING, Leadership.LEADING]
        await two.crash()

    live(story)


def test_a_restarted_container_leads_at_once() -> None:
    async def story() -> None:
        store = LeaseStore()
        one, two = await two_of_us(store)
        await one.crash()
        again = replica(store, 1)
        again.start()
        await asyncio.sleep(3.0)
        assert [again.leadership, two.leadership] == [Leadership.LEADING, Leadership.FOLLOWING]
        await again.crash()
        await two.crash()

    live(story)


def test_another_number_of_buckets_is_followed_live_and_a_wrong_one_changes_nothing() -> None:
    async def story() -> None:
        store = LeaseStore()
        one, two = await two_of_us(store)
        for one_of_us in (one, two):
            config = a_configmap("config-leader-election", buckets="2", lease_duration="90s")
            one_of_us.api.put(config)
        await asyncio.sleep(3.0)
        assert one.leadership is Leadership.LEADING
        names = [path.rpartition("/")[2] for path in store.leases]
        assert names == [FIRST, "autoscaler-bucket-00-of-02", "autoscaler-bucket-01-of-02"]
        assert store.spec(names[1])["leaseDurationSeconds"] == 90
        one.api.put(a_configmap("config-leader-election", buckets="11"))
        await asyncio.sleep(20.0)
        assert [one.leadership, two.leadership] == [Leadership.LEADING, Leadership.FOLLOWING]
        await one.crash()
        await two.crash()

    live(story)


# --- who cannot renew -----------------------------------------------------------------------------


def test_unreachable_leases_are_a_fault_and_nothing_is_written() -> None:
    async def story() -> None:
        network = Switch()
        running = Running()
        running.api.network = network
        network.cut = True
        running.start()
        await asyncio.sleep(20.0)
        assert (running.leadership, running.api.calls) == (Leadership.FOLLOWING, [])
        network.cut = False
        await asyncio.sleep(15.0)
        assert running.leadership is Leadership.LEADING
        assert running.api.calls != []
        await running.crash()

    live(story)


def test_a_leader_that_cannot_renew_decides_without_writing(tmp_path: Path) -> None:
    async def story() -> None:
        network = Switch()
        running = Running(snapshots=tmp_path)
        running.api.network = network
        running.start()
        await asyncio.sleep(10.0)
        written = len(running.api.calls)
        network.cut = True
        await running.until(lambda: running.leadership is Leadership.UNSURE)
        await running.until(lambda: not notes(tmp_path)["leading"])
        said = notes(tmp_path)
        assert "not reached" in said["faults"]["leases"]
        assert said["leadership"] == ""
        running.process.handle(statistics({KEY: 1.0}))
        assert running.wanted == [1]
        assert len(running.api.calls) == written
        network.cut = False
        await running.until(lambda: running.scaled == [1])
        assert running.leadership is Leadership.LEADING
        await running.until(lambda: running.fault("leases") == "")
        await running.crash()

    live(story)


# --- with real sockets ----------------------------------------------------------------------------


def a_frame(concurrency: float = 1.0) -> bytes:
    stat = Stat(average_concurrent_requests=concurrency, request_count=concurrency)
    message = WireStatMessage(namespace="shop", name="cart", stat=stat)
    return bytes(WireStatMessages(messages=[message]).SerializeToString())


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def linked(folder: Path) -> tuple[Running, Running]:
    """A leader, and who follows it and is connected to it."""
    store, port = LeaseStore(), a_free_port()
    folders = [folder / "one", folder / "two"]
    for each in folders:
        each.mkdir()
    one, two = (replica(store, i + 1, port, snapshots=folders[i]) for i in range(2))
    one.start()
    await one.until(lambda: one.leadership is Leadership.LEADING and one.wanted == [-1])
    two.start()
    await one.until(lambda: notes(folders[0]).get("activators", {}).get("unknown"))
    return one, two


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        asyncio.run(asyncio.wait_for(story(), 2 * PATIENCE_S))
    finally:
        gc.unfreeze()


def test_a_request_at_zero_is_served_whichever_replica_gets_the_frame(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        one, two = await linked(tmp_path)
        address = f"ws://127.0.0.2:{two.port}/"
        async with connect(address, compression=None, proxy=None) as it:
            await it.send(a_frame())
            await one.until(lambda: one.scaled == [1])
        # Who passed it on and we do not agree on who leads: it would go round in circles.
        passed_on = {FORWARDED: "somebody"}
        async with connect(address, additional_headers=passed_on, proxy=None) as it:
            await it.send(a_frame())
            await two.until(lambda: notes(tmp_path / "two").get("forwarded", {}).get("dropped"))
        assert notes(tmp_path / "two")["forwarded"]["sent"] == 1
        assert two.api.calls == []
        assert [await two.end(), await one.end()] == [0, 0]

    run(story)


def test_a_follower_takes_over_as_soon_as_the_leader_stops(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        one, two = await linked(tmp_path)
        begin_s = asyncio.get_running_loop().time()
        assert await one.end() == 0
        await two.until(lambda: two.leadership is Leadership.LEADING)
        assert asyncio.get_running_loop().time() - begin_s < RETRY_S / 2
        await two.crash()

    run(story)


def test_a_leader_that_cannot_renew_takes_frames_in_itself() -> None:
    async def story() -> None:
        network, port = Switch(), a_free_port()
        running = Running(port=port)
        running.api.network = network
        hurried = {"lease_duration": "3s", "renew_deadline": "2s", "retry_period": "500ms"}
        running.api.put(a_configmap("config-leader-election", **hurried))
        running.start()
        await running.until(lambda: running.leadership is Leadership.LEADING)
        await running.until(lambda: running.wanted == [-1])
        network.cut = True
        await running.until(lambda: running.leadership is Leadership.UNSURE)
        async with connect(f"ws://127.0.0.1:{port}/", compression=None, proxy=None) as it:
            await it.send(a_frame())
            await running.until(lambda: running.wanted == [1])
        assert running.scaled == []
        await running.crash()

    run(story)
