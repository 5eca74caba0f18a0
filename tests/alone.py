"""What a function answers in a process of its own.

For who counts memory: threads that another test left to end by themselves allocate beside it.
"""

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")


def alone(function: Callable[..., T], *args: object) -> T:
    """Call a function of a module there; what it takes and answers is pickled."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def with_peak(function: Callable[..., T], *args: object) -> tuple[T, int]:
    """What a function answers alone, and the most bytes that it held at a time."""
    return alone(_traced, function, args)


def _traced(function: Callable[..., T], args: tuple[object, ...]) -> tuple[T, int]:
    tracemalloc.start()
    return function(*args), tracemalloc.get_traced_memory()[1]
