"""Events are written at a bounded rate, and never keep anybody waiting."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from autoscaler.clock import SimulatedClock
from knative.advisor.events import (
    ALL_BURST,
    EACH_BURST,
    EACH_PER_S,
    LONGEST_MESSAGE,
    MOST_TOLD,
    Events,
    Note,
    Regarding,
)
from knative.client.api import ApiError, Object
from tests.knative.api_server import FakeApi
from tests.knative.fast_loop import run_fast
from tests.knative.objects import NOW_S

T = TypeVar("T")
PATH = "/api/v1/namespaces/shop/events"


def about(name: str = "cart-00001") -> Regarding:
    return Regarding(api_version="v1", kind="Pod", namespace="shop", name=name, uid=f"uid-{name}")


def a_note(message: str = "3 pods.", *, name: str = "cart-00001", reason: str = "Scaled") -> Note:
    return Note(about=about(name), reason=reason, message=message)


class Told:
    """Events over a fake API server, with time that passes by itself."""

    def __init__(self) -> None:
        self.api, self.clock = FakeApi(), SimulatedClock(NOW_S)
        self.faults: list[str] = []
        self.events = Events(self.api, self.clock, self.faults.append)
        self.task = asyncio.create_task(self.events.run())

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.clock.advance(seconds)
        assert not self.task.done()

    @property
    def written(self) -> list[Object]:
        return self.api.bodies(PATH)


def tell(story: Callable[[Told], Coroutine[Any, Any, T]]) -> T:
    """Run a story while events are written."""

    async def run() -> T:
        told = Told()
        try:
            return await story(told)
        finally:
            told.task.cancel()
            await asyncio.wait([told.task])

    return run_fast(run())


def test_an_event_says_what_of_which_object_and_when() -> None:
    async def story(told: Told) -> Object:
        told.events.tell(a_note("3 pods: for a reason."))
        await told.passes(0.1)
        (event,) = told.written
        return event

    event = tell(story)
    assert event["metadata"]["name"].startswith("cart-00001.")
    assert event["metadata"]["namespace"] == event["involvedObject"]["namespace"] == "shop"
    assert event["involvedObject"]["uid"] == "uid-cart-00001"
    assert (event["type"], event["reason"], event["count"]) == ("Normal", "Scaled", 1)
    assert event["message"] == "3 pods: for a reason."
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2023-11-14T22:13:20Z"


def test_the_same_within_the_interval_is_one_event_with_a_count() -> None:
    async def story(told: Told) -> list[Object]:
        for message in ("2 pods.", "3 pods.", "4 pods."):
            told.events.tell(a_note(message))
            told.clock.advance(2.0)
        told.events.tell(a_note("0 pods.", reason="ScaledToZero"))
        await told.passes(5.0)
        return told.written

    scaled, zero = tell(story)
    assert (scaled["message"], scaled["count"]) == ("4 pods.", 3)
    assert scaled["firstTimestamp"] < scaled["lastTimestamp"]
    assert (zero["reason"], zero["count"]) == ("ScaledToZero", 1)


def test_a_revision_that_flaps_is_told_of_at_a_bounded_rate_and_hides_no_other() -> None:
    seconds = 600

    async def story(told: Told) -> list[Object]:
        for i in range(seconds):
            told.events.tell(a_note(f"{i} pods."))
            if i == seconds // 2:
                told.events.tell(a_note("1 pod.", name="till-00001"))
            await told.passes(1.0)
        return told.written

    written = tell(story)
    names = [event["involvedObject"]["name"] for event in written]
    assert EACH_BURST < names.count("cart-00001") <= EACH_BURST + seconds * EACH_PER_S
    assert names.count("till-00001") == 1
    counted = sum(event["count"] for event in written if "cart" in event["metadata"]["name"])
    assert counted > 0.8 * seconds  # what waited was folded, not lost


def test_many_revisions_at_once_wait_in_a_bounded_list() -> None:
    async def story(told: Told) -> tuple[list[int], dict[str, int]]:
        for i in range(MOST_TOLD + 300):
            told.events.tell(a_note(name=f"r{i:05d}"))
        seen = []
        for _ in range(3):
            await told.passes(1.5)
            seen.append(len(told.written))
        await told.passes(600.0)
        return seen, told.events.outcomes

    seen, outcomes = tell(story)
    assert ALL_BURST <= seen[0] < seen[1] < seen[2] < MOST_TOLD
    assert outcomes == {"written": MOST_TOLD, "dropped": 300, "failed": 0}


@pytest.mark.parametrize("status", [403, 404, 409, 429, 500, 0])
def test_an_event_that_is_refused_is_counted_and_the_next_one_is_written(status: int) -> None:
    async def story(told: Told) -> Told:
        told.api.refuse(PATH, status)
        told.events.tell(a_note())
        await told.passes(5.0)
        told.events.tell(a_note())
        await told.passes(5.0)
        return told

    told = tell(story)
    assert told.events.outcomes == {"written": 1, "dropped": 0, "failed": 1}
    assert [bool(fault) for fault in told.faults] == [True, False]


class OddApi(FakeApi):
    """Fails in a way that nobody foresaw, and then asks for patience."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = [
            TypeError("a fault of ours"),
            ApiError("busy", status=429, retry_after_s=30.0),
        ]

    async def create(self, path: str, body: Any) -> Object:
        if self.faults:
            raise self.faults.pop(0)
        return await super().create(path, body)


def test_whatever_goes_wrong_the_writing_goes_on_when_the_server_wants_it() -> None:
    async def story(told: Told) -> list[int]:
        told.events._api = api = OddApi()
        for name in ("a", "b", "c"):
            told.events.tell(a_note(name=name))
        written = []
        for seconds in (10.0, 25.0):
            await told.passes(seconds)
            written.append(len(api.bodies(PATH)))
        return written

    assert tell(story) == [0, 1]


def test_a_server_that_never_answers_keeps_nobody_waiting() -> None:
    async def story(told: Told) -> int:
        told.api.silent.add(PATH)
        for i in range(5 * MOST_TOLD):
            told.events.tell(a_note(name=f"r{i}"))  # returns at once
            if i == 10:
                await told.passes(1.0)
        return told.events.outcomes["dropped"]

    assert tell(story) >= 3 * MOST_TOLD


def test_a_message_is_cut_to_what_kubernetes_takes() -> None:
    async def story(told: Told) -> Object:
        told.events.tell(a_note("x" * 5000))
        await told.passes(1.0)
        return told.written[0]

    assert len(tell(story)["message"]) == LONGEST_MESSAGE
