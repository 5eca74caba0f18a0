"""Conditions and the status of a PodAutoscaler, in a compact form."""

from dataclasses import dataclass
from typing import Any

from knative.mirror.fields import LARGEST, name, text, unix

ACTIVE, INITIALIZED, SKS_READY, READY = "Active", "ScaleTargetInitialized", "SKSReady", "Ready"
KINDS = (ACTIVE, INITIALIZED, SKS_READY, READY)  # those of a PodAutoscaler; no others are stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition."""

    kind: str
    status: str = ""  # True, False, Unknown; "" = there is no such condition
    since: str = ""  # the Kubernetes time of its last transition; "" = not known
    reason: str = ""
    message: str = ""
    severity: str = ""

    def as_object(self) -> dict[str, str]:
        """As it is written."""
        texts = {"reason": self.reason, "message": self.message, "severity": self.severity}
        made = {"type": self.kind, "status": self.status, "lastTransitionTime": self.since}
        return made | {key: value for key, value in texts.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The status of a PodAutoscaler; None and "" = the field is missing."""

    conditions: tuple[Condition, ...] = ()
    generation: int | None = None  # of the spec that it is about
    service: str = ""
    metrics_service: str = ""
    desired: int | None = None  # pods; -1 = no decision
    actual: int | None = None  # pods

    def condition(self, kind: str) -> Condition:
        """A condition; with an empty status where there is none."""
        return next((c for c in self.conditions if c.kind == kind), Condition(kind=kind))


def condition(o: dict[str, Any]) -> Condition:
    """Parse a condition."""
    return Condition(
        kind=text(o.get("type")),
        status=text(o.get("status")),
        since=_time(o.get("lastTransitionTime")),
        reason=text(o.get("reason")),
        message=text(o.get("message")),
        severity=text(o.get("severity")),
    )


def status(o: dict[str, Any]) -> Status:
    """Parse a PodAutoscaler's status."""
    conditions = {c["type"]: c for c in reversed(o.get("conditions") or []) if c["type"] in KINDS}
    return Status(
        conditions=tuple(condition(c) for c in reversed(conditions.values())),
        generation=_count(o.get("observedGeneration")),
        service=name(o.get("serviceName")),
        metrics_service=name(o.get("metricsServiceName")),
        desired=_count(o.get("desiredScale")),
        actual=_count(o.get("actualScale")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and abs(value) <= LARGEST else None


def _time(value: object) -> str:
    try:
        return text(value) if isinstance(value, str) and unix(value) is not None else ""
    except ValueError:
        return ""
