"""Who spoils it for all: found by halves, so that the others can be spared.

Where many services are worked on together, an error says what went wrong and rarely with whom. What
fails for all is tried with either half, and with the halves of those that fail.
"""

from collections.abc import Callable

import numpy as np

from autoscaler.core.types import IntArray

MOST_ATTEMPTS = 64  # three culprits among 10,000; what fails more often is no fault of a few


def faulty_services(
    rows: IntArray, error: Exception, attempt: Callable[[IntArray], object]
) -> dict[int, Exception]:
    """Those of ``rows`` with whom alone ``attempt`` fails, as it did with all, and how.

    error: what it failed with. None where it fails with some only together. Raises that error where
    too many attempts fail.
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
            except Exception as another:  # noqa: BLE001  # it is told with whose it is
                failed.append((half, another))
    return found
