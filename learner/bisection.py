"""Finds the services that make a joint computation fail, by bisection.

An error over many services rarely names one. What fails for all is tried with either half, and with
the halves of those that fail.
"""

from collections.abc import Callable

import numpy as np

from autoscaler.core.types import IntArray

MOST_ATTEMPTS = 64  # enough for three faulty ones among 10,000; more faults are raised


def faulty_services(
    rows: IntArray, error: Exception, attempt: Callable[[IntArray], object]
) -> dict[int, Exception]:
    """Those of ``rows`` with which alone ``attempt`` fails, and the error of each.

    error: with which it failed for all. Nothing is found where it fails only with some together.
    Raises ``error`` after too many attempts.
    """
    found: dict[int, Exception] = {}
    failed = [(rows, error)]
    attempts = 0
    while failed:
        group, cause = failed.pop()
        if len(group) == 1:
            found[int(group[0])] = cause
            continue
        for half in np.array_split(group, 2):
            attempts += 1
            if attempts > MOST_ATTEMPTS:
                raise error
            try:
                attempt(half)
            except Exception as cause_of_half:  # noqa: BLE001  # returned with its service
                failed.append((half, cause_of_half))
    return found
