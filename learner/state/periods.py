"""Periods of levels, refreshed as often as `periods_at` does, but a share of the services a step.

A service is refreshed by its *turn*, so many steps after the step for which `periods_at` would
refresh all, from the past up to that step. All at once would take seconds.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import IntArray
from learner.models.levels import LEVELS
from learner.models.periods import (
    LOOK_BACK,
    REFRESH,
    REFRESH_LATER,
    SHORT_PAST,
    autocorrelation,
    last_refresh,
    strongest_lag,
)
from learner.state.ring import GAP, NeedRing

SPREAD = REFRESH_LATER  # steps over which refreshes are spread
FEWEST_STEPS = LOOK_BACK + REFRESH_LATER  # of the past that refreshes read
AT_ONCE = 256  # series: some 20 MB

Strengths = npt.NDArray[np.float32]


def turns_of(services: Sequence[str], spread: int = SPREAD) -> IntArray:
    """(n,) each service's turn, 0 ... spread - 1: the same in every process."""
    turns = [zlib.crc32(service.encode()) % spread for service in services]
    return np.array(turns, dtype=np.int64)


def refreshed_until(now: int, turn: IntArray) -> IntArray:
    """(n,) the step up to which each service's past counted at its last refresh; 0 = none yet."""
    early = turn % REFRESH
    # Between the first regular refresh by the turn and the last of a short past there is none.
    first = _last_by(early, np.minimum(now - early, SHORT_PAST))
    return np.where(now - turn > SHORT_PAST, _last_by(turn, now - turn), first)


def _last_by(turn: IntArray, since: IntArray) -> IntArray:
    """(n,) the last refresh, so many steps since the turn; 0 = none yet."""
    last = last_refresh(np.maximum(since, 0))
    return np.where(last > 0, turn + last, 0)


def periods_of(
    ring: NeedRing, service: IntArray, cell: IntArray, until: IntArray
) -> tuple[IntArray, Strengths]:
    """Period (steps, 0 = none) and strength of levels (k,) from the past up to a step each."""
    period = np.zeros(len(service), dtype=np.int64)
    strength = np.zeros(len(service), dtype=np.float32)
    for end in np.unique(until[until > 0]).tolist():
        mine = np.flatnonzero(until == end)
        begin = max(0, end - LOOK_BACK)
        for rows in np.array_split(mine, len(mine) // AT_ONCE + 1):
            values = _values(ring, service[rows], cell[rows], begin, end)
            some = (values > 0).any(axis=1)  # of the others none has a period
            lag, height = strongest_lag(autocorrelation(values[some]))
            period[rows[some]], strength[rows[some]] = lag, height
    return period, strength


def _values(
    ring: NeedRing, service: IntArray, cell: IntArray, begin: int, end: int
) -> npt.NDArray[np.float32]:
    asked, back_to_row = np.unique(service, return_inverse=True)
    pods = ring.between(asked, begin, end)[back_to_row]
    active = (pods >= LEVELS[cell][:, None]).astype(np.float32)
    active[pods == GAP] = np.nan
    return active
