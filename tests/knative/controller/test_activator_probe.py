"""The activator is asked at a revision's address until it answers, for a limited time."""

import asyncio
from typing import Any

import pytest

from knative.controller.runtime.writer import ASK_LIMIT_S, ASKED_AT_ONCE, Writer
from knative.controller.state import events as seen
from knative.controller.state.instructions import AskActivator, CancelWrites
from tests.knative.api_server import FakeApi
from tests.knative.fast_loop import run_fast

ASK = AskActivator(key="shop/cart", host="cart.shop")


class Asked:
    """A writer that asks; the activator answers from the so-manieth time on."""

    def __init__(self, *, answers_from: float = 1, takes_s: float = 0.0) -> None:
        self.hosts: list[str] = []
        self.reports: list[Any] = []
        self.at_once = self._now = 0
        self._answers_from, self._takes_s = answers_from, takes_s
        self.writer = Writer(
            FakeApi(),
            self._ask,
            report=self.reports.append,
            may_write=lambda: True,
            uid_of=lambda key: "",
        )

    async def _ask(self, host: str) -> bool:
        self.hosts.append(host)
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        await asyncio.sleep(self._takes_s)
        self._now -= 1
        return self.hosts.count(host) >= self._answers_from


@pytest.mark.parametrize("times", [1, 7])
def test_it_is_asked_until_it_answers_which_is_one_event(times: int) -> None:
    async def story() -> None:
        asked = Asked(answers_from=times)
        asked.writer.carry_out([ASK])
        await asyncio.sleep(60.0)
        assert asked.hosts == ["cart.shop"] * times
        assert asked.reports == [seen.ActivatorAnswered(key="shop/cart")]

    run_fast(story())


def test_it_is_asked_once_at_a_time_for_a_revision() -> None:
    async def story() -> None:
        asked = Asked(takes_s=5.0)
        asked.writer.carry_out([ASK, ASK])
        await asyncio.sleep(1.0)
        asked.writer.carry_out([ASK])
        await asyncio.sleep(60.0)
        assert len(asked.hosts) == 1
        asked.writer.carry_out([ASK])
        await asyncio.sleep(60.0)
        assert len(asked.hosts) == 2

    run_fast(story())


def test_who_hears_that_it_does_not_answer_may_have_it_asked_again_at_once() -> None:
    async def story() -> None:
        asked = Asked(answers_from=ASK_LIMIT_S + 1)

        def hears(event: Any) -> None:
            asked.reports.append(event)
            asked.writer.carry_out([ASK] * isinstance(event, seen.ActivatorUnreachable))

        asked.writer._report = hears
        asked.writer.carry_out([ASK])
        await asyncio.sleep(ASK_LIMIT_S + 5.0)
        unreachable = seen.ActivatorUnreachable(key="shop/cart")
        assert asked.reports == [unreachable, seen.ActivatorAnswered(key="shop/cart")]

    run_fast(story())


def test_without_an_answer_asking_ends_with_an_event_and_may_start_again() -> None:
    async def story() -> None:
        asked = Asked(answers_from=50)
        asked.writer.carry_out([ASK])
        await asyncio.sleep(ASK_LIMIT_S + 5.0)
        assert asked.reports == [seen.ActivatorUnreachable(key="shop/cart")]
        assert len(asked.hosts) == int(ASK_LIMIT_S)
        asked.writer.carry_out([ASK])
        await asyncio.sleep(ASK_LIMIT_S + 5.0)
        assert asked.reports[1:] == [seen.ActivatorAnswered(key="shop/cart")]

    run_fast(story())


def test_asking_ends_when_writes_are_cancelled() -> None:
    async def story() -> None:
        asked = Asked(answers_from=float("inf"))
        asked.writer.carry_out([ASK, CancelWrites()])
        await asyncio.sleep(10.0)
        assert (asked.hosts, asked.reports) == ([], [])
        asked.writer.carry_out([ASK])
        await asyncio.sleep(10.0)
        assert len(asked.hosts) >= 9
        asked.writer.carry_out([CancelWrites()])

    run_fast(story())


def test_the_number_of_simultaneous_requests_is_limited() -> None:
    async def story() -> None:
        asked = Asked(takes_s=1.0)
        asks = [AskActivator(key=f"shop/s{i}", host=f"s{i}.shop") for i in range(200)]
        asked.writer.carry_out(asks)
        await asyncio.sleep(60.0)
        assert asked.at_once == ASKED_AT_ONCE
        assert len(asked.reports) == 200

    run_fast(story())


def test_a_request_that_raises_counts_as_no_answer() -> None:
    async def story() -> None:
        async def broken(host: str) -> bool:
            raise RuntimeError("a fault of ours")

        reports: list[Any] = []
        writer = Writer(
            FakeApi(),
            broken,
            report=reports.append,
            may_write=lambda: True,
            uid_of=lambda key: "",
        )
        writer.carry_out([ASK])
        await asyncio.sleep(60.0)
        assert reports == [seen.ActivatorUnreachable(key="shop/cart")]

    run_fast(story())
