"""The law of leadership: whatever the network and clocks do, at most one leads."""

import asyncio
import logging

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from autoscaler.clock import SimulatedClock
from knative.client.api import ApiError, Object
from knative.leadership.elector import Elector
from tests.examples import examples
from tests.knative.conftest import NOW_S, run_fast
from tests.knative.leadership.candidate import Fault, ignore_change, late
from tests.knative.leadership.leases import (
    SYSTEM,
    Apply,
    LeaseApi,
    LeaseStore,
)


async def answers(apply: Apply) -> Object:
    return apply()


async def lost(apply: Apply) -> Object:
    raise ApiError("the request was lost", status=0)


async def unanswered(apply: Apply) -> Object:
    apply()
    raise ApiError("the answer was lost", status=0)


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
            self._task = asyncio.create_task(self.elector.run(ignore_change))

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
    max_examples=examples(12, many=30),
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
