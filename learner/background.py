"""Work beside the loop, in a thread that does not keep the process from ending."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

T = TypeVar("T")


class Begin(Protocol):
    """Begins work, and gives what it will come to."""

    def __call__(self, work: Callable[[], T], /) -> "Future[T]": ...  # noqa: D102


def in_background(work: Callable[[], T], /) -> "Future[T]":
    """Run ``work`` in a thread of its own."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # raised to who asks for the result
            future.set_exception(error)

    threading.Thread(target=run, name="beside the loop", daemon=True).start()
    return future
