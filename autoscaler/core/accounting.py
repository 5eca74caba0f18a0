"""The account of each service: what both policies cost, and whom they let wait.

Calls are counted as their statistics come, pod-seconds at each tick. A call is cold that arrives
while no pod is ready; pods fall short of calls that are in flight beyond what they take at once.
What is in force is counted as observed, what is not by the twin's pods.

None of it decides anything: whoever runs the loop counts after it has decided, and may go without.
"""

import numpy as np

from autoscaler.core.control import ControlState, Reported
from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.core.queues import start_up_s, step_queues
from autoscaler.core.state.account import AccountArrays
from autoscaler.core.state.fleet import LARGEST_SAMPLE, Fleet
from autoscaler.core.state.revision import Mode
from autoscaler.core.state.virtual import NOT_YET
from autoscaler.core.twin import Scaled, become_ready, hear, step_twins
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SMALLEST = 1e-9  # requests in flight
SECOND_S = 1.0  # of calls that a statistic reports
LONGEST_S = 10.0  # between two ticks that counts; after a longer gap counting goes on from there


def count_report(state: ControlState, event: Reported, now: float | FloatArray) -> None:
    """Count the calls of a report that `control` has handled, at Unix s ``now``, one or (n,)."""
    fleet = state.fleet
    v, samples = fleet.twins.view, event.samples
    called = (samples > 0).any(axis=0) | (v.in_flight[event.rows] > 0)
    valid = (np.abs(samples) <= LARGEST_SAMPLE).all(axis=0)
    some = np.flatnonzero(called & valid & v.begun[event.rows])
    if not len(some):
        return
    rows, samples = event.rows[some], samples.take(some, axis=1)
    at = np.broadcast_to(np.asarray(now, dtype=np.float64), event.rows.shape)[some]
    become_ready(fleet, rows, at)
    step_queues(fleet, rows, at, samples)
    arrived = np.flatnonzero(samples[1] > 0)
    rows, at, (in_flight, requests) = rows[arrived], at[arrived], samples.take(arrived, axis=1)
    real = _count_real(fleet, rows, at, requests, event.by_activator)
    virtual = _count_virtual(fleet, rows, at, requests, event.by_activator)
    account, service, mode = fleet.services.account, fleet.service[rows], fleet.modes[rows]
    np.add.at(account.requests, service, requests)
    for i, of in enumerate(("cold", "cold_s")):
        _add(account, of, service, _by_policy(mode, real[i], virtual[i]))
    real_short = _short(fleet, rows, requests, in_flight, fleet.observed.ready[rows])
    virtual_short = _short(fleet, rows, requests, in_flight + v.behind[rows], v.ready[rows])
    both = np.maximum(real_short, real[0]), np.maximum(virtual_short, virtual[0])
    _add(account, "short", service, _by_policy(mode, *both))


def _short(
    fleet: Fleet, rows: IntArray, requests: FloatArray, in_flight: FloatArray, ready: IntArray
) -> FloatArray:
    """(n,) requests beyond what ready pods (n,) take at once, of so many in flight (n,)."""
    places = ready * fleet.spec.pod_capacity[rows]
    beyond = np.maximum(in_flight - places, 0.0)
    return np.asarray(requests * beyond / np.maximum(in_flight, places + SMALLEST))


def count_tick(state: ControlState, now: float | FloatArray) -> None:
    """After a tick at Unix s ``now``, one or (n,): let twins decide, and count what pods cost."""
    fleet = state.fleet
    at = np.broadcast_to(np.asarray(now, dtype=np.float64), (len(fleet),))
    replicas = fleet.twins.view.replicas.copy()
    _settle(fleet, step_twins(fleet, state.advice, at), replicas, at)


def _count_virtual(
    fleet: Fleet, rows: IntArray, at: FloatArray, requests: FloatArray, by_activator: bool
) -> tuple[FloatArray, FloatArray]:
    """(n,) requests that find no pod of the twin ready, and how long they wait together, s."""
    v = fleet.twins.view
    poke = v.first_ready_s[rows] == NOT_YET
    # The activator reports the first one at once; of others the second is known.
    called_s = at[poke] if by_activator else at[poke] - SECOND_S / 2
    v.called_s[rows[poke]] = called_s
    v.first_ready_s[rows[poke]] = called_s + start_up_s(fleet, rows[poke])
    hear(fleet, rows[poke], np.floor(at[poke]))
    begin_s = at - SECOND_S
    cold_s = np.clip(v.first_ready_s[rows] - begin_s, 0.0, SECOND_S)  # of that second
    cold = requests * cold_s / SECOND_S
    return cold, cold * np.maximum(v.first_ready_s[rows] - begin_s - cold_s / 2, 0.0)


def _count_real(
    fleet: Fleet, rows: IntArray, at: FloatArray, requests: FloatArray, by_activator: bool
) -> tuple[FloatArray, FloatArray]:
    """(n,) requests that found no pod ready, and how long those waited whose wait is over, s."""
    v, ready = fleet.twins.view, fleet.observed.ready[rows] > 0
    # A pod that became ready meanwhile did so, on average, in the middle of the second.
    middle_s = at - SECOND_S / 2
    cold = requests * (1.0 - (ready * 0.5 + v.cold_ready[rows] * 0.5))
    waited_s = _waited(fleet, rows, middle_s)
    wait = np.where(ready, 0.0, cold)
    # The activator reports the first one at once.
    first = by_activator & (v.cold_waiting[rows] == 0)
    v.cold_waiting[rows] += wait
    v.cold_since_s[rows] += wait * np.where(first, at, middle_s)
    v.cold_ready[rows] = ready
    return cold, waited_s


def _settle(fleet: Fleet, scaled: Scaled, replicas: IntArray, now: FloatArray) -> None:
    """Count the pod-seconds since the last tick, and pods created, at Unix s ``now`` (n,).

    replicas: (n,) of the twins, before they were scaled.
    """
    v, pods, observed = fleet.twins.view, fleet.pods, fleet.observed
    there = observed.ready + pods.unready + pods.pending
    alive = (there + pods.terminating + v.pods + replicas + v.replicas > 0) | (v.cold_waiting > 0)
    span_s = now - v.at_s
    span_s = np.where((span_s > 0) & (span_s <= LONGEST_S), span_s, 0.0)
    v.at_s[:] = now
    created, let_go, early_s = np.zeros((3, len(fleet)))
    np.add.at(created, scaled.rows, scaled.created)
    np.add.at(let_go, scaled.rows, scaled.let_go)
    # Those of a call between two ticks were created when it came.
    before_s = scaled.created * np.maximum(now[scaled.rows] - scaled.at_s, 0.0)
    np.add.at(early_s, scaled.rows, before_s)
    part = fleet.part(np.flatnonzero(alive))
    real_s = span_s[part] * (there + pods.terminating)[part]
    virtual_s = span_s[part] * replicas[part] + early_s[part]
    virtual_s += let_go[part] * fleet.spec.drain_s[part]
    mode, service, account = fleet.modes, fleet.service, fleet.services.account
    _add(account, "pod_s", service[part], _by_policy(mode[part], real_s, virtual_s))
    begun = np.maximum(there - v.pods, 0)
    some = np.flatnonzero((begun > 0) | (created > 0))
    _add(account, "starts", service[some], _by_policy(mode[some], begun[some], created[some]))
    v.pods[:] = there
    some = np.flatnonzero(v.cold_waiting > 0)
    # Where nothing was reported meanwhile: since, on average, the middle between two ticks.
    waited_s = _waited(fleet, some, now[some] - TICK_S / 2)
    _add(account, "cold_s", service[some], _by_policy(mode[some], waited_s, np.zeros(len(some))))
    v.cold_ready[part] = observed.ready[part] > 0


def _waited(fleet: Fleet, rows: IntArray, now: FloatArray) -> FloatArray:
    """(n,) s that those who waited for the first pod did, where it is ready since ``now`` (n,)."""
    v, ready = fleet.twins.view, fleet.observed.ready[rows] > 0
    over = ready & (v.cold_waiting[rows] > 0)
    waited_s = np.where(over, v.cold_waiting[rows] * now - v.cold_since_s[rows], 0.0)
    v.cold_waiting[rows[over]] = v.cold_since_s[rows[over]] = 0.0
    return np.maximum(waited_s, 0.0)


def _by_policy(
    mode: IntArray, real: FloatArray, virtual: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What counts for Knative, and for kn-ahead; (n,) each."""
    ours: BoolArray = mode >= Mode.OUTWARD
    return np.where(ours, virtual, real), np.where(mode == Mode.SHADOW, virtual, real)


def _add(
    account: AccountArrays, name: str, service: IntArray, of_both: tuple[FloatArray, FloatArray]
) -> None:
    for policy, values in zip(("knative", "ahead"), of_both, strict=True):
        np.add.at(getattr(account, f"{policy}_{name}"), service, values)
