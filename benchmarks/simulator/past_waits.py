"""Who waited for a pod before a simulation begins, as a controller would have counted it.

A controller that has run for days knows which requests come together and how long they take. A
simulation that begins with a part of a trace counts them from the requests before that part.
"""

import numpy as np

from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.services import IDLE_S
from autoscaler.core.state.waits import FORGET, FORGET_CASES, NONE_WAITED, Waits
from autoscaler.core.types import FloatArray, IntArray
from benchmarks.simulator.arrivals import Requests

RECENT = 1000  # cases, and requests, that are looked at: what older ones count is nothing


def count_past(fleet: Fleet, requests: Requests, service: IntArray, until: float) -> None:
    """Count what came before Unix s ``until``. service: (n_rows,) of each of the fleet's rows."""
    found: dict[tuple[int, float], Waits[float]] = {}
    pairs = zip(service.tolist(), fleet.spec.lead_s.tolist(), strict=True)
    for row, which in enumerate(pairs):
        if which not in found:
            found[which] = _counted(requests, *which, until)
        fleet.services.waits.put(int(fleet.service[row]), found[which])


def _counted(requests: Requests, service: int, lead_s: float, until: float) -> Waits[float]:
    """Of one service whose pods take so many s to start."""
    span = slice(requests.offset[service], requests.offset[service + 1])
    at = requests.arrival_s[span]
    at = at[: np.searchsorted(at, until)]
    if not len(at):
        return NONE_WAITED
    service_s = requests.service_s[span][: len(at)]
    begins_s = _begins(at, service_s, lead_s)
    came = np.searchsorted(at, begins_s + lead_s, side="right") - np.searchsorted(at, begins_s)
    served_s = service_s[-RECENT:]
    kept = FORGET ** len(served_s)
    return Waits(
        since_s=float(begins_s[-1]),
        cases=_faded(np.ones(len(came)), FORGET_CASES),
        requests=_faded(came, FORGET_CASES),
        served_s=kept * NONE_WAITED.served_s + _faded(served_s, FORGET),
        served=kept * NONE_WAITED.served + _faded(np.ones(len(served_s)), FORGET),
    )


def _begins(at: FloatArray, service_s: FloatArray, lead_s: float) -> FloatArray:
    """(k,) Unix s of the last cases: calls after idleness, more than a lead after each other.

    at, service_s: (n,) Unix s of requests, ascending, and s that each takes.
    """
    served = np.maximum.accumulate(at + service_s)
    idle = at[at - np.concatenate([[-np.inf], served[:-1]]) >= IDLE_S][-RECENT:]
    begins = [idle[0]]
    for each in idle[1:]:
        if each - begins[-1] > lead_s:
            begins.append(each)
    return np.array(begins)


def _faded(values: FloatArray | IntArray, by: float) -> float:
    """The sum of values of which each counts so much less than the next."""
    return float(np.dot(values, by ** np.arange(len(values) - 1, -1, -1)))
