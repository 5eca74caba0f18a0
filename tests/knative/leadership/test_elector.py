import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from autoscaler.clock import SimulatedClock
from knative.api import ApiError, Object
from knative.leadership.elector import Elector, Standing, address_of, identity_of
from knative.settings.election import Election
from tests.knative.conftest import NOW_S, run_fast
from tests.knative.leadership.leases import (
    FIRST,
    LEASES,
    SYSTEM,
    Apply,
    LeaseApi,
    LeaseStore,
    Switch,
)

ONE, TWO = "autoscaler-a_10.0.0.1", "autoscaler-b_10.0.0.2"
STOCK = "autoscaler-stock_10.0.0.9"
NOW, LATER = "2023-11-14T22:13:20.000000Z", "2023-11-14T22:14:20.000000Z"


def attend() -> None:
    """Nobody is interested."""


class Party:
    """One of several who share a store."""

    def __init__(self, store: LeaseStore, identity: str, clock: SimulatedClock | None = None):
        self.network = Switch()
        self.api = LeaseApi(store, self.network)
        self.clock = clock or SimulatedClock(NOW_S)
        self.elector = Elector(self.api, SYSTEM, identity, self.clock)

    def standing(self) -> Standing:
        return self.elector.standing

    async def tries(self) -> Standing:
        await self.elector.campaign(attend)
        return self.elector.standing


# --- one lease ------------------------------------------------------------------------------------


def test_where_there_is_no_lease_it_is_made_as_knative_makes_it() -> None:
    async def story() -> None:
        store = LeaseStore()
        assert await Party(store, ONE).tries() is Standing.LEADING
        assert store.spec() == {
            "holderIdentity": ONE,
            "leaseDurationSeconds": 60,
            "acquireTime": NOW,
            "renewTime": NOW,
            "leaseTransitions": 0,
        }

    run_fast(story())


def test_renewing_changes_the_time_of_renewal_alone_and_takes_one_request() -> None:
    async def story() -> None:
        store = LeaseStore()
        party = Party(store, ONE)
        await party.tries()
        before, asked = store.spec(), party.api.asked
        party.clock.advance(60.0)
        assert await party.tries() is Standing.LEADING
        assert store.spec() == before | {"renewTime": LATER}
        assert party.api.asked == asked + 1

    run_fast(story())


def test_who_takes_over_counts_a_transition_and_keeps_what_others_wrote() -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity="", leaseTransitions=7, leaseDurationSeconds=1, strategy="x")
        party = Party(store, ONE)
        assert await party.tries() is Standing.LEADING
        assert store.spec()["leaseTransitions"] == 8
        assert store.spec()["leaseDurationSeconds"] == 60
        assert store.spec()["acquireTime"] == NOW
        assert store.spec()["strategy"] == "x"

    run_fast(story())


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": None}], ids=["empty", "nobody"])
def test_a_lease_that_nobody_holds_is_taken(spec: Object) -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(**spec)
        assert await Party(store, ONE).tries() is Standing.LEADING

    run_fast(story())


def test_a_pod_that_restarts_takes_its_own_lease_up_at_once() -> None:
    async def story() -> None:
        store = LeaseStore()
        await Party(store, ONE).tries()
        again = Party(store, ONE, SimulatedClock(NOW_S + 60.0))
        assert again.standing() is Standing.FOLLOWING
        assert await again.tries() is Standing.LEADING
        assert store.spec()["leaseTransitions"] == 0
        assert (store.spec()["acquireTime"], store.spec()["renewTime"]) == (NOW, LATER)

    run_fast(story())


def test_expiry_is_judged_by_what_we_saw_and_not_by_the_others_clock() -> None:
    async def story() -> None:
        store = LeaseStore()
        long_ago = "2001-01-01T00:00:00.000000Z"
        store.put(holderIdentity=STOCK, leaseDurationSeconds=15, renewTime=long_ago)
        party = Party(store, ONE)
        assert await party.tries() is Standing.FOLLOWING
        assert party.elector.leader == STOCK
        await asyncio.sleep(14.0)
        assert await party.tries() is Standing.FOLLOWING
        store.put(renewTime="2001-01-01T00:00:10.000000Z")
        await asyncio.sleep(2.0)
        assert await party.tries() is Standing.FOLLOWING
        await asyncio.sleep(14.0)
        assert await party.tries() is Standing.FOLLOWING
        await asyncio.sleep(1.0)
        assert await party.tries() is Standing.LEADING

    run_fast(story())


def test_who_was_crossed_by_another_looks_again_and_follows() -> None:
    async def story() -> None:
        store = LeaseStore()
        party = Party(store, ONE)
        await party.tries()
        store.put(holderIdentity=STOCK)
        assert await party.tries() is Standing.FOLLOWING
        assert store.spec()["holderIdentity"] == STOCK

    run_fast(story())


def test_who_was_crossed_by_a_mere_label_stays_leader() -> None:
    async def story() -> None:
        store = LeaseStore()
        party = Party(store, ONE)
        await party.tries()
        store.put(strategy="x")
        assert await party.tries() is Standing.LEADING
        assert store.spec()["strategy"] == "x"

    run_fast(story())


def test_a_lease_that_was_deleted_is_made_anew() -> None:
    async def story() -> None:
        store = LeaseStore()
        party = Party(store, ONE)
        await party.tries()
        del store.leases[f"{LEASES}/{FIRST}"]
        assert await party.tries() is Standing.LEADING
        assert store.spec()["holderIdentity"] == ONE

    run_fast(story())


def test_handing_back_names_nobody_and_the_next_leads_at_once() -> None:
    async def story() -> None:
        store = LeaseStore()
        one, two = Party(store, ONE), Party(store, TWO)
        await one.tries()
        assert await two.tries() is Standing.FOLLOWING
        await one.elector.resign()
        assert one.standing() is Standing.FOLLOWING
        assert store.spec()["holderIdentity"] == ""
        assert store.spec()["leaseDurationSeconds"] == 1
        assert await two.tries() is Standing.LEADING
        assert store.spec()["leaseTransitions"] == 1

    run_fast(story())


def test_who_follows_hands_nothing_back() -> None:
    async def story() -> None:
        store = LeaseStore()
        one, two = Party(store, ONE), Party(store, TWO)
        await one.tries()
        await two.tries()
        await two.elector.resign()
        await Party(store, "autoscaler-c_10.0.0.3").elector.resign()
        assert store.spec()["holderIdentity"] == ONE

    run_fast(story())


def test_a_lease_acquired_by_a_write_that_was_cut_short_is_handed_back() -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity="")
        party = Party(store, ONE)

        async def silent(apply: Apply) -> Object:
            answer = apply()
            if answer["spec"]["holderIdentity"] == ONE:
                party.api.network = party.network
                await asyncio.sleep(3600.0)
            return answer

        party.api.network = silent
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(party.tries(), 1.0)
        assert store.spec()["holderIdentity"] == ONE
        await party.elector.resign()
        assert store.spec()["holderIdentity"] == ""

    run_fast(story())


def test_handing_back_that_fails_is_said_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        party = Party(LeaseStore(), ONE)
        await party.tries()
        party.network.cut = True
        await party.elector.resign()

    run_fast(story())
    assert "have to run out" in caplog.text


def test_a_lease_that_cannot_be_handed_back_keeps_none_of_the_others() -> None:
    async def story() -> None:
        store = LeaseStore()
        party = Party(store, ONE)
        party.elector.adopt(Election(buckets=3))
        await party.tries()
        first = f"{LEASES}/{next(iter(store.leases)).rpartition('/')[2]}"
        answers = iter([True])

        async def once_deaf(apply: Apply) -> Object:
            if next(answers, False):
                raise ApiError("the first is lost", status=0)
            return apply()

        party.api.network = once_deaf
        await party.elector.resign()
        held = {path: lease["spec"]["holderIdentity"] for path, lease in store.leases.items()}
        assert held.pop(first) == ONE
        assert set(held.values()) == {""}

    run_fast(story())


def test_a_fault_of_ours_in_handing_back_is_said_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        party = Party(LeaseStore(), ONE)
        await party.tries()

        async def faulty(apply: Apply) -> Object:
            raise ZeroDivisionError("a fault of ours")

        party.api.network = faulty
        await party.elector.resign()

    run_fast(story())
    assert "a fault of ours" in caplog.text


# --- standing -------------------------------------------------------------------------------------


def test_before_anything_is_known_we_follow_nobody() -> None:
    async def story() -> None:
        party = Party(LeaseStore(), ONE)
        party.network.cut = True
        task = asyncio.create_task(party.elector.run(attend))
        await asyncio.sleep(200.0)
        assert party.standing() is Standing.FOLLOWING
        assert party.elector.leader == ""
        assert "not reached" in party.elector.broken
        party.network.cut = False
        await asyncio.sleep(10.0)
        assert party.standing() is Standing.LEADING
        assert party.elector.broken == ""
        task.cancel()

    run_fast(story())


def test_a_leader_who_cannot_renew_is_unsure_after_its_deadline_and_leads_again_after() -> None:
    async def story() -> None:
        party = Party(LeaseStore(), ONE)
        task = asyncio.create_task(party.elector.run(attend))
        await asyncio.sleep(1.0)
        party.network.cut = True
        await asyncio.sleep(38.0)
        assert party.standing() is Standing.LEADING
        assert party.elector.may_write()
        await asyncio.sleep(2.0)
        assert party.standing() is Standing.UNSURE
        assert not party.elector.may_write()
        await asyncio.sleep(500.0)
        assert party.standing() is Standing.UNSURE
        party.network.cut = False
        await asyncio.sleep(10.0)
        assert party.standing() is Standing.LEADING
        task.cancel()

    run_fast(story())


def test_an_unsure_leader_whom_another_has_followed_steps_down() -> None:
    async def story() -> None:
        store = LeaseStore()
        party = Party(store, ONE)
        heard: list[Standing] = []
        task = asyncio.create_task(party.elector.run(lambda: heard.append(party.standing())))
        await asyncio.sleep(1.0)
        party.network.cut = True
        await asyncio.sleep(100.0)
        store.put(holderIdentity=TWO)
        party.network.cut = False
        await asyncio.sleep(10.0)
        assert party.standing() is Standing.FOLLOWING
        assert party.elector.leader == TWO
        assert [s for s, t in zip(heard, [*heard[1:], None], strict=True) if s is not t] == [
            Standing.LEADING,
            Standing.UNSURE,
            Standing.FOLLOWING,
        ]
        task.cancel()

    run_fast(story())


def test_an_api_server_that_hangs_once_costs_no_leader() -> None:
    async def story() -> None:
        party = Party(LeaseStore(), ONE)
        hangs = iter([False, True])

        async def sometimes(apply: Apply) -> Object:
            if next(hangs, False):
                await asyncio.sleep(3600.0)
            return apply()

        await party.tries()
        party.api.network = sometimes
        task = asyncio.create_task(party.elector.run(attend))
        for _ in range(120):
            await asyncio.sleep(1.0)
            assert party.standing() is Standing.LEADING
        task.cancel()

    run_fast(story())


def test_a_deadline_that_grows_counts_only_once_others_can_have_read_it() -> None:
    async def story() -> None:
        party = Party(LeaseStore(), ONE)
        await party.tries()
        party.elector.adopt(Election(lease_duration_s=600.0, renew_deadline_s=400.0))
        await asyncio.sleep(41.0)
        assert party.standing() is Standing.UNSURE
        assert await party.tries() is Standing.LEADING
        await asyncio.sleep(399.0)
        assert party.standing() is Standing.LEADING

    run_fast(story())


def test_a_fault_of_ours_does_not_end_the_election(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        store = LeaseStore()
        party = Party(store, ONE)

        async def faulty(apply: Apply) -> Object:
            party.api.network = party.network
            raise ZeroDivisionError("a fault of ours")

        party.api.network = faulty
        task = asyncio.create_task(party.elector.run(attend))
        await asyncio.sleep(11.0)
        assert party.standing() is Standing.LEADING
        task.cancel()

    run_fast(story())
    assert "a fault of ours" in caplog.text


def test_whoever_fails_to_follow_a_change_of_standing_does_not_end_the_election(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        party = Party(LeaseStore(), ONE)
        faults = [ZeroDivisionError("a fault of ours")] * 3

        def faulty() -> None:
            if faults:
                raise faults.pop()

        task = asyncio.create_task(party.elector.run(faulty))
        await asyncio.sleep(100.0)
        assert not task.done()
        assert not faults
        assert party.standing() is Standing.LEADING
        task.cancel()

    run_fast(story())
    assert "a fault of ours" in caplog.text


ODD_LEASES: list[Object] = [
    {},
    {"metadata": "text", "spec": {}},
    {"metadata": {}, "spec": ["holderIdentity"]},
    {"metadata": {}, "spec": "text"},
]


@pytest.mark.parametrize("odd", ODD_LEASES)
def test_an_answer_that_is_no_lease_is_reported_and_nothing_is_written_on_it(odd: Object) -> None:
    """Without a version a write would take the lease from whoever holds it."""

    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity=STOCK, leaseDurationSeconds=60)
        before, party = store.spec(), Party(store, ONE)

        async def oddly(apply: Apply) -> Object:
            return odd

        party.api.network = oddly
        task = asyncio.create_task(party.elector.run(attend))
        await asyncio.sleep(30.0)
        assert "no lease" in party.elector.broken
        assert party.standing() is Standing.FOLLOWING
        assert party.elector.leader == ""
        assert store.spec() == before
        task.cancel()

    run_fast(story())


@pytest.mark.parametrize("odd", ["many", -1, 2**31 - 1, 2**70, 1.5, {}, None])
def test_a_count_that_cannot_be_keeps_no_lease_from_its_next_holder(odd: object) -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity="", leaseTransitions=odd, leaseDurationSeconds=odd)
        assert await Party(store, ONE).tries() is Standing.LEADING
        assert 0 <= store.spec()["leaseTransitions"] < 2**31

    run_fast(story())


def test_of_two_who_see_it_expire_at_the_same_time_one_leads() -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity=STOCK, leaseDurationSeconds=15)
        both = [Party(store, ONE), Party(store, TWO)]
        for party in both:
            await party.tries()
            party.api.network = late(1, 1)
        await asyncio.sleep(20.0)
        standings = await asyncio.gather(*(party.tries() for party in both))
        assert sorted(standing.value for standing in standings) == ["following", "leading"]

    run_fast(story())


def test_a_lease_is_counted_on_from_before_it_was_asked_for() -> None:
    async def story() -> None:
        party = Party(LeaseStore(), ONE)
        party.api.network = late(5, 10)
        await party.tries()
        await asyncio.sleep(24.0)
        assert party.standing() is Standing.LEADING
        await asyncio.sleep(2.0)
        assert party.standing() is Standing.UNSURE

    run_fast(story())


# --- several leases -------------------------------------------------------------------------------


def test_all_leases_are_needed_to_lead_and_acquired_in_order() -> None:
    async def story() -> None:
        store = LeaseStore()
        party = Party(store, ONE)
        party.elector.adopt(Election(buckets=3))
        assert await party.tries() is Standing.LEADING
        names = [path.rpartition("/")[2] for path in store.leases]
        # The first was in force before: who still goes by the former number is kept out as well.
        assert names == [FIRST, *Election(buckets=3).leases]
        assert {store.spec(name)["holderIdentity"] for name in names} == {ONE}

    run_fast(story())


def test_where_one_lease_is_anothers_the_rest_is_left_to_others() -> None:
    async def story() -> None:
        store = LeaseStore()
        last = Election(buckets=3).leases[2]
        store.put(last, holderIdentity=STOCK, leaseDurationSeconds=60)
        party = Party(store, ONE)
        party.elector.adopt(Election(buckets=3))
        assert await party.tries() is Standing.FOLLOWING
        assert party.elector.leader == STOCK
        held = {name: store.spec(name)["holderIdentity"] for name in Election(buckets=3).leases}
        assert held == dict.fromkeys(Election(buckets=3).leases[:2], "") | {last: STOCK}

    run_fast(story())


def test_who_loses_one_of_several_has_stopped_before_the_rest_is_free() -> None:
    async def story() -> None:
        store = LeaseStore()
        party = Party(store, ONE)
        first, last = Election(buckets=2).leases
        party.elector.adopt(Election(buckets=2))
        await party.tries()
        store.put(last, holderIdentity=STOCK)
        seen: list[tuple[Standing, str]] = []

        def stop() -> None:
            seen.append((party.standing(), store.spec(first)["holderIdentity"]))

        await party.elector.campaign(stop)
        assert seen == [(Standing.FOLLOWING, ONE)]
        assert store.spec(first)["holderIdentity"] == ""

    run_fast(story())


def test_another_number_of_buckets_is_followed_at_once_and_not_by_two() -> None:
    async def story() -> None:
        store = LeaseStore()
        one, two = Party(store, ONE), Party(store, TWO)
        tasks = [asyncio.create_task(p.elector.run(attend)) for p in (one, two)]
        await asyncio.sleep(30.0)
        leader, other = (one, two) if one.elector.may_write() else (two, one)
        # The other reads the new number first.
        other.elector.adopt(Election(buckets=2))
        await asyncio.sleep(100.0)
        assert leader.elector.may_write()
        assert not other.elector.may_write()
        leader.elector.adopt(Election(buckets=2))
        await asyncio.sleep(1.0)
        assert leader.elector.may_write()
        assert not other.elector.may_write()
        for task in tasks:
            task.cancel()

    run_fast(story())


# --- names ----------------------------------------------------------------------------------------


def test_a_pod_is_named_as_knative_names_holders() -> None:
    assert identity_of("autoscaler-a", "10.0.0.1") == ONE


@pytest.mark.parametrize(("name", "ip"), [("", ""), ("autoscaler-a", ""), ("", "10.0.0.1")])
def test_outside_a_pod_a_name_is_made_that_nobody_else_has(name: str, ip: str) -> None:
    made = {identity_of(name, ip) for _ in range(10)}
    assert len(made) == 10
    assert {address_of(one) for one in made} == {""}


@pytest.mark.parametrize(
    ("identity", "address"),
    [
        (ONE, "10.0.0.1"),
        ("autoscaler-a_fd00::1", "fd00::1"),
        ("host_with_underscores_10.0.0.1", "10.0.0.1"),
        ("host_5c1b8a52-0000-0000-0000-000000000000", ""),
        ("host", ""),
        ("", ""),
    ],
)
def test_the_leaders_address_is_read_from_its_name(identity: str, address: str) -> None:
    assert address_of(identity) == address


# --- the law --------------------------------------------------------------------------------------

Fault = Callable[[Apply], Awaitable[Object]]


async def answers(apply: Apply) -> Object:
    return apply()


async def lost(apply: Apply) -> Object:
    raise ApiError("the request was lost", status=0)


async def unanswered(apply: Apply) -> Object:
    apply()
    raise ApiError("the answer was lost", status=0)


def late(before_s: float, after_s: float) -> Fault:
    """Arrives so late and is answered so late, even if whoever asked has given up."""

    async def call(apply: Apply) -> Object:
        async def serve() -> Object:
            await asyncio.sleep(before_s)
            answer = apply()
            await asyncio.sleep(after_s)
            return answer

        served = asyncio.create_task(serve())
        served.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(served)

    return call


NETWORKS: dict[str, Fault] = {
    "well": answers,
    "cut": lost,
    "deaf": unanswered,
    "slow": late(3, 0),
    "slow to answer": late(0, 15),
    "very slow": late(25, 0),
    "slower than anybody waits": late(70, 0),
}


class Instance:
    """One of us: its clock is off, and runs too fast or too slow."""

    def __init__(self, store: LeaseStore, number: int, drift: float) -> None:
        self.network = "well"
        self._clock = SimulatedClock(NOW_S + 1e6 * number)  # and even stands still
        self._api = LeaseApi(store, self._call)
        self._drift, self._number = drift, number
        self._task: asyncio.Task[None] | None = None
        self.elector = self._made()

    async def _call(self, apply: Apply) -> Object:
        return await NETWORKS[self.network](apply)

    def _made(self) -> Elector:
        loop = asyncio.get_running_loop()
        elapsed = lambda: self._drift * loop.time() + 1000.0 * self._number  # noqa: E731
        # A pod that restarts keeps its name; another process of the same pod never lives beside it.
        name = f"pod-{self._number}_10.0.0.{self._number + 1}"
        return Elector(self._api, SYSTEM, name, self._clock, elapsed=elapsed)

    def start(self) -> None:
        if self._task is None:
            self.elector = self._made()
            self._task = asyncio.create_task(self.elector.run(attend))

    async def end(self, *, cleanly: bool) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            if cleanly:
                await self.elector.resign()

    async def suffer(self, deed: str) -> None:
        if deed == "start":
            self.start()
        elif deed in NETWORKS:
            self.network = deed
        else:
            await self.end(cleanly=deed == "stop")

    def may_write(self) -> bool:
        return self._task is not None and self.elector.may_write()


Deed = tuple[int, str, float]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
)
@given(
    drifts=st.lists(st.floats(0.9, 1.1), min_size=2, max_size=3),
    deeds=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from([*NETWORKS, "start", "kill", "stop"]),
            st.floats(0.0, 90.0),  # s until the next
        ),
        min_size=3,
        max_size=15,
    ),
)
@example(drifts=[1.0, 1.0], deeds=[(0, "well", 30.0), (0, "cut", 90.0), (1, "cut", 90.0)])
@example(drifts=[0.9, 1.1], deeds=[(0, "well", 30.0), (0, "deaf", 90.0), (1, "deaf", 90.0)])
@example(drifts=[1.1, 0.9], deeds=[(1, "kill", 30.0), (1, "start", 10.0), (0, "cut", 90.0)])
def test_at_most_one_leads_at_any_time_and_one_does_in_the_end(
    drifts: list[float], deeds: list[Deed]
) -> None:
    async def story() -> None:
        store = LeaseStore()
        all_of_us = [Instance(store, i, drift) for i, drift in enumerate(drifts)]
        watching = asyncio.create_task(watch(all_of_us))
        for one in all_of_us:
            one.start()
        for number, deed, wait_s in deeds:
            await all_of_us[number % len(all_of_us)].suffer(deed)
            await asyncio.sleep(wait_s)
        for one in all_of_us:
            await one.suffer("start")
            await one.suffer("well")
        await asyncio.sleep(400.0)
        assert sum(one.may_write() for one in all_of_us) == 1
        assert not watching.done(), watching.result()
        watching.cancel()
        for one in all_of_us:
            await one.end(cleanly=False)

    logging.disable(logging.CRITICAL)
    try:
        run_fast(story())
    finally:
        logging.disable(logging.NOTSET)


async def watch(all_of_us: list[Instance]) -> str:
    """Look several times a second; ends where two lead."""
    while True:
        leading = [one.elector.identity for one in all_of_us if one.may_write()]
        if len(leading) > 1:
            return f"{leading} lead at once"
        await asyncio.sleep(0.25)
