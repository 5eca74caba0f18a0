"""What people are told of once when it begins: that a bill had the last word.

A bill cuts in every tick, or in every other one. It has begun to where it did not for `OVER_S`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from autoscaler.advisor.frame import Frame
from autoscaler.core.state.decision import Reason
from autoscaler.core.types import IntArray
from autoscaler.exchange.snapshot import Named

OVER_S = 600.0  # s without it after which it is over


class Occasion(Enum):
    """What begins."""

    BILL_REACHED = auto()  # pods ahead were asked for, and a bill did not pay for all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """It has begun for a revision."""

    occasion: Occasion
    revision: Named
    sentence: str  # of the decision


class Occasions:
    """Remembers which go on."""

    def __init__(self) -> None:
        self._last_s: dict[tuple[Occasion, int], float] = {}  # by `name_id` of the revision, Unix s

    def begun(self, frame: Frame) -> list[Begun]:
        """What began with a snapshot."""
        return list(self._begun(frame))

    def _begun(self, frame: Frame) -> Iterator[Begun]:
        if frame.snapshot is None:
            return
        now, last_s = frame.snapshot.at_s, self._last_s
        for occasion, rows in _present(frame).items():
            for row in rows.tolist():
                if row not in frame.named:
                    continue
                named = frame.named[row]
                if not now - last_s.get((occasion, named.id), -np.inf) < OVER_S:
                    yield Begun(
                        occasion=occasion, revision=named, sentence=frame.state(row).sentence
                    )
                last_s[occasion, named.id] = now
        self._last_s = {key: at_s for key, at_s in last_s.items() if now - at_s < OVER_S}


def _present(frame: Frame) -> dict[Occasion, IntArray]:
    """Rows of the snapshot for which it is so, by what it is."""
    return {Occasion.BILL_REACHED: np.flatnonzero(frame.reasons == Reason.BILL)}
