"""What people are told of once when it begins: a bill had the last word, a promise is missed.

A bill cuts in every tick, or in every other one. It has begun to where it did not for `OVER_S`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

import numpy as np

from autoscaler.advisor.frame import Frame
from autoscaler.advisor.promises import Promise
from autoscaler.core.state.decision import Reason
from autoscaler.exchange.snapshot import Named

OVER_S = 600.0  # s without it after which it is over


class Occasion(Enum):
    """What begins."""

    BILL_REACHED = auto()  # pods ahead were asked for, and a bill did not pay for all of them
    PROMISE_MISSED = auto()  # more requests were cold than promised, beyond chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """It has begun for a revision."""

    occasion: Occasion
    revision: Named
    sentence: str  # of the decision, or of the promise


class Occasions:
    """Remembers which go on."""

    def __init__(self) -> None:
        self._last_s: dict[tuple[Occasion, int], float] = {}  # by `name_id` of the revision, Unix s

    def begun(self, frame: Frame, missed: Mapping[str, Promise]) -> list[Begun]:
        """What began with a snapshot. missed: promises, by service."""
        return list(self._begun(frame, missed))

    def _begun(self, frame: Frame, missed: Mapping[str, Promise]) -> Iterator[Begun]:
        if frame.snapshot is None:
            return
        now, last_s = frame.snapshot.at_s, self._last_s
        for occasion, row, sentence in _present(frame, missed):
            key = occasion, frame.named[row].id
            if not now - last_s.get(key, -np.inf) < OVER_S:
                yield Begun(occasion=occasion, revision=frame.named[row], sentence=sentence())
            last_s[key] = now
        self._last_s = {key: at_s for key, at_s in last_s.items() if now - at_s < OVER_S}


def _present(
    frame: Frame, missed: Mapping[str, Promise]
) -> Iterator[tuple[Occasion, int, Callable[[], str]]]:
    """What is so, of which named row of the snapshot, and how it is said."""
    for row in np.flatnonzero(frame.reasons == Reason.BILL).tolist():
        if row in frame.named:
            yield Occasion.BILL_REACHED, row, partial(_sentence, frame, row)
    for service, promise in missed.items():
        for row in frame.revisions.get(service, ()):
            if frame.snapshot and np.isfinite(frame.snapshot.columns["spec_max_cold_rate"][row]):
                yield Occasion.PROMISE_MISSED, row, partial(_missed, frame, service, promise)


def _missed(frame: Frame, service: str, promise: Promise) -> str:
    return str(replace(promise, bill=frame.bill(service), estimated=frame.estimated(service)))


def _sentence(frame: Frame, row: int) -> str:
    return frame.state(row).sentence
