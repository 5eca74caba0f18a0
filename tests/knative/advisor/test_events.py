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
    MOST_PENDING,
    EventRecorder,
    ObjectEvent,
    ObjectReference,
)
from knative.client.api import ApiError, Object
from tests.knative.api_server import FakeApi
from tests.knative.fast_loop import run_fast
from tests.knative.objects import NOW_S

T = TypeVar("T")
PATH = "/api/v1/namespaces/shop/events"


def about(name: str = "cart-00001") -> ObjectReference:
    return ObjectReference(
        api_version="v1", kind="Pod", namespace="shop", name=name, uid=f"uid-{name}"
    )


def an_event(
    message: str = "3 pods.", *, name: str = "cart-00001", reason: str = "Scaled"
) -> ObjectEvent:
    return ObjectEvent(about=about(name), reason=reason, message=message)


class RunningRecorder:
    """Events over a fake API server, with time that passes by itself."""

    def __init__(self, api: FakeApi) -> None:
        self.api, self.clock = api, SimulatedClock(NOW_S)
        self.faults: list[str] = []
        self.events = EventRecorder(self.api, self.clock, self.faults.append)
        self.task = asyncio.create_task(self.events.run())

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.clock.advance(seconds)
        assert not self.task.done()

    @property
    def written(self) -> list[Object]:
        return self.api.bodies(PATH)


def run_with_recorder(
    story: Callable[[RunningRecorder], Coroutine[Any, Any, T]], api: FakeApi | None = None
) -> T:
    """Run a story while events are written."""

    async def run() -> T:
        it = RunningRecorder(api or FakeApi())
        try:
            return await story(it)
        finally:
            it.task.cancel()
            await asyncio.wait([it.task])

    return run_fast(run())


def test_an_event_names_its_object_its_reason_and_its_time() -> None:
    async def story(it: RunningRecorder) -> Object:
        it.events.record(an_event("3 pods: for a reason."))
        await it.passes(0.1)
        (event,) = it.written
        return event

    event = run_with_recorder(story)
    assert event["metadata"]["name"].startswith("cart-00001.")
    assert event["metadata"]["namespace"] == event["involvedObject"]["namespace"] == "shop"
    assert event["involvedObject"]["uid"] == "uid-cart-00001"
    assert (event["type"], event["reason"], event["count"]) == ("Normal", "Scaled", 1)
    assert event["message"] == "3 pods: for a reason."
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2023-11-14T22:13:20Z"


def test_equal_events_that_wait_become_one_with_a_count() -> None:
    async def story(it: RunningRecorder) -> list[Object]:
        for message in ("2 pods.", "3 pods.", "4 pods."):
            it.events.record(an_event(message))
            it.clock.advance(2.0)
        it.events.record(an_event("0 pods.", reason="ScaledToZero"))
        await it.passes(5.0)
        return it.written

    scaled, zero = run_with_recorder(story)
    assert (scaled["message"], scaled["count"]) == ("4 pods.", 3)
    assert scaled["firstTimestamp"] < scaled["lastTimestamp"]
    assert (zero["reason"], zero["count"]) == ("ScaledToZero", 1)


def test_events_of_a_flapping_revision_are_rate_limited_and_delay_no_other() -> None:
    seconds = 600

    async def story(it: RunningRecorder) -> list[Object]:
        for i in range(seconds):
            it.events.record(an_event(f"{i} pods."))
            if i == seconds // 2:
                it.events.record(an_event("1 pod.", name="till-00001"))
            await it.passes(1.0)
        return it.written

    written = run_with_recorder(story)
    names = [event["involvedObject"]["name"] for event in written]
    assert EACH_BURST < names.count("cart-00001") <= EACH_BURST + seconds * EACH_PER_S
    assert names.count("till-00001") == 1
    counted = sum(event["count"] for event in written if "cart" in event["metadata"]["name"])
    assert counted > 0.8 * seconds  # what waited was folded, not lost


def test_events_of_many_revisions_wait_in_a_bounded_queue() -> None:
    async def story(it: RunningRecorder) -> tuple[list[int], dict[str, int]]:
        for i in range(MOST_PENDING + 300):
            it.events.record(an_event(name=f"r{i:05d}"))
        seen = []
        for _ in range(3):
            await it.passes(1.5)
            seen.append(len(it.written))
        await it.passes(600.0)
        return seen, it.events.outcomes

    seen, outcomes = run_with_recorder(story)
    assert ALL_BURST <= seen[0] < seen[1] < seen[2] < MOST_PENDING
    assert outcomes == {"written": MOST_PENDING, "dropped": 300, "failed": 0}


@pytest.mark.parametrize("status", [403, 404, 409, 429, 500, 0])
def test_an_event_that_is_refused_is_counted_and_the_next_one_is_written(status: int) -> None:
    async def story(it: RunningRecorder) -> RunningRecorder:
        it.api.refuse(PATH, status)
        it.events.record(an_event())
        await it.passes(5.0)
        it.events.record(an_event())
        await it.passes(5.0)
        return it

    it = run_with_recorder(story)
    assert it.events.outcomes == {"written": 1, "dropped": 0, "failed": 1}
    assert [bool(fault) for fault in it.faults] == [True, False]


class OddApi(FakeApi):
    """Raises an unforeseen error first, then 429 with a Retry-After."""

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


def test_writing_goes_on_after_any_error_and_after_the_retry_after() -> None:
    async def story(it: RunningRecorder) -> list[int]:
        for name in ("a", "b", "c"):
            it.events.record(an_event(name=name))
        written = []
        for seconds in (10.0, 25.0):
            await it.passes(seconds)
            written.append(len(it.written))
        return written

    assert run_with_recorder(story, OddApi()) == [0, 1]


def test_record_returns_at_once_while_the_server_does_not_answer() -> None:
    async def story(it: RunningRecorder) -> int:
        it.api.silent.add(PATH)
        for i in range(5 * MOST_PENDING):
            it.events.record(an_event(name=f"r{i}"))  # returns at once
            if i == 10:
                await it.passes(1.0)
        return it.events.outcomes["dropped"]

    assert run_with_recorder(story) >= 3 * MOST_PENDING


def test_a_message_is_cut_to_what_kubernetes_takes() -> None:
    async def story(it: RunningRecorder) -> Object:
        it.events.record(an_event("x" * 5000))
        await it.passes(1.0)
        return it.written[0]

    assert len(run_with_recorder(story)["message"]) == LONGEST_MESSAGE
