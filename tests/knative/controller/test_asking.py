"""The activator is asked at a revision's address until it answers, for a while."""

import asyncio
from typing import Any

import pytest

from knative.controller.runtime.writer import ASK_LIMIT_S, ASKED_AT_ONCE, Writer
from knative.controller.state import events as seen
from knative.controller.state.instructions import AskActivator, GiveUp
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
def test_it_is_asked_until_it_answers_and_that_is_told_once(times: int) -> None:
    async def story() -> None:
        asked = Asked(answers_from=times)
        asked.writer.carry_out([ASK])
        await asyncio.sleep(60.0)
        assert asked.hosts == ["cart.shop"] * times
        assert asked.reports == [seen.ActivatorAnswered(key="shop/cart")]

    run_fast(story())


def test_of_one_revision_it_is_asked_once_at_a_time() -> None:
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


def test_one_that_does_not_answer_is_given_up_told_and_may_be_asked_again() -> None:
    async def story() -> None:
        asked = Asked(answers_from=50)
        asked.writer.carry_out([ASK])
        await asyncio.sleep(ASK_LIMIT_S + 5.0)
        assert asked.reports == [seen.ActivatorSilent(key="shop/cart")]
        assert len(asked.hosts) == int(ASK_LIMIT_S)
        asked.writer.carry_out([ASK])
        await asyncio.sleep(ASK_LIMIT_S + 5.0)
        assert asked.reports[1:] == [seen.ActivatorAnswered(key="shop/cart")]

    run_fast(story())


def test_asking_ends_when_all_is_given_up() -> None:
    async def story() -> None:
        asked = Asked(answers_from=float("inf"))
        asked.writer.carry_out([ASK, GiveUp()])
        await asyncio.sleep(10.0)
        assert (asked.hosts, asked.reports) == ([], [])
        asked.writer.carry_out([ASK])
        await asyncio.sleep(10.0)
        assert len(asked.hosts) >= 9
        asked.writer.carry_out([GiveUp()])

    run_fast(story())


def test_only_so_many_are_asked_at_once() -> None:
    async def story() -> None:
        asked = Asked(takes_s=1.0)
        asks = [AskActivator(key=f"shop/s{i}", host=f"s{i}.shop") for i in range(200)]
        asked.writer.carry_out(asks)
        await asyncio.sleep(60.0)
        assert asked.at_once == ASKED_AT_ONCE
        assert len(asked.reports) == 200

    run_fast(story())


def test_one_that_cannot_even_be_asked_is_told_as_silent() -> None:
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
        assert reports == [seen.ActivatorSilent(key="shop/cart")]

    run_fast(story())
