"""Leadership while the API server answers, hangs and fails; identities of holders."""

import asyncio

import pytest

from knative.client.api import Object
from knative.leadership.elector import Leadership, address_of, identity_of
from knative.settings.election import Election
from tests.knative.conftest import run_fast
from tests.knative.leadership.candidate import ONE, STOCK, TWO, Candidate, ignore_change, late
from tests.knative.leadership.leases import (
    Apply,
    LeaseStore,
)


def test_before_anything_is_known_we_follow_nobody() -> None:
    async def story() -> None:
        candidate = Candidate(LeaseStore(), ONE)
        candidate.network.cut = True
        task = asyncio.create_task(candidate.elector.run(ignore_change))
        await asyncio.sleep(200.0)
        assert candidate.leadership() is Leadership.FOLLOWING
        assert candidate.elector.leader == ""
        assert "not reached" in candidate.elector.fault
        candidate.network.cut = False
        await asyncio.sleep(10.0)
        assert candidate.leadership() is Leadership.LEADING
        assert candidate.elector.fault == ""
        task.cancel()

    run_fast(story())


def test_a_leader_who_cannot_renew_is_unsure_after_its_deadline_and_leads_again_after() -> None:
    async def story() -> None:
        candidate = Candidate(LeaseStore(), ONE)
        task = asyncio.create_task(candidate.elector.run(ignore_change))
        await asyncio.sleep(1.0)
        candidate.network.cut = True
        await asyncio.sleep(38.0)
        assert candidate.leadership() is Leadership.LEADING
        assert candidate.elector.may_write()
        await asyncio.sleep(2.0)
        assert candidate.leadership() is Leadership.UNSURE
        assert not candidate.elector.may_write()
        await asyncio.sleep(500.0)
        assert candidate.leadership() is Leadership.UNSURE
        candidate.network.cut = False
        await asyncio.sleep(10.0)
        assert candidate.leadership() is Leadership.LEADING
        task.cancel()

    run_fast(story())


def test_an_unsure_leader_whom_another_has_followed_steps_down() -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)
        seen: list[Leadership] = []
        task = asyncio.create_task(
            candidate.elector.run(lambda: seen.append(candidate.leadership()))
        )
        await asyncio.sleep(1.0)
        candidate.network.cut = True
        await asyncio.sleep(100.0)
        store.put(holderIdentity=TWO)
        candidate.network.cut = False
        await asyncio.sleep(10.0)
        assert candidate.leadership() is Leadership.FOLLOWING
        assert candidate.elector.leader == TWO
        assert [s for s, t in zip(seen, [*seen[1:], None], strict=True) if s is not t] == [
            Leadership.LEADING,
            Leadership.UNSURE,
            Leadership.FOLLOWING,
        ]
        task.cancel()

    run_fast(story())


def test_an_api_server_that_hangs_once_costs_no_leader() -> None:
    async def story() -> None:
        candidate = Candidate(LeaseStore(), ONE)
        hangs = iter([False, True])

        async def sometimes(apply: Apply) -> Object:
            if next(hangs, False):
                await asyncio.sleep(3600.0)
            return apply()

        await candidate.tries()
        candidate.api.network = sometimes
        task = asyncio.create_task(candidate.elector.run(ignore_change))
        for _ in range(120):
            await asyncio.sleep(1.0)
            assert candidate.leadership() is Leadership.LEADING
        task.cancel()

    run_fast(story())


def test_a_deadline_that_grows_counts_only_once_others_can_have_read_it() -> None:
    async def story() -> None:
        candidate = Candidate(LeaseStore(), ONE)
        await candidate.tries()
        candidate.elector.adopt(Election(lease_duration_s=600.0, renew_deadline_s=400.0))
        await asyncio.sleep(41.0)
        assert candidate.leadership() is Leadership.UNSURE
        assert await candidate.tries() is Leadership.LEADING
        await asyncio.sleep(399.0)
        assert candidate.leadership() is Leadership.LEADING

    run_fast(story())


def test_a_fault_of_ours_does_not_end_the_election(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)

        async def faulty(apply: Apply) -> Object:
            candidate.api.network = candidate.network
            raise ZeroDivisionError("a fault of ours")

        candidate.api.network = faulty
        task = asyncio.create_task(candidate.elector.run(ignore_change))
        await asyncio.sleep(11.0)
        assert candidate.leadership() is Leadership.LEADING
        task.cancel()

    run_fast(story())
    assert "a fault of ours" in caplog.text


def test_whoever_fails_to_follow_a_change_of_standing_does_not_end_the_election(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        candidate = Candidate(LeaseStore(), ONE)
        faults = [ZeroDivisionError("a fault of ours")] * 3

        def faulty() -> None:
            if faults:
                raise faults.pop()

        task = asyncio.create_task(candidate.elector.run(faulty))
        await asyncio.sleep(100.0)
        assert not task.done()
        assert not faults
        assert candidate.leadership() is Leadership.LEADING
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
        before, candidate = store.spec(), Candidate(store, ONE)

        async def oddly(apply: Apply) -> Object:
            return odd

        candidate.api.network = oddly
        task = asyncio.create_task(candidate.elector.run(ignore_change))
        await asyncio.sleep(30.0)
        assert "no lease" in candidate.elector.fault
        assert candidate.leadership() is Leadership.FOLLOWING
        assert candidate.elector.leader == ""
        assert store.spec() == before
        task.cancel()

    run_fast(story())


@pytest.mark.parametrize("odd", ["many", -1, 2**31 - 1, 2**70, 1.5, {}, None])
def test_a_count_that_cannot_be_keeps_no_lease_from_its_next_holder(odd: object) -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity="", leaseTransitions=odd, leaseDurationSeconds=odd)
        assert await Candidate(store, ONE).tries() is Leadership.LEADING
        assert 0 <= store.spec()["leaseTransitions"] < 2**31

    run_fast(story())


def test_of_two_who_see_it_expire_at_the_same_time_one_leads() -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity=STOCK, leaseDurationSeconds=15)
        both = [Candidate(store, ONE), Candidate(store, TWO)]
        for candidate in both:
            await candidate.tries()
            candidate.api.network = late(1, 1)
        await asyncio.sleep(20.0)
        standings = await asyncio.gather(*(candidate.tries() for candidate in both))
        assert sorted(standing.value for standing in standings) == ["following", "leading"]

    run_fast(story())


def test_a_lease_is_counted_on_from_before_it_was_asked_for() -> None:
    async def story() -> None:
        candidate = Candidate(LeaseStore(), ONE)
        candidate.api.network = late(5, 10)
        await candidate.tries()
        await asyncio.sleep(24.0)
        assert candidate.leadership() is Leadership.LEADING
        await asyncio.sleep(2.0)
        assert candidate.leadership() is Leadership.UNSURE

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
