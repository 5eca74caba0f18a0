"""Requests that wait make demand of their own: what waits under one policy and not the other.

Knative counts a request as in flight while it waits for a pod. The demand that is measured is so
that of the policy in force. Its twin's is more where the twin has fewer pods, and less where it has
more: by ``behind`` requests, D. Requests come to both alike. In force they finish as measured: what
came less what d, the number in flight, grew by. At the twin, whose pods have k places for d + D,

* none finishes while k is 0; k in S seconds, the mean service time, while they do not suffice:
  D grows by what finishes in force, and falls by ``k / S``;
* else as many finish as in force, but for those that began here later, which are behind from then
  on; and of those that are behind one in L / ln 2, L being the start-up time, or one in S if that
  is shorter, since none is behind by more than it waited for a pod. What waits in force, for want
  of its c places, does not here: D falls by ``(d - c) / S`` as well.

With the same pods D stays 0. Where pods suffice it is stepped backwards (implicit Euler), which is
stable however short S is. Of less than half a request, while none is in flight in force, nothing
remains: a mean that falls for ever would never let the last pod go.

To it comes what waits within a second although pods suffice on average, because requests come at
random: of c places, used to rho, for ever ``rho ** sqrt(2 (c + 1)) / (1 - rho)`` (Sakasegawa 1977),
half of it where all take equally long. Of n requests at random instants of one second it is less,
because no queue grows long in a second: ``1 - rho`` becomes ``sqrt((1 - rho)² + 2 / (n - c))``,
found by drawing such seconds.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.state.fleet import LARGEST_SAMPLE, Fleet
from autoscaler.core.state.revision import Metric
from autoscaler.core.state.services import PARTS
from autoscaler.core.state.waits import LEAST_S
from autoscaler.core.types import FloatArray, IntArray

SECOND_S, LONGEST_S = 1.0, 10.0  # that a report is of; that a step may last
VARIATION = 0.5
NOTHING = 1e-6  # requests
LEAST = 0.5  # request that is still behind
DELAYED = 1 / np.log(2)  # of a start-up: after it, half of a request that waited for it is left


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reported:
    """What was reported of some rows, and the pods it was served by; (n,) each."""

    span_s: FloatArray  # s since the last report
    in_flight: FloatArray  # requests, in force, on average
    came: FloatArray  # requests
    finished: FloatArray  # requests, in force
    places: FloatArray  # of pods in force, for one request each
    virtual: FloatArray  # of the twin's
    service_s: FloatArray  # mean s that a request takes
    start_up_s: FloatArray

    @property
    def served(self) -> FloatArray:
        """(n,) in force, in flight and not waiting."""
        return np.minimum(self.in_flight, self.places)


def step_queues(fleet: Fleet, rows: IntArray, at: FloatArray, samples: FloatArray) -> None:
    """The twins of rows (n,) until Unix s ``at`` (n,); what waits there counts as their demand.

    samples: (2, n) what was reported since: requests in flight, on average over a second; requests.
    """
    v, spec = fleet.twins.view, fleet.spec
    before = v.behind[rows]
    said = _reported(fleet, rows, at, samples)
    v.behind_s[rows], v.in_flight[rows] = at, said.in_flight
    v.behind[rows], v.delayed[rows] = _stepped(said, before, v.delayed[rows])
    extra = (before + v.behind[rows]) / 2 + _waiting_at_random(said)
    some = np.flatnonzero((np.abs(extra) > NOTHING) & (spec.metric[rows] == Metric.CONCURRENCY))
    if len(some):
        span_s = np.minimum(said.span_s[some], SECOND_S)
        added = np.stack([extra[some] * span_s, np.zeros(len(some))])
        fleet.twins.record(rows[some], np.floor(at[some]).astype(np.int64), added)


def _reported(fleet: Fleet, rows: IntArray, at: FloatArray, samples: FloatArray) -> _Reported:
    v, slots = fleet.twins.view, fleet.spec.pod_capacity[rows]
    longest_s = np.where(v.behind[rows] == 0, SECOND_S, LONGEST_S)
    in_flight, came = np.maximum(samples, 0.0)
    places = fleet.observed.ready[rows] * slots
    return _Reported(
        span_s=np.clip(at - v.behind_s[rows], 0.0, longest_s),
        in_flight=in_flight,
        came=came,
        finished=came - (in_flight - v.in_flight[rows]),
        places=places,
        virtual=v.ready[rows] * slots,
        service_s=fleet.services.waits.service_time_s(fleet.service[rows]),
        start_up_s=start_up_s(fleet, rows),
    )


def _stepped(
    said: _Reported, before: FloatArray, delayed: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(n,) requests behind after a step, and those that will be, of what they were before it."""
    share = said.span_s / said.service_s  # of a request that is done in the span
    # None is behind by more than it waited for a pod.
    later_s = np.clip(DELAYED * said.start_up_s, LEAST_S, said.service_s)
    joining = np.clip(said.finished, 0.0, delayed)
    free = before + joining + share * (said.served - said.in_flight)
    free = free / (1.0 + np.where(before > 0, said.span_s / later_s, share))
    # Of requests shorter than the second that is reported, more come and go than it shows.
    short = (said.service_s < SECOND_S) & (said.virtual > 0)
    alike = (said.virtual == said.places) & (before == 0)
    grown = np.where(short, share * said.served, said.finished) - share * said.virtual
    suffice = (said.virtual > 0) & (said.in_flight + free <= said.virtual)
    behind = np.where(suffice, free, before + np.where(alike, 0.0, grown))
    behind = np.clip(behind, -said.in_flight, LARGEST_SAMPLE)
    waiting = np.clip(said.in_flight + behind - said.virtual, 0.0, said.in_flight)
    left = np.where(suffice, delayed - joining, np.where(alike, 0.0, waiting))
    over = (behind < LEAST) & (said.in_flight == 0) & (said.virtual > 0)
    return np.where(over | (np.abs(behind) < NOTHING), 0.0, behind), left


def step_silent(fleet: Fleet, now: FloatArray) -> None:
    """Twins with other requests than were reported, of which nothing was, until Unix s (n,)."""
    v = fleet.twins.view
    rows = np.flatnonzero((v.behind != 0) & (v.behind_s < now - SECOND_S))
    if len(rows):
        step_queues(fleet, rows, now[rows], np.zeros((2, len(rows))))


def start_up_s(fleet: Fleet, rows: IntArray) -> FloatArray:
    """(n,) mean start-up time of the rows' services; until one was measured, their lead."""
    services, total = fleet.service[rows], PARTS.index("total")
    starts, seconds = fleet.services.starts[total, services], fleet.services.starts_s[total]
    mean = seconds[services] / np.maximum(starts, 1)
    return np.asarray(np.where(starts > 0, mean, fleet.spec.lead_s[rows]))


def _waiting_at_random(said: _Reported) -> FloatArray:
    """(n,) how many more wait in the twin on average though places suffice; negative: fewer."""
    more, load = np.zeros(len(said.came)), said.came * said.service_s
    some = np.flatnonzero(said.virtual != said.places)
    came, load = said.came[some], load[some]
    more[some] = _waiting(came, load, said.virtual[some])
    more[some] -= _waiting(came, load, said.places[some])
    return more


def _waiting(requests: FloatArray, load: FloatArray, places: FloatArray) -> FloatArray:
    """(n,) of requests of one second, how many wait on average though places suffice for them."""
    used = np.minimum(load / np.maximum(places, NOTHING), 1.0)
    spare = np.sqrt((1.0 - used) ** 2 + 2.0 / np.maximum(requests - places, NOTHING))
    waiting = VARIATION * used ** np.sqrt(2.0 * (places + 1.0)) / spare
    return np.where((places > 0) & (requests > places), waiting, 0.0)
