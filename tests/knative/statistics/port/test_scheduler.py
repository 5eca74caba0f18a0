"""The time of the loop is divided so that no flood delays another's frame."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from autoscaler.limits import CONNECTION_SHARE, FRAMES_TURN_S, STATISTICS_SHARE
from knative.statistics.port.scheduler import FairScheduler, RecentTime
from tests.knative.fast_loop import run_fast

STEP_S = FRAMES_TURN_S.most / 4


def test_what_was_taken_fades() -> None:
    recent = RecentTime(10.0, 0.1)
    assert recent.share(10.0) == 0.1
    assert recent.share(11.0) == pytest.approx(0.1 / 2.718, rel=1e-3)
    recent.add(0.1, 11.0)
    assert recent.share(11.0) == pytest.approx(0.1 + 0.1 / 2.718, rel=1e-3)
    assert recent.share(100.0) < 1e-9


def test_who_takes_a_part_of_the_time_for_long_has_that_share() -> None:
    recent = RecentTime(0.0)
    for i in range(1000):
        recent.add(0.002, i * 0.01)
    assert recent.share(9.99) == pytest.approx(0.2, rel=0.01)


def test_one_knows_how_long_to_wait() -> None:
    recent = RecentTime(0.0, 0.3)
    assert recent.wait_s(0.3, 0.0) == 0.0
    wait_s = recent.wait_s(0.2, 0.0)
    assert recent.share(wait_s) == pytest.approx(0.2)


class Desk:
    """A clock that work moves, and what was done."""

    def __init__(self) -> None:
        self.spent = 0.0
        self.done = list[str]()
        self.scheduler = FairScheduler(self.now, lambda: self.spent)

    def now(self) -> float:
        return asyncio.get_running_loop().time() + self.spent

    def has(self, name: str, steps: int, step_s: float = STEP_S) -> "Worker":
        """Somebody comes with so many steps to do."""
        worker = Worker(self, name, steps, step_s)
        self.scheduler.add(worker)
        return worker

    async def turn(self) -> list[str]:
        """What is done in the next turn."""
        before = len(self.done)
        while len(self.done) == before:
            await asyncio.sleep(0.0001)
        return self.done[before:]


class Worker:
    """Has so many steps to do."""

    def __init__(self, desk: Desk, name: str, steps: int, step_s: float) -> None:
        self.recent = RecentTime(desk.now(), 0.0)
        self._desk, self._name, self.steps, self._step_s = desk, name, steps, step_s
        self.able, self.aborted = True, False

    def has_work(self) -> bool:
        return self.steps > 0

    def may_step(self) -> bool:
        return self.able

    def step(self) -> None:
        self.steps -= 1
        self._desk.spent += self._step_s
        self._desk.done.append(self._name)

    def abort(self) -> None:
        self.aborted = True
        self._desk.scheduler.discard(self)


class Broken(Worker):
    """Cannot do them."""

    def step(self) -> None:
        super().step()
        raise ZeroDivisionError("a fault of ours")


def run(story: Callable[[Desk], Awaitable[None]]) -> None:
    """Run a story in which waiting takes no time."""

    async def told() -> None:
        desk = Desk()
        await story(desk)
        desk.scheduler.stop()

    run_fast(told())


def test_a_turn_is_no_longer_than_it_may_be() -> None:
    async def story(desk: Desk) -> None:
        desk.has("a", 100)
        assert len(await desk.turn()) == 4
        assert len(await desk.turn()) == 4

    run(story)


def test_after_a_turn_the_loop_has_as_much_time_for_others() -> None:
    async def story(desk: Desk) -> None:
        began = desk.now()
        for name in "abcdefgh":
            desk.has(name, 100_000)
        await asyncio.sleep(2.0)
        share = desk.spent / (desk.now() - began)
        assert share == pytest.approx(STATISTICS_SHARE.most, rel=0.05)

    run(story)


def test_next_is_always_who_took_least() -> None:
    async def story(desk: Desk) -> None:
        desk.has("a", 100)
        await desk.turn()
        desk.has("b", 3)
        assert await desk.turn() == ["b", "b", "b", "a"]

    run(story)


def test_a_light_one_among_heavy_ones_is_next() -> None:
    async def story(desk: Desk) -> None:
        for name in "abc":
            desk.has(name, 1000, step_s=0.03)
        for _ in range(10):
            await desk.turn()
        desk.has("light", 1)
        assert (await desk.turn())[0] == "light"

    run(story)


def test_one_alone_gets_its_share_and_no_more() -> None:
    async def story(desk: Desk) -> None:
        desk.has("a", 10**9)
        await asyncio.sleep(5.0)
        began, spent = desk.now(), desk.spent
        await asyncio.sleep(5.0)
        share = (desk.spent - spent) / (desk.now() - began)
        assert share == pytest.approx(CONNECTION_SHARE.most, rel=0.05)

    run(story)


def test_a_newcomer_is_behind_who_takes_little() -> None:
    async def story(desk: Desk) -> None:
        newcomer, old = desk.has("newcomer", 1), desk.has("old", 1)
        newcomer.recent, old.recent = RecentTime(desk.now()), RecentTime(desk.now() - 10)
        assert await desk.turn() == ["old", "newcomer"]

    run(story)


def test_who_may_not_go_on_is_passed_over() -> None:
    async def story(desk: Desk) -> None:
        a = desk.has("a", 1)
        a.able = False
        desk.has("b", 1)
        assert await desk.turn() == ["b"]
        a.able = True
        assert await desk.turn() == ["a"]

    run(story)


def test_a_fault_ends_the_worker_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def story(desk: Desk) -> None:
        broken = Broken(desk, "broken", 5, STEP_S)
        desk.scheduler.add(broken)
        desk.has("b", 2)
        assert sorted(await desk.turn()) == ["b", "b", "broken"]
        assert broken.aborted

    run(story)
    assert "a fault of ours" in caplog.text


def test_who_comes_while_others_have_to_wait_is_served_at_once() -> None:
    async def story(desk: Desk) -> None:
        heavy = Worker(desk, "heavy", 10**9, STEP_S)
        heavy.recent.add(100.0, desk.now())  # more than it may for seconds
        desk.scheduler.add(heavy)
        await asyncio.sleep(1.0)
        assert desk.done == []
        desk.has("light", 1)
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0)
        assert desk.done == ["light"]

    run(story)


def test_who_has_left_does_nothing_more() -> None:
    async def story(desk: Desk) -> None:
        a = desk.has("a", 100)
        await desk.turn()
        desk.scheduler.discard(a)
        desk.has("b", 1)
        assert await desk.turn() == ["b"]
        await asyncio.sleep(1.0)
        assert len(desk.done) == 5

    run(story)
