"""Pages are made once for all who ask."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from autoscaler.api.rendering import Renderer


class Maker:
    """Makes pages that say which one they are; held back until it is let go."""

    def __init__(self, *, held: bool = False) -> None:
        self.made, self.at_once, self.most_at_once = 0, 0, 0
        self.go, self._lock = threading.Event(), threading.Lock()
        if not held:
            self.go.set()

    def __call__(self) -> int:
        with self._lock:
            self.made += 1
            number = self.made
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.go.wait()
        with self._lock:
            self.at_once -= 1
        return number


def test_a_page_is_made_once_a_version() -> None:
    renderer, make = Renderer(), Maker()

    async def ask(*versions: int) -> list[int]:
        return [await renderer.page("page", version, make) for version in versions]

    assert asyncio.run(ask(1, 1, 2, 2, 1)) == [1, 1, 2, 2, 3]


def test_pages_of_other_keys_are_others() -> None:
    renderer, make = Renderer(), Maker()

    async def ask() -> list[int]:
        return [await renderer.page(key, 0, make) for key in ("a", "b", "a")]

    assert asyncio.run(ask()) == [1, 2, 1]


async def together(n: int, page: Callable[[int], asyncio.Task[int]], make: Maker) -> list[int]:
    """What n clients get who ask while the first one's page is being made."""
    tasks = [page(i) for i in range(n)]
    for _ in range(3):
        await asyncio.sleep(0)
    make.go.set()
    return await asyncio.gather(*tasks)


def test_all_who_ask_meanwhile_share_the_page_that_is_being_made() -> None:
    renderer, make = Renderer(), Maker(held=True)

    def page(i: int) -> asyncio.Task[int]:
        return asyncio.create_task(renderer.page("page", i, make))

    assert asyncio.run(together(50, page, make)) == [1] * 50


def test_no_more_are_made_at_once_than_there_are_threads() -> None:
    renderer, make = Renderer(threads=2), Maker(held=True)

    def page(i: int) -> asyncio.Task[int]:
        return asyncio.create_task(renderer.page(i, 0, make))

    assert sorted(asyncio.run(together(20, page, make))) == list(range(1, 21))
    assert make.most_at_once <= 2


def test_who_goes_away_does_not_take_the_page_from_the_others() -> None:
    renderer, make = Renderer(), Maker(held=True)

    async def ask() -> int:
        first, second = (asyncio.create_task(renderer.page("p", 0, make)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        make.go.set()
        return await second

    assert asyncio.run(ask()) == 1


def test_the_loop_goes_on_while_a_page_is_being_made() -> None:
    renderer, make = Renderer(), Maker(held=True)

    async def ask() -> int:
        page = asyncio.create_task(renderer.page("page", 0, make))
        await asyncio.sleep(0)
        make.go.set()  # only a loop that goes on comes here
        return await page

    assert asyncio.run(ask()) == 1


def test_what_failed_is_told_to_all_who_asked_and_tried_again() -> None:
    renderer, make = Renderer(), Maker(held=True)

    def fail() -> int:
        raise ZeroDivisionError(make())

    async def ask() -> int:
        both = [asyncio.create_task(renderer.page("page", 0, fail)) for _ in range(2)]
        await asyncio.sleep(0)
        make.go.set()
        failed = await asyncio.gather(*both, return_exceptions=True)
        assert [type(one) for one in failed] == [ZeroDivisionError] * 2
        return await renderer.page("page", 0, make)

    assert asyncio.run(ask()) == 2


@pytest.mark.parametrize(("most", "made"), [(2, 4), (3, 3)])
def test_so_many_pages_are_kept_and_no_more(most: int, made: int) -> None:
    renderer, make = Renderer(most=most), Maker()

    async def ask() -> None:
        for key in ("a", "b", "c", "a"):
            await renderer.page(key, 0, make)

    asyncio.run(ask())
    assert make.made == made
