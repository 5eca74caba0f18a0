"""Statistics as the core takes them: second by second, each row of the fleet once."""

from collections.abc import Iterator

import numpy as np

from autoscaler.core.control import Reported
from autoscaler.core.state.fleet import Fleet
from knative.controller.state.events import StatisticsReceived

AHEAD_S = (
    5.0  # s that an activator's clock may be ahead; beyond, all other reports would be too old
)


def reports_of(event: StatisticsReceived, fleet: Fleet, now: float) -> Iterator[Reported]:
    """What was reported of known revisions, the earliest second first. now: Unix s.

    Samples of a revision in the same second are added up. A second that is 0 or further ahead than
    `AHEAD_S` is replaced by the present one.
    """
    rows = fleet.rows(event.keys)
    known = np.flatnonzero(rows >= 0)
    seconds = event.seconds[known]
    possible = (seconds > 0) & (seconds <= now + AHEAD_S)
    seconds = np.where(possible, seconds, int(now))
    rows, samples = rows[known], event.samples[:, known]
    for second in np.unique(seconds).tolist():
        then = seconds == second
        each, place = np.unique(rows[then], return_inverse=True)
        added = [np.bincount(place, kind[then], len(each)) for kind in samples]
        yield Reported(
            rows=each,
            seconds=np.full(len(each), second),
            samples=np.stack(added),
            by_activator=event.by_activator,
        )
