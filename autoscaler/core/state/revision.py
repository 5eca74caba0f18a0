"""What the autoscaler knows of one revision; the same names hold for one row and for whole columns.

`Spec`, `Observed`, `Memory` and `Requested` are declared once and used twice: with scalars for one
revision (`Revision`), and with arrays for the fleet (`SpecArrays`).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray

F = TypeVar("F")  # float, or (n_rows,) float64
I = TypeVar("I")  # noqa: E741  # int, or (n_rows,) int64
B = TypeVar("B")  # bool, or (n_rows,) bool
DTYPES: dict[Any, Any] = {F: np.float64, I: np.int64, B: np.bool_}

NO_ANSWER = -1  # in place of a number of pods: there is no data to compute it from
UNDECIDED = -2  # in place of a decision: none was made yet


class Metric(IntEnum):
    """What the reactive rule averages."""

    CONCURRENCY = 0
    RPS = 1


class Mode(IntEnum):
    """What a forecast may do to a revision."""

    OFF = 0  # nothing: forecasts are ignored
    SHADOW = 1  # decided and shown, not applied
    OUTWARD = 2  # only adds pods to Knative's answer
    FULL = 3  # may also let pods go earlier, never below what the panic window sees


def in_force(mode: IntArray, withdrawn: BoolArray) -> IntArray:
    """(n,) modes, of which those that are withdrawn (n,) are as in shadow."""
    if not withdrawn.any():
        return mode
    return np.where(withdrawn & (mode >= int(Mode.OUTWARD)), int(Mode.SHADOW), mode)


class Active(IntEnum):
    """Knative's condition Active of a PodAutoscaler."""

    UNKNOWN = 0  # activating
    TRUE = 1
    FALSE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec(Generic[F, I, B]):
    """Settings. Defaults are Knative's (`KNATIVE_DEFAULTS`)."""

    stable_window_s: I  # s, whole; 6 ... 3600
    panic_window_s: I  # s, whole; <= stable window
    metric: I  # a Metric
    weighted_exponential: B  # aggregation; fixed when the revision is first seen, as in Knative
    has_scrape_target: B  # False (target burst capacity -1): silence counts as zero, not as no data
    total: F  # most that one pod takes, in flight or rps
    target: F  # demand wanted of one pod: total x utilisation
    pod_capacity: F  # requests in flight that one pod takes, whatever the metric; divides forecasts
    target_burst_capacity: F  # requests in flight; -1 = activator only at zero, 0 likewise
    panic_threshold: F  # panic when panic-window pods / ready pods reaches it
    max_scale_up_rate: F  # per tick, ratio to ready pods, > 1
    max_scale_down_rate: F  # per tick, ratio to ready pods, > 1
    scale_down_delay_s: F  # s; fixed when the revision is first seen, as in Knative
    activation_scale: I  # least pods when there are any; 0, 1 = none
    min_scale: I  # pods
    max_scale: I  # pods; 0 = unlimited
    initial_scale: I  # pods until the scale target was ready once
    reachable: B  # False: no route leads here
    enable_scale_to_zero: B
    grace_s: F  # s that the activator must have been in the path before the last pod goes
    retention_s: F  # s that the last pod stays after the revision became inactive
    activation_timeout_s: F  # s after which activation is given up
    activator_capacity: F  # requests in flight that one activator takes
    mode: I  # a Mode
    lead_s: F  # s from the decision to a ready pod (the start-up time, at its worst worth meeting)
    drain_s: F  # s from letting a pod go until it is gone
    cold_price_s: F  # s of idle pod that one cold request is worth
    max_cold_rate: F  # part of the requests that is cold at most, promised; inf = no promise
    max_extra: F  # most pod time ahead, of what Knative's rule wants, a fraction; inf = no bill
    extra_allowance_s: F  # s of pod beyond that
    share: F  # of the service's traffic that this revision gets, 0 ... 1


SpecArrays: TypeAlias = Spec[FloatArray, IntArray, BoolArray]
Revision: TypeAlias = Spec[float, int, bool]

KNATIVE_DEFAULTS: Revision = Spec(
    stable_window_s=60,
    panic_window_s=6,
    metric=Metric.CONCURRENCY,
    weighted_exponential=False,
    has_scrape_target=True,
    total=100.0,
    target=70.0,
    pod_capacity=100.0,
    target_burst_capacity=211.0,
    panic_threshold=2.0,
    max_scale_up_rate=1000.0,
    max_scale_down_rate=2.0,
    scale_down_delay_s=0.0,
    activation_scale=0,
    min_scale=0,
    max_scale=0,
    initial_scale=1,
    reachable=True,
    enable_scale_to_zero=True,
    grace_s=30.0,
    retention_s=0.0,
    activation_timeout_s=630.0,
    activator_capacity=100.0,
    mode=Mode.SHADOW,
    lead_s=5.0,
    drain_s=30.0,  # for which the queue-proxy waits for requests that are still on their way
    cold_price_s=600.0,
    max_cold_rate=np.inf,
    max_extra=np.inf,
    extra_allowance_s=600.0,  # one cold request
    share=1.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Generic[F, I, B]):
    """What was observed of a revision, and the conditions that follow from it."""

    ready: I  # pods ready
    replicas: I  # of the scale target's spec at present; -1 = there is no target
    set_up: B  # its ServerlessService exists, is owned and set up: else nothing is decided
    named: B  # its public Service has a name
    active: I  # an Active
    active_since_s: F  # Unix s of the last change of `active`
    proxied_since_s: F  # Unix s since when the activator is in the path; NaN = it is not
    probe_passed: B  # the activator answered at the revision's address since it became inactive
    initialized: B  # the scale target was ready once


ObservedArrays: TypeAlias = Observed[FloatArray, IntArray, BoolArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCounts(Generic[I]):
    """Pods of a revision that are not ready."""

    unready: I  # running
    pending: I
    terminating: I


PodCountsArrays: TypeAlias = PodCounts[IntArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(Generic[F, I]):
    """What one tick of the reactive rule leaves for the next."""

    panic_since_s: F  # Unix s of the last tick over the panic threshold; NaN = not panicking
    max_panic_pods: I  # most pods asked for in this panic
    kpa: I  # the reactive rule's last answer; -1 = none yet
    excess_burst_capacity: F  # requests in flight


MemoryArrays: TypeAlias = Memory[FloatArray, IntArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested(Generic[F, I, B]):
    """What was requested of the cluster for a revision last; a tick requests the differences."""

    want: I  # pods; -1 = no decision, -2 = none was made yet
    scale: B  # to write the scale target
    probe: B  # to probe the activator
    proxy: B  # to have the activator in the path
    activators: I  # in the path
    active: I  # an Active
    ready: I  # pods
    initialized: B
    changed: B  # the revision's objects have changed since
    retry_s: F  # Unix s at which a failed request is repeated; NaN = none failed
    wait_s: F  # s from the last failure to its repetition; 0 = none failed


RequestedArrays: TypeAlias = Requested[FloatArray, IntArray, BoolArray]
