import asyncio
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from autoscaler.clock import SimulatedClock
from autoscaler.errors import PermanentError
from knative.forward import Forwarder
from knative.leader import Elector, Standing
from knative.leadership import Leadership
from tests.knative.conftest import NOW_S, Cluster, a_pod, path_of, run_fast
from tests.knative.leases import FIRST, SYSTEM, LeaseApi, LeaseStore, Switch

ONE, TWO = "autoscaler-a_10.0.0.1", "autoscaler-b_10.0.0.2"
KEY = "shop/cart"
SCALE = path_of("deployment") + "/scale"


class Aimed(Forwarder):
    """Remembers where it was aimed, and what was sent there."""

    def __init__(self, identity: str) -> None:
        super().__init__(identity, lambda: None)
        self.aims: list[str] = []
        self.frames: list[bytes] = []

    def aim(self, address: str) -> None:
        if [address] != self.aims[-1:]:
            self.aims.append(address)

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)


@dataclass
class Replica:
    """One of us, over a cluster that it has to itself and leases that it shares."""

    store: LeaseStore
    identity: str = ONE
    network: Switch = field(default_factory=Switch)

    def __post_init__(self) -> None:
        self.cluster = Cluster()
        api = LeaseApi(self.store, self.network)
        self.elector = Elector(api, SYSTEM, self.identity, SimulatedClock(NOW_S))
        self.cluster.actor._may_write = self.elector.may_write
        self.forwarder = Aimed(self.identity)
        self.leadership = Leadership(
            self.elector, self.forwarder, self.cluster.seat, self.cluster.actor
        )

    async def tries(self) -> Standing:
        await self.elector.campaign(self.leadership.attend)
        return self.leadership.attend()

    @property
    def degraded(self) -> tuple[str, ...]:
        return self.cluster.seat.board.readiness(NOW_S).degraded

    def metric(self, name: str) -> float | None:
        registry = CollectorRegistry()
        registry.register(self.leadership)
        return registry.get_sample_value(name)


def test_who_follows_says_whom_and_aims_there() -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity=TWO, leaseDurationSeconds=60)
        replica = Replica(store)
        assert await replica.tries() is Standing.FOLLOWING
        assert replica.forwarder.aims == ["10.0.0.2"]
        assert f"following {TWO}, which decides" in replica.degraded
        assert replica.metric("kn_ahead_leading") == 0.0

    run_fast(story())


def test_frames_are_passed_on_by_who_follows_alone_and_once() -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity=TWO, leaseDurationSeconds=15)
        replica = Replica(store)
        await replica.tries()
        assert replica.leadership.divert(b"frame", False) is True
        assert replica.leadership.divert(b"again", True) is True
        assert replica.forwarder.frames == [b"frame"]
        assert replica.forwarder.dropped == 1
        await asyncio.sleep(16.0)
        assert await replica.tries() is Standing.LEADING
        assert replica.leadership.divert(b"frame", False) is False
        assert replica.leadership.divert(b"frame", True) is False
        assert replica.forwarder.aims == ["10.0.0.2", ""]
        assert replica.metric("kn_ahead_leading") == 1.0
        assert not any("follow" in line for line in replica.degraded)

    run_fast(story())


def test_frames_are_ours_while_we_are_unsure() -> None:
    async def story() -> None:
        replica = Replica(LeaseStore())
        await replica.tries()
        await asyncio.sleep(41.0)
        assert replica.leadership.attend() is Standing.UNSURE
        assert replica.leadership.divert(b"frame", False) is False
        assert replica.metric("kn_ahead_leading") == 0.0

    run_fast(story())


def test_who_takes_over_begins_as_at_a_start() -> None:
    async def story() -> None:
        store = LeaseStore()
        replica = Replica(store)
        cluster = replica.cluster
        await replica.tries()
        cluster.has_revision(ready=1)
        cluster.hears(KEY, concurrency=500.0, seconds=6)
        assert cluster.seat.decide().want[0] > 1
        store.put(holderIdentity=TWO)
        assert await replica.tries() is Standing.FOLLOWING
        assert list(cluster.seat.board.all_decided()) == []
        assert len(cluster.seat.board.demand) == 0
        gauges = {family.name for family in cluster.seat.gauges.collect() if family.samples}
        assert not any(name.startswith("kn_revision_pods") for name in gauges)
        for i in (1, 2):
            cluster.has(a_pod(f"cart-{i}", "cart", address=f"10.0.0.{i}"))
        store.put(holderIdentity="")
        assert await replica.tries() is Standing.LEADING
        row = cluster.seat.fleet.row(KEY)
        assert cluster.seat.fleet.seen.ready[row] == 3
        assert cluster.seat.fleet.memory.max_panic_pods[row] == 3  # never down at once
        decisions = cluster.seat.decide()
        assert decisions.no_data[0]
        assert cluster.seat.to_act_for(decisions) == {KEY}

    run_fast(story())


def test_who_is_unsure_decides_and_writes_nothing_and_acts_anew_when_sure_again() -> None:
    async def story() -> None:
        replica = Replica(LeaseStore())
        cluster = replica.cluster
        await replica.tries()
        cluster.has_revision(ready=1)
        await cluster.settle()
        cluster.api.calls.clear()
        replica.network.cut = True
        await asyncio.sleep(41.0)
        assert replica.leadership.attend() is Standing.UNSURE
        cluster.hears(KEY, concurrency=500.0, seconds=6)
        decisions = cluster.seat.decide()
        assert decisions.want[0] > 1
        await cluster.act(cluster.seat.to_act_for(decisions))  # even if somebody asked for it
        assert cluster.api.calls == []
        cluster.actor.rest()
        replica.network.cut = False
        assert await replica.tries() is Standing.LEADING
        assert not cluster.seat.decide().no_data[0]  # it went on measuring
        await cluster.tick()
        assert cluster.api.bodies(SCALE)

    run_fast(story())


def test_what_is_under_way_is_given_up_when_we_do_not_lead_any_more() -> None:
    async def story() -> None:
        store = LeaseStore()
        replica = Replica(store)
        cluster = replica.cluster
        await replica.tries()
        cluster.has_revision(ready=1)
        cluster.api.silent.add(SCALE)
        cluster.hears(KEY, concurrency=500.0, seconds=6)
        await cluster.tick()
        assert len(cluster.api.bodies(SCALE)) == 1
        store.put(holderIdentity=TWO)
        assert await replica.tries() is Standing.FOLLOWING
        await asyncio.sleep(0)
        acting = [t for t in asyncio.all_tasks() if t.get_name() == f"act {KEY}"]
        assert acting == []
        # And nothing of the former is in the way of a new start.
        cluster.api.silent.clear()
        store.put(holderIdentity="")
        assert await replica.tries() is Standing.LEADING
        cluster.hears(KEY, concurrency=500.0, seconds=6)
        await cluster.tick()
        assert len(cluster.api.bodies(SCALE)) == 2

    run_fast(story())


def test_a_lease_that_cannot_be_had_is_shown_as_a_fault() -> None:
    async def story() -> None:
        replica = Replica(LeaseStore())
        replica.network.cut = True
        task = asyncio.create_task(replica.leadership.campaign())
        await asyncio.sleep(1.0)
        assert any("leases" in line and "not reached" in line for line in replica.degraded)
        replica.network.cut = False
        await asyncio.sleep(10.0)
        assert not any("leases" in line for line in replica.degraded)
        task.cancel()

    run_fast(story())


def test_the_config_is_followed_and_a_wrong_one_changes_nothing() -> None:
    async def story() -> None:
        store = LeaseStore()
        replica = Replica(store)
        replica.leadership.reconfigure({"lease-duration": "90s"})
        await replica.tries()
        assert store.spec(FIRST)["leaseDurationSeconds"] == 90
        with pytest.raises(PermanentError):
            replica.leadership.reconfigure({"lease-duration": "30s"})
        await replica.tries()
        assert store.spec(FIRST)["leaseDurationSeconds"] == 90
        replica.leadership.reconfigure(None)
        await replica.tries()
        assert store.spec(FIRST)["leaseDurationSeconds"] == 60

    run_fast(story())


def test_nothing_that_was_read_of_the_former_fleet_is_taken_for_the_new_ones() -> None:
    async def story() -> None:
        seat = (cluster := Cluster()).seat
        cluster.has_revision("cart")
        cluster.has_revision("till")
        seat.decide()
        seat.begin_anew()
        cluster.has_revision("shop")  # as many changes of the rows as there were before
        seat.decide()
        assert len(list(seat.board.all_decided())) == 3
        named = {d.revision.partition("/")[2]: d.service for d in seat.board.all_decided()}
        assert named == {name: f"shop/{name}-service" for name in ("cart", "till", "shop")}

    run_fast(story())


def test_a_write_given_up_while_unsure_is_made_when_sure_again() -> None:
    async def story() -> None:
        replica = Replica(LeaseStore())
        cluster = replica.cluster
        await replica.tries()
        cluster.has_revision(ready=1)
        cluster.api.silent.add(SCALE)
        cluster.hears(KEY, concurrency=500.0, seconds=6)
        await cluster.tick()
        await asyncio.sleep(41.0)
        assert replica.leadership.attend() is Standing.UNSURE
        cluster.api.silent.clear()
        cluster.api.calls.clear()
        cluster.seat.dirty.clear()  # the cluster's objects have not changed
        assert await replica.tries() is Standing.LEADING
        await cluster.tick()  # which decides as before
        assert cluster.api.bodies(SCALE)

    run_fast(story())
