"""What we keep of each Kubernetes object: the few fields that a decision or a write needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from knative.api import Object

AUTOSCALING = "/apis/autoscaling.internal.knative.dev/v1alpha1"
NETWORKING = "/apis/networking.internal.knative.dev/v1alpha1"
PODAUTOSCALERS = f"{AUTOSCALING}/podautoscalers"
SERVERLESSSERVICES = f"{NETWORKING}/serverlessservices"
DEPLOYMENTS = "/apis/apps/v1/deployments"
PODS = "/api/v1/pods"

REVISION_LABEL = "serving.knative.dev/revision"
SERVICE_LABEL = "serving.knative.dev/service"
UID_LABEL = "serving.knative.dev/revisionUID"
CLASS = "autoscaling.knative.dev/class"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAutoscaler:
    """What is asked for a revision, and what was said of it last."""

    namespace: str
    name: str
    uid: str
    generation: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    concurrency: int  # requests in flight that a pod takes at most; 0 = no limit
    target: Mapping[str, str]  # apiVersion, kind, name
    protocol: str
    reachability: str
    status: Mapping[str, Any]

    @property
    def service(self) -> str:
        """The Knative service whose traffic this is: "namespace/service"."""
        return f"{self.namespace}/{self.labels.get(SERVICE_LABEL) or self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessService:
    """Where a revision's requests go: to its pods, or through the activator."""

    owner: str  # uid of the controller; "" = none
    generation: int
    spec: Mapping[str, Any]
    service: str  # public name; "" = not yet
    private: str  # private name; "" = not yet
    ready: bool  # and current
    proxied_since_s: float | None  # Unix s since when the activator stands in the path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod of a revision."""

    revision: str  # "namespace/revision"
    state: str  # ready, unready, pending, terminating, other
    address: str
    created_s: float  # Unix s
    started_s: float  # Unix s at which its node took it; 0 = not yet
    ready_s: float  # Unix s at which it became ready; 0 = it is not
    scheduled_s: float = 0.0  # Unix s; known of a ready pod, 0 = not known
    running_s: float = 0.0  # Unix s at which its last container ran; likewise


def podautoscaler(o: Object) -> PodAutoscaler:
    """Keep what matters of a PodAutoscaler."""
    meta, spec = o["metadata"], o.get("spec") or {}
    return PodAutoscaler(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta.get("generation", 0),
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        concurrency=spec.get("containerConcurrency") or 0,
        target=spec.get("scaleTargetRef") or {},
        protocol=spec.get("protocolType", "http1"),
        reachability=spec.get("reachability", ""),
        status=o.get("status") or {},
    )


def serverlessservice(o: Object) -> ServerlessService:
    """Keep what matters of a ServerlessService."""
    meta, status = o["metadata"], o.get("status") or {}
    owners = [r for r in meta.get("ownerReferences") or [] if r.get("controller")]
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    proxied = conditions.get("ActivatorEndpointsPopulated", {})
    current = status.get("observedGeneration") == meta.get("generation")
    ready = conditions.get("Ready", {}).get("status") == "True"
    since = unix(proxied.get("lastTransitionTime")) if proxied.get("status") == "True" else None
    return ServerlessService(
        owner=owners[0]["uid"] if owners else "",
        generation=meta.get("generation", 0),
        spec=o.get("spec") or {},
        service=status.get("serviceName", ""),
        private=status.get("privateServiceName", ""),
        ready=ready and current,
        proxied_since_s=since,
    )


def replicas(o: Object) -> int:
    """Pods that a Deployment asks for; left out, it means one."""
    asked = (o.get("spec") or {}).get("replicas")
    return 1 if asked is None else int(asked)


def pod(o: Object) -> Pod:
    """Keep what matters of a pod."""
    meta, status = o["metadata"], o.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    ready = conditions.get("Ready", {}).get("status") == "True"
    ready_s = _true_since(conditions, "Ready")
    return Pod(
        revision=f"{meta['namespace']}/{meta['labels'][REVISION_LABEL]}",
        state=_state(status.get("phase"), ready, ending=bool(meta.get("deletionTimestamp"))),
        address=status.get("podIP", ""),
        created_s=unix(meta.get("creationTimestamp")) or 0.0,
        started_s=unix(status.get("startTime")) or 0.0,
        ready_s=ready_s,
        # How it started is read once it has: pods are many, and change often until then.
        scheduled_s=_true_since(conditions, "PodScheduled") if ready_s else 0.0,
        running_s=_running_since(status) if ready_s else 0.0,
    )


def _state(phase: str | None, ready: bool, *, ending: bool) -> str:
    if phase == "Running":
        return "terminating" if ending else "ready" if ready else "unready"
    return "pending" if phase == "Pending" else "other"


def _true_since(conditions: Mapping[str, Object], kind: str) -> float:
    """Unix s since when a condition holds; 0 = it does not."""
    found = conditions.get(kind, {})
    return (unix(found.get("lastTransitionTime")) or 0.0) if found.get("status") == "True" else 0.0


def _running_since(status: Object) -> float:
    """Unix s since when all containers run; 0 = not known."""
    states = [(c.get("state") or {}).get("running") for c in status.get("containerStatuses") or []]
    since = [unix((running or {}).get("startedAt")) for running in states]
    known = [at for at in since if at is not None]
    return max(known) if known and len(known) == len(since) else 0.0


def unix(text: str | None) -> float | None:
    """Unix s of a Kubernetes time."""
    return datetime.fromisoformat(text).timestamp() if text else None


def kubernetes_time(now: float) -> str:
    """A Kubernetes time: whole seconds, UTC."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
