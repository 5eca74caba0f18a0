"""Leader election with several leases: all are needed."""

import asyncio

from knative.leadership.elector import Leadership
from knative.settings.election import Election
from tests.knative.conftest import run_fast
from tests.knative.leadership.candidate import ONE, STOCK, TWO, Candidate, ignore_change
from tests.knative.leadership.leases import (
    FIRST,
    LeaseStore,
)


def test_all_leases_are_needed_to_lead_and_acquired_in_order() -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)
        candidate.elector.adopt(Election(buckets=3))
        assert await candidate.tries() is Leadership.LEADING
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
        candidate = Candidate(store, ONE)
        candidate.elector.adopt(Election(buckets=3))
        assert await candidate.tries() is Leadership.FOLLOWING
        assert candidate.elector.leader == STOCK
        held = {name: store.spec(name)["holderIdentity"] for name in Election(buckets=3).leases}
        assert held == dict.fromkeys(Election(buckets=3).leases[:2], "") | {last: STOCK}

    run_fast(story())


def test_who_loses_one_of_several_has_stopped_before_the_rest_is_free() -> None:
    async def story() -> None:
        store = LeaseStore()
        candidate = Candidate(store, ONE)
        first, last = Election(buckets=2).leases
        candidate.elector.adopt(Election(buckets=2))
        await candidate.tries()
        store.put(last, holderIdentity=STOCK)
        seen: list[tuple[Leadership, str]] = []

        def stop() -> None:
            seen.append((candidate.leadership(), store.spec(first)["holderIdentity"]))

        await candidate.elector.campaign(stop)
        assert seen == [(Leadership.FOLLOWING, ONE)]
        assert store.spec(first)["holderIdentity"] == ""

    run_fast(story())


def test_another_number_of_buckets_is_followed_at_once_and_not_by_two() -> None:
    async def story() -> None:
        store = LeaseStore()
        one, two = Candidate(store, ONE), Candidate(store, TWO)
        tasks = [asyncio.create_task(p.elector.run(ignore_change)) for p in (one, two)]
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
