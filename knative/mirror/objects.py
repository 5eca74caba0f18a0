"""What we keep of each Kubernetes object: the few fields that a decision or a write needs.

No object, however large, makes us keep more than a few kB.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.limits import CONFIG_LENGTH
from autoscaler.refusals import LimitError, Refuse, ignore
from knative.client.api import Object
from knative.mirror.annotation_names import NAME_OF, limit_of
from knative.mirror.conditions import Status, status
from knative.mirror.fields import name, text, unix, whole

AUTOSCALING = "/apis/autoscaling.internal.knative.dev/v1alpha1"
NETWORKING = "/apis/networking.internal.knative.dev/v1alpha1"
PODAUTOSCALERS = f"{AUTOSCALING}/podautoscalers"
SERVERLESSSERVICES = f"{NETWORKING}/serverlessservices"
DEPLOYMENTS = "/apis/apps/v1/deployments"
PODS = "/api/v1/pods"

REVISION_LABEL = "serving.knative.dev/revision"
SERVICE_LABEL = "serving.knative.dev/service"
CONFIGURATION_LABEL = "serving.knative.dev/configuration"
GENERATION_LABEL = "serving.knative.dev/configurationGeneration"
UID_LABEL = "serving.knative.dev/revisionUID"
LONGEST_GENERATION = 18  # digits


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleTarget:
    """What is scaled: a Deployment."""

    api_version: str = ""
    kind: str = ""
    name: str = ""

    def as_object(self) -> dict[str, str]:
        """As it is written."""
        return {"apiVersion": self.api_version, "kind": self.kind, "name": self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAutoscaler:
    """What is asked for a revision, and what was said of it last."""

    namespace: str
    name: str
    uid: str
    generation: int
    service: str  # the Knative service whose traffic this is: "namespace/service"
    service_label: str  # its name, as a label says; "" = none does
    configuration: str  # as a label says; "" = none does
    configuration_generation: int  # the younger the revision the greater; 0 = not known
    annotations: Mapping[str, str]  # those that we read, by the names in `annotation_names`
    concurrency: int  # requests in flight that a pod takes at most; 0 = no limit
    target: ScaleTarget
    protocol: str
    reachability: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """What is asked of a ServerlessService."""

    mode: str
    activators: int  # 0 = all
    target: ScaleTarget
    protocol: str

    def as_object(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "mode": self.mode,
            "numActivators": self.activators,
            "objectRef": self.target.as_object(),
            "protocolType": self.protocol,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessService:
    """Where a revision's requests go: to its pods, or through the activator."""

    owner: str  # uid of the controller; "" = none
    spec: ServiceSpec
    service: str  # public name; "" = not yet
    private: str  # private name; "" = not yet
    ready: bool  # and current
    proxied_since_s: float | None  # Unix s since when the activator stands in the path


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is scaled."""

    replicas: int  # pods that it asks for; left out, it means one
    revision: str  # name of the revision that it is labelled as of; "" = of none


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


def podautoscaler(o: Object, refuse: Refuse = ignore) -> PodAutoscaler:
    """Keep what matters of a PodAutoscaler. refuse: hears of annotations that are too long."""
    meta, spec = o["metadata"], o.get("spec") or {}
    labels = meta.get("labels") or {}
    namespace, own, service = name(meta["namespace"]), name(meta["name"]), labels.get(SERVICE_LABEL)
    return PodAutoscaler(
        namespace=namespace,
        name=own,
        uid=text(meta["uid"]),
        generation=whole(meta.get("generation")),
        service=text(f"{namespace}/{name(service) or own}"),
        service_label=name(service),
        configuration=name(labels.get(CONFIGURATION_LABEL)),
        configuration_generation=_generation(labels.get(GENERATION_LABEL) or ""),
        annotations=_annotations(meta, refuse),
        concurrency=max(whole(spec.get("containerConcurrency")), 0),
        target=_target(spec.get("scaleTargetRef") or {}),
        protocol=text(spec.get("protocolType", "http1")),
        reachability=text(spec.get("reachability")),
        status=status(o.get("status") or {}),
    )


def serverlessservice(o: Object) -> ServerlessService:
    """Keep what matters of a ServerlessService."""
    meta, spec, said = o["metadata"], o.get("spec") or {}, o.get("status") or {}
    owners = [r for r in meta.get("ownerReferences") or [] if r.get("controller")]
    conditions = {c["type"]: c for c in said.get("conditions") or []}
    proxied = conditions.get("ActivatorEndpointsPopulated", {})
    current = said.get("observedGeneration") == meta.get("generation")
    ready = conditions.get("Ready", {}).get("status") == "True"
    since = unix(proxied.get("lastTransitionTime")) if proxied.get("status") == "True" else None
    return ServerlessService(
        owner=text(owners[0]["uid"]) if owners else "",
        spec=ServiceSpec(
            mode=text(spec.get("mode")),
            activators=whole(spec.get("numActivators")),
            target=_target(spec.get("objectRef") or {}),
            protocol=text(spec.get("protocolType")),
        ),
        service=name(said.get("serviceName")),
        private=name(said.get("privateServiceName")),
        ready=ready and current,
        proxied_since_s=since,
    )


def deployment(o: Object) -> Deployment:
    """Keep what matters of a Deployment."""
    asked = (o.get("spec") or {}).get("replicas")
    labels = o["metadata"].get("labels") or {}
    return Deployment(
        replicas=1 if asked is None else whole(asked), revision=name(labels.get(REVISION_LABEL))
    )


def pod(o: Object) -> Pod:
    """Keep what matters of a pod."""
    meta, said = o["metadata"], o.get("status") or {}
    conditions = {c["type"]: c for c in said.get("conditions") or []}
    ready = conditions.get("Ready", {}).get("status") == "True"
    ready_s = _true_since(conditions, "Ready")
    return Pod(
        revision=text(f"{meta['namespace']}/{meta['labels'][REVISION_LABEL]}"),
        state=_state(said.get("phase"), ready, ending=bool(meta.get("deletionTimestamp"))),
        address=name(said.get("podIP")),
        created_s=unix(meta.get("creationTimestamp")) or 0.0,
        started_s=unix(said.get("startTime")) or 0.0,
        ready_s=ready_s,
        # How it started is read once it has: pods are many, and change often until then.
        scheduled_s=_true_since(conditions, "PodScheduled") if ready_s else 0.0,
        running_s=_running_since(said) if ready_s else 0.0,
    )


def configmaps(names: Collection[str]) -> Callable[[Object], Mapping[str, str] | None]:
    """Reads ConfigMaps of these names, without their examples; None for others."""

    def configmap(o: Object) -> Mapping[str, str] | None:
        if o["metadata"]["name"] not in names:
            return None
        data = {key: v for key, v in (o.get("data") or {}).items() if not key.startswith("_")}
        if sum(len(key) + len(value) for key, value in data.items()) > CONFIG_LENGTH.most:
            raise LimitError(CONFIG_LENGTH)
        return data

    return configmap


def _annotations(meta: Object, refuse: Refuse) -> dict[str, str]:
    said = meta.get("annotations") or {}
    kept = {}
    for spelling, value in said.items():
        known = NAME_OF.get(spelling)
        if known is None or (spelling != known and known in said):
            continue
        limit = limit_of(known)
        if len(value) > limit.most:
            refuse(limit, f"{known} of {meta['namespace']}/{meta['name']}")
        else:
            kept[known] = text(value)
    return kept


def _target(o: Object) -> ScaleTarget:
    return ScaleTarget(
        api_version=text(o.get("apiVersion")), kind=text(o.get("kind")), name=name(o.get("name"))
    )


def _generation(label: str) -> int:
    return int(label) if label.isdecimal() and len(label) <= LONGEST_GENERATION else 0


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
