"""Kubernetes objects reduced to the fields that a decision or a write needs: a few kB at most."""

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
    """The object that is scaled: a Deployment."""

    api_version: str = ""
    kind: str = ""
    name: str = ""

    def as_object(self) -> dict[str, str]:
        """As it is written."""
        return {"apiVersion": self.api_version, "kind": self.kind, "name": self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAutoscaler:
    """The settings of a revision, and its status."""

    namespace: str
    name: str
    uid: str
    generation: int
    service: str  # the Knative service that it belongs to: "namespace/service"
    service_label: str  # of the label; "" = there is none
    configuration: str  # of the label; "" = there is none
    configuration_generation: int  # greater for younger revisions; 0 = not known
    annotations: Mapping[str, str]  # by the names in `annotation_names`
    concurrency: int  # requests in flight that a pod takes at most; 0 = no limit
    target: ScaleTarget
    protocol: str
    reachability: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """The spec of a ServerlessService."""

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
    deleted_s: float = 0.0  # Unix s at which it was asked to go; 0 = it was not


def podautoscaler(o: Object, refuse: Refuse = ignore) -> PodAutoscaler:
    """Parse a PodAutoscaler. refuse: called for annotations that are too long."""
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
    """Parse a ServerlessService."""
    meta, spec, state = o["metadata"], o.get("spec") or {}, o.get("status") or {}
    owners = [r for r in meta.get("ownerReferences") or [] if r.get("controller")]
    conditions = {c["type"]: c for c in state.get("conditions") or []}
    proxied = conditions.get("ActivatorEndpointsPopulated", {})
    current = state.get("observedGeneration") == meta.get("generation")
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
        service=name(state.get("serviceName")),
        private=name(state.get("privateServiceName")),
        ready=ready and current,
        proxied_since_s=since,
    )


def deployment(o: Object) -> Deployment:
    """Parse a Deployment."""
    asked = (o.get("spec") or {}).get("replicas")
    labels = o["metadata"].get("labels") or {}
    return Deployment(
        replicas=1 if asked is None else whole(asked), revision=name(labels.get(REVISION_LABEL))
    )


def pod(o: Object) -> Pod:
    """Parse a pod."""
    meta, state = o["metadata"], o.get("status") or {}
    conditions = {c["type"]: c for c in state.get("conditions") or []}
    ready = conditions.get("Ready", {}).get("status") == "True"
    ready_s = _true_since(conditions, "Ready")
    return Pod(
        revision=text(f"{meta['namespace']}/{meta['labels'][REVISION_LABEL]}"),
        state=_state(state.get("phase"), ready, ending=bool(meta.get("deletionTimestamp"))),
        address=name(state.get("podIP")),
        created_s=unix(meta.get("creationTimestamp")) or 0.0,
        started_s=unix(state.get("startTime")) or 0.0,
        ready_s=ready_s,
        # Parts of its start-up are read once it is ready, as pods change often until then.
        scheduled_s=_true_since(conditions, "PodScheduled") if ready_s else 0.0,
        running_s=_running_since(state) if ready_s else 0.0,
        deleted_s=_deleted(meta),
    )


def configmaps(names: Collection[str]) -> Callable[[Object], Mapping[str, str] | None]:
    """A parser of ConfigMaps with these names, without their examples; None for others."""

    def configmap(o: Object) -> Mapping[str, str] | None:
        if o["metadata"]["name"] not in names:
            return None
        data = {key: v for key, v in (o.get("data") or {}).items() if not key.startswith("_")}
        if sum(len(key) + len(value) for key, value in data.items()) > CONFIG_LENGTH.most:
            raise LimitError(CONFIG_LENGTH)
        return data

    return configmap


def _annotations(meta: Object, refuse: Refuse) -> dict[str, str]:
    """Annotations by the names in `annotation_names`; a name wins over its other spelling."""
    annotations = meta.get("annotations") or {}
    found = {}
    for spelling, value in annotations.items():
        known = NAME_OF.get(spelling)
        if known is None or (spelling != known and known in annotations):
            continue
        limit = limit_of(known)
        if len(value) > limit.most:
            refuse(limit, f"{known} of {meta['namespace']}/{meta['name']}")
        else:
            found[known] = text(value)
    return found


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


def _deleted(meta: Object) -> float:
    """Unix s at which a deletion was asked for; 0 = it was not. Its time is when grace ends."""
    end_s = unix(meta.get("deletionTimestamp"))
    return 0.0 if end_s is None else end_s - whole(meta.get("deletionGracePeriodSeconds"))


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
