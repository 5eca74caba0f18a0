"""One lease: created, renewed, acquired from another and released as Knative does."""

import asyncio

import pytest

from autoscaler.clock import SimulatedClock
from knative.client.api import ApiError, Object
from knative.leadership.elector import Leadership
from knative.settings.election import Election
from tests.knative.conftest import NOW_S, run_fast
from tests.knative.leadership.candidate import LATER, NOW, ONE, STOCK, TWO, Candidate, late
from tests.knative.leadership.leases import (
    FIRST,
    LEASES,
    Apply,
    LeaseStore,
)


def test_where_there_is_no_lease_it_is_made_as_knative_makes_it() -> None:
    async def story() -> None:
        store = LeaseStore()
        assert await Candidate(store, ONE).tries() is Leadership.LEADING
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
        candidate = Candidate(store, ONE)
        await candidate.tries()
        before, asked = store.spec(), candidate.api.asked
        candidate.clock.advance(60.0)
        assert await candidate.tries() is Leadership.LEADING
        assert store.spec() == before | {"renewTime": LATER}
        assert candidate.api.asked == asked + 1

    run_fast(story())


def test_who_takes_over_counts_a_transition_and_keeps_what_others_wrote() -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity="", leaseTransitions=7, leaseDurationSeconds=1, strategy="x")
        candidate = Candidate(store, ONE)
        assert await candidate.tries() is Leadership.LEADING
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
        assert await Candidate(store, ONE).tries() is Leadership.LEADING

    run_fast(story())


def test_a_pod_that_restarts_takes_its_own_lease_up_at_once() -> None:
    async def story() -> None:
        store = LeaseStore()
        await Candidate(store, ONE).tries()
        again = Candidate(store, ONE, SimulatedClock(NOW_S + 60.0))
        assert again.leadership() is Leadership.FOLLOWING
        assert await again.tries() is Leadership.LEADING
        assert store.spec()["leaseTransitions"] == 0
        assert (store.spec()["acquireTime"], store.spec()["renewTime"]) == (NOW, LATER)

    run_fast(story())


def test_expiry_is_judged_by_what_we_saw_and_not_by_the_others_clock() -> None:
    async def story() -> None:
        store = LeaseStore()
        long_ago = "2001-01-01T00:00:00.000000Z"
        store.put(holderIdentity=STOCK, leaseDurationSeconds=15, renewTime=long_ago)
        candidate = Candidate(store, ONE)
        assert await candidate.tries() is Leadership.FOLLOWING
        assert candidate.elector.leader == STOCK
        await asyncio.sleep(14.0)
        assert await candidate.tries() is Leadership.FOLLOWING
        store.put(renewTime="2001-01-01T00:00:10.000000Z")
        await asyncio.sleep(2.0)
        assert await candidate.tries() is Leadership.FOLLOWING
        await asyncio.sleep(14.0)
        assert await candidate.tries() is Leadership.FOLLOWING
        await asyncio.sleep(1.0)
        assert await candidate.tries() is Leadership.LEADING

    run_fast(story())


def test_who_was_crossed_by_another_looks_again_and_follows() -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)
        await candidate.tries()
        store.put(holderIdentity=STOCK)
        assert await candidate.tries() is Leadership.FOLLOWING
        assert store.spec()["holderIdentity"] == STOCK

    run_fast(story())


def test_who_was_crossed_by_a_mere_label_stays_leader() -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)
        await candidate.tries()
        store.put(strategy="x")
        assert await candidate.tries() is Leadership.LEADING
        assert store.spec()["strategy"] == "x"

    run_fast(story())


def test_a_lease_that_was_deleted_is_made_anew() -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)
        await candidate.tries()
        del store.leases[f"{LEASES}/{FIRST}"]
        assert await candidate.tries() is Leadership.LEADING
        assert store.spec()["holderIdentity"] == ONE

    run_fast(story())


def test_handing_back_names_nobody_and_the_next_leads_at_once() -> None:
    async def story() -> None:
        store = LeaseStore()
        one, two = Candidate(store, ONE), Candidate(store, TWO)
        await one.tries()
        assert await two.tries() is Leadership.FOLLOWING
        await one.elector.resign()
        assert one.leadership() is Leadership.FOLLOWING
        assert store.spec()["holderIdentity"] == ""
        assert store.spec()["leaseDurationSeconds"] == 1
        assert await two.tries() is Leadership.LEADING
        assert store.spec()["leaseTransitions"] == 1

    run_fast(story())


def test_who_follows_hands_nothing_back() -> None:
    async def story() -> None:
        store = LeaseStore()
        one, two = Candidate(store, ONE), Candidate(store, TWO)
        await one.tries()
        await two.tries()
        await two.elector.resign()
        await Candidate(store, "autoscaler-c_10.0.0.3").elector.resign()
        assert store.spec()["holderIdentity"] == ONE

    run_fast(story())


def test_a_lease_acquired_by_a_write_that_was_cut_short_is_handed_back() -> None:
    async def story() -> None:
        store = LeaseStore()
        store.put(holderIdentity="")
        candidate = Candidate(store, ONE)

        async def silent(apply: Apply) -> Object:
            answer = apply()
            if answer["spec"]["holderIdentity"] == ONE:
                candidate.api.network = candidate.network
                await asyncio.sleep(3600.0)
            return answer

        candidate.api.network = silent
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(candidate.tries(), 1.0)
        assert store.spec()["holderIdentity"] == ONE
        await candidate.elector.resign()
        assert store.spec()["holderIdentity"] == ""

    run_fast(story())


def test_a_renewal_that_was_given_up_and_arrives_while_it_is_handed_back_keeps_nothing() -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)
        await candidate.tries()
        candidate.api.network = late(1.0, 0.0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(candidate.tries(), 0.5)
        renewed = store.spec()["renewTime"]
        candidate.clock.advance(60.0)
        candidate.api.network = late(0.3, 0.3)  # read before the renewal arrives, written after it
        await candidate.elector.resign()
        assert store.spec()["holderIdentity"] == ""
        assert store.spec()["renewTime"] != renewed

    run_fast(story())


def test_a_lease_that_changes_again_and_again_is_left_to_expire(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)
        await candidate.tries()

        async def crossed(apply: Apply) -> Object:
            store.put(strategy="x")
            return apply()

        candidate.api.network = crossed
        await candidate.elector.resign()
        assert store.spec()["holderIdentity"] == ONE

    run_fast(story())
    assert "changed 3 times while it was written" in caplog.text


def test_a_failed_release_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        candidate = Candidate(LeaseStore(), ONE)
        await candidate.tries()
        candidate.network.cut = True
        await candidate.elector.resign()

    run_fast(story())
    assert "have to expire" in caplog.text


def test_a_lease_that_cannot_be_handed_back_keeps_none_of_the_others() -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)
        candidate.elector.adopt(Election(buckets=3))
        await candidate.tries()
        first = f"{LEASES}/{next(iter(store.leases)).rpartition('/')[2]}"
        answers = iter([True])

        async def once_deaf(apply: Apply) -> Object:
            if next(answers, False):
                raise ApiError("the first is lost", status=0)
            return apply()

        candidate.api.network = once_deaf
        await candidate.elector.resign()
        held = {path: lease["spec"]["holderIdentity"] for path, lease in store.leases.items()}
        assert held.pop(first) == ONE
        assert set(held.values()) == {""}

    run_fast(story())


def test_a_fault_of_ours_in_handing_back_is_said_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        candidate = Candidate(LeaseStore(), ONE)
        await candidate.tries()

        async def faulty(apply: Apply) -> Object:
            raise ZeroDivisionError("a fault of ours")

        candidate.api.network = faulty
        await candidate.elector.resign()

    run_fast(story())
    assert "a fault of ours" in caplog.text
