"""The status of a PodAutoscaler, as its readers need it.

Revisions, and so configurations and services, become ready by what stands here; Knative's timers
are read back from the conditions' transition times, so one that did not change is left as it is.
Source: knative/serving pkg/apis/autoscaling/v1alpha1/pa_lifecycle.go and
pkg/reconciler/autoscaling/kpa/kpa.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.core.revision import Active
from knative.objects import PodAutoscaler, kubernetes_time

Condition = dict[str, str]

ACTIVE, INITIALIZED, SKS_READY, READY = "Active", "ScaleTargetInitialized", "SKSReady", "Ready"
_NAMES = {"True": Active.TRUE, "False": Active.FALSE, "Unknown": Active.UNKNOWN}
_QUEUED = ("Queued", "Requests to the target are being buffered as resources are provisioned.")
_NO_TRAFFIC = ("NoTraffic", "The target is not receiving traffic.")
_TIMED_OUT = ("TimedOut", "The target could not be activated.")
_NOT_READY = ("NotReady", "K8s Service is not ready")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a pass found and decided for one revision."""

    want: int  # pods; -1 = no decision
    ready: int  # pods
    active: Active
    initialized: bool
    sks_ready: bool
    service: str  # public service name
    metrics_service: str  # private service name


def condition(pa: PodAutoscaler, kind: str) -> Mapping[str, str]:
    """A condition of the status as it is; empty where there is none."""
    found = (c for c in pa.status.get("conditions") or [] if c["type"] == kind)
    return next(found, {})


def active_of(pa: PodAutoscaler) -> Active:
    """The condition Active as it stands."""
    return _NAMES.get(condition(pa, ACTIVE).get("status", "Unknown"), Active.UNKNOWN)


def status_of(pa: PodAutoscaler, outcome: Outcome, now: float) -> dict[str, Any]:
    """The whole status that should stand after a pass. now: Unix s."""
    given_up = outcome.want == 0 and active_of(pa) == Active.UNKNOWN
    made = {
        ACTIVE: _active(outcome.active, given_up=given_up),
        INITIALIZED: ("True", "", "") if outcome.initialized else ("Unknown", "", ""),
        SKS_READY: ("True", "", "") if outcome.sks_ready else ("Unknown", *_NOT_READY),
    }
    desired = pa.status.get("desiredScale", -1) if outcome.want < 0 else outcome.want
    return {
        "conditions": _conditions(pa, made, now),
        "observedGeneration": pa.generation,
        "serviceName": outcome.service,
        "metricsServiceName": outcome.metrics_service,
        "desiredScale": desired,
        "actualScale": outcome.ready,
    }


def unowned(pa: PodAutoscaler, now: float) -> dict[str, Any]:
    """The status of a revision whose ServerlessService belongs to somebody else."""
    message = f"There is an existing SKS {pa.name!r} that we do not own."
    made = {
        ACTIVE: ("False", "NotOwned", message),
        INITIALIZED: (condition(pa, INITIALIZED).get("status", "Unknown"), "", ""),
        SKS_READY: ("False", "NotOwned", message),
    }
    return {
        "conditions": _conditions(pa, made, now),
        "observedGeneration": pa.generation,
        "serviceName": pa.status.get("serviceName", ""),
        "metricsServiceName": pa.status.get("metricsServiceName", ""),
    }


def same(pa: PodAutoscaler, status: Mapping[str, Any]) -> bool:
    """Whether a status says nothing new."""
    return all(pa.status.get(name) == value for name, value in status.items())


def _active(active: Active, *, given_up: bool) -> tuple[str, str, str]:
    if active == Active.TRUE:
        return "True", "", ""
    if active == Active.UNKNOWN:
        return "Unknown", *_QUEUED
    return "False", *(_TIMED_OUT if given_up else _NO_TRAFFIC)


def _conditions(
    pa: PodAutoscaler, made: Mapping[str, tuple[str, str, str]], now: float
) -> list[Condition]:
    """All conditions, sorted by type, with Ready as it follows from the others."""
    kept = [_kept(pa, kind, *said, now) for kind, said in made.items()]
    ready = _kept(pa, READY, *_ready(kept), now)
    return sorted([*kept, ready], key=lambda c: c["type"])


def _ready(dependents: list[Condition]) -> tuple[str, str, str]:
    """False wins over Unknown wins over True; of several, the one that changed last."""
    for status in ("False", "Unknown"):
        found = [c for c in dependents if c["status"] == status]
        if found:
            newest = max(found, key=lambda c: c["lastTransitionTime"])
            return status, newest.get("reason", ""), newest.get("message", "")
    return "True", "", ""


def _kept(
    pa: PodAutoscaler, kind: str, status: str, reason: str, message: str, now: float
) -> Condition:
    """The condition as it was, where it says the same; else with a new transition time."""
    before = condition(pa, kind)
    said = (before.get("status"), before.get("reason", ""), before.get("message", ""))
    if said == (status, reason, message):
        return dict(before)
    made = {"type": kind, "status": status, "lastTransitionTime": kubernetes_time(now)}
    return made | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})
