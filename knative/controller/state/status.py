"""The status of a PodAutoscaler.

Knative derives the readiness of revisions, configurations and services from it. Timers are read
from the transition times of conditions, so the time of an unchanged condition must not change.
Source: knative/serving pkg/apis/autoscaling/v1alpha1/pa_lifecycle.go and
pkg/reconciler/autoscaling/kpa/kpa.go.
"""

from collections.abc import Mapping
from typing import Any

from autoscaler.core.state.revision import NO_ANSWER, Active, Requested
from knative.mirror.conditions import ACTIVE, INITIALIZED, READY, SKS_READY, Condition
from knative.mirror.conditions import status as parsed_status
from knative.mirror.fields import kubernetes_time
from knative.mirror.objects import PodAutoscaler, ServerlessService

Status = dict[str, Any]

_NAMES = {"True": Active.TRUE, "False": Active.FALSE, "Unknown": Active.UNKNOWN}
_QUEUED = ("Queued", "Requests to the target are being buffered as resources are provisioned.")
_NO_TRAFFIC = ("NoTraffic", "The target is not receiving traffic.")
_TIMED_OUT = ("TimedOut", "The target could not be activated.")
_NOT_READY = ("Unknown", "NotReady", "K8s Service is not ready")
_TRUE = ("True", "", "")


def active_of(pa: PodAutoscaler) -> Active:
    """The present condition Active."""
    return _NAMES.get(pa.status.condition(ACTIVE).status, Active.UNKNOWN)


def is_initialized(pa: PodAutoscaler) -> bool:
    """Whether the scale target was ready once."""
    return pa.status.condition(INITIALIZED).status == "True"


def status_of(
    pa: PodAutoscaler, sks: ServerlessService, asked: Requested[float, int, bool], now: float
) -> Status:
    """The status for what is asked. now: Unix s."""
    given_up = asked.want == 0 and active_of(pa) == Active.UNKNOWN
    conditions = {
        ACTIVE: _active(Active(asked.active), given_up=given_up),
        INITIALIZED: _TRUE if asked.initialized else ("Unknown", "", ""),
        SKS_READY: _TRUE if sks.ready else _NOT_READY,
    }
    return _status(pa, conditions, now) | {
        "serviceName": sks.service,
        "metricsServiceName": sks.private,
        "desiredScale": _desired_before(pa) if asked.want <= NO_ANSWER else asked.want,
        "actualScale": asked.ready,
    }


def pending_status(pa: PodAutoscaler, now: float) -> Status:
    """The status while the ServerlessService is not set up yet. now: Unix s."""
    active = active_of(pa)
    conditions = {
        ACTIVE: _active(active if active == Active.FALSE else Active.UNKNOWN, given_up=False),
        INITIALIZED: _TRUE if is_initialized(pa) else ("Unknown", "", ""),
        SKS_READY: _NOT_READY,
    }
    return _status(pa, conditions, now) | {"desiredScale": _desired_before(pa), "actualScale": 0}


def unowned_status(pa: PodAutoscaler, now: float) -> Status:
    """The status while the ServerlessService has another owner. now: Unix s."""
    foreign = ("False", "NotOwned", f"There is an existing SKS {pa.name!r} that we do not own.")
    conditions = {
        ACTIVE: foreign,
        INITIALIZED: (pa.status.condition(INITIALIZED).status or "Unknown", "", ""),
        SKS_READY: foreign,
    }
    return _status(pa, conditions, now)


def same(pa: PodAutoscaler, status: Mapping[str, Any]) -> bool:
    """Whether a status equals the present one."""
    present = {"desiredScale": pa.status.desired, "actualScale": pa.status.actual}
    return parsed_status({**present, **status}) == pa.status


def _status(pa: PodAutoscaler, made: Mapping[str, tuple[str, str, str]], now: float) -> Status:
    """Conditions sorted by type, with Ready derived from them; and the present service names."""
    dependents = [_transition(pa, kind, *condition, now) for kind, condition in made.items()]
    ready = _transition(pa, READY, *_ready(dependents), now)
    return {
        "conditions": [c.as_object() for c in sorted([*dependents, ready], key=lambda c: c.kind)],
        "observedGeneration": pa.generation,
        "serviceName": pa.status.service,
        "metricsServiceName": pa.status.metrics_service,
    }


def _desired_before(pa: PodAutoscaler) -> int:
    return NO_ANSWER if pa.status.desired is None else pa.status.desired


def _active(active: Active, *, given_up: bool) -> tuple[str, str, str]:
    if active == Active.TRUE:
        return _TRUE
    if active == Active.UNKNOWN:
        return "Unknown", *_QUEUED
    return "False", *(_TIMED_OUT if given_up else _NO_TRAFFIC)


def _ready(dependents: list[Condition]) -> tuple[str, str, str]:
    """False before Unknown before True; of several equal ones, the one that changed last."""
    for status in ("False", "Unknown"):
        found = [c for c in dependents if c.status == status]
        if found:
            newest = max(found, key=lambda c: c.since)
            return status, newest.reason, newest.message
    return _TRUE


def _transition(
    pa: PodAutoscaler, kind: str, status: str, reason: str, message: str, now: float
) -> Condition:
    """The present condition where it is the same; else one with a new transition time."""
    before = pa.status.condition(kind)
    if (before.status, before.reason, before.message) == (status, reason, message):
        return before
    since = kubernetes_time(now)
    return Condition(kind=kind, status=status, since=since, reason=reason, message=message)
