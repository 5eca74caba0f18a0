"""Objects as the API server has them."""

from typing import Any

from knative.client.api import Object
from knative.mirror.annotation_names import CLASS
from knative.mirror.fields import kubernetes_time
from knative.mirror.objects import (
    AUTOSCALING,
    NETWORKING,
    REVISION_LABEL,
    SERVICE_LABEL,
    UID_LABEL,
)

NOW_S = 1_700_000_000.0  # Unix s, an even second
LONG_AGO = kubernetes_time(NOW_S - 1000)
KPA = "kpa.autoscaling.knative.dev"
NAMESPACE, SYSTEM = "shop", "knative-serving"


def a_condition(kind: str, status: str, since: str = LONG_AGO, **said: str) -> Object:
    return {"type": kind, "status": status, "lastTransitionTime": since, **said}


def an_old_status(active: str = "True", *, since: str = LONG_AGO, **fields: Any) -> Object:
    """The status of a revision that was served before we came."""
    idle = {"reason": "NoTraffic", "message": "The target is not receiving traffic."}
    reason = idle if active == "False" else {}
    return {
        "conditions": [
            a_condition("Active", active, since, **reason),
            a_condition("Ready", active, since, **reason),
            a_condition("SKSReady", "True"),
            a_condition("ScaleTargetInitialized", "True"),
        ],
        "observedGeneration": 1,
        "serviceName": "cart",
        "metricsServiceName": "cart-private",
        "desiredScale": 1,
        "actualScale": 1,
    } | fields


def a_podautoscaler(
    name: str = "cart",
    *,
    kind: str | None = KPA,
    annotations: dict[str, str] | None = None,
    status: Object | None = None,
    **spec: Any,
) -> Object:
    """A PodAutoscaler as the revision controller makes it. kind: its class; None = none."""
    said = dict(annotations or {})
    if kind is not None:
        said[CLASS] = kind
    return {
        "kind": "PodAutoscaler",
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "uid": f"uid-of-{name}",
            "generation": 1,
            "labels": {
                REVISION_LABEL: name,
                SERVICE_LABEL: f"{name}-service",
                UID_LABEL: f"revision-uid-of-{name}",
                "app": name,
            },
            "annotations": said,
        },
        "spec": {
            "containerConcurrency": 0,
            "protocolType": "http1",
            "reachability": "Reachable",
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": f"{name}-deployment",
            },
        }
        | spec,
        "status": status or {},
    }


def a_serverlessservice(
    name: str = "cart", *, mode: str = "Proxy", owner: str = "", ready: bool = True
) -> Object:
    """A ServerlessService that its controller has set up."""
    proxied = "True" if mode == "Proxy" else "False"
    return {
        "kind": "ServerlessService",
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "generation": 1,
            "ownerReferences": [{"uid": owner or f"uid-of-{name}", "controller": True}],
        },
        "spec": {
            "mode": mode,
            "numActivators": 4,
            "objectRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": f"{name}-deployment",
            },
            "protocolType": "http1",
        },
        "status": {
            "serviceName": name,
            "privateServiceName": f"{name}-private",
            "observedGeneration": 1,
            "conditions": [
                a_condition("Ready", "True" if ready else "Unknown"),
                a_condition("ActivatorEndpointsPopulated", proxied),
            ],
        },
    }


def a_deployment(name: str = "cart", pods: int | None = 1, *, revision: str = "") -> Object:
    """A Deployment as the revision controller makes it. revision: its label; "" = its own."""
    return {
        "kind": "Deployment",
        "metadata": {
            "namespace": NAMESPACE,
            "name": f"{name}-deployment",
            "labels": {REVISION_LABEL: revision or name},
        },
        "spec": {} if pods is None else {"replicas": pods},
    }


def a_pod(
    name: str = "cart-1",
    revision: str = "cart",
    *,
    ready: bool = True,
    created_s: float = NOW_S - 500,
    ready_s: float = NOW_S - 490,
    phase: str = "Running",
    address: str = "10.0.0.1",
    **metadata: Any,
) -> Object:
    return {
        "kind": "Pod",
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "labels": {REVISION_LABEL: revision},
            "creationTimestamp": kubernetes_time(created_s),
            **metadata,
        },
        "status": {
            "phase": phase,
            "podIP": address,
            "startTime": kubernetes_time(created_s),
            "conditions": [
                a_condition("Ready", "True" if ready else "False", kubernetes_time(ready_s))
            ],
        },
    }


def a_route(
    *status: dict[str, Any], spec: list[dict[str, Any]] | None = None, name: str = "cart"
) -> Object:
    """A Route as Knative's Service makes it."""
    return {
        "kind": "Route",
        "metadata": {"namespace": "shop", "name": name, "labels": {SERVICE_LABEL: name}},
        "spec": {"traffic": [{"latestRevision": True, "percent": 100}] if spec is None else spec},
        "status": {"traffic": list(status)},
    }


def a_revision(name: str = "cart", *containers: Object) -> Object:
    """A Revision with these containers."""
    return {
        "kind": "Revision",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {"containers": list(containers)},
    }


def to(revision: str, percent: int | None, *, latest: bool = False, **said: Any) -> dict[str, Any]:
    """An entry of a Route's traffic."""
    return (
        {"revisionName": revision, "latestRevision": latest}
        | said
        | ({} if percent is None else {"percent": percent})
    )


def a_configmap(name: str, **data: str) -> Object:
    """One of Knative's ConfigMaps; keys with _ for -."""
    return {
        "kind": "ConfigMap",
        "metadata": {"namespace": SYSTEM, "name": name},
        "data": {key.replace("_", "-"): value for key, value in data.items()},
    }


def path_of(kind: str, name: str = "cart", namespace: str = NAMESPACE) -> str:
    """Where an object lies; of a Deployment by its own name or its revision's."""
    kind = kind.lower()
    group = {
        "podautoscaler": AUTOSCALING,
        "serverlessservice": NETWORKING,
        "deployment": "/apis/apps/v1",
        "pod": "/api/v1",
        "configmap": "/api/v1",
        "route": "/apis/serving.knative.dev/v1",
        "revision": "/apis/serving.knative.dev/v1",
    }[kind]
    own = f"{name.removesuffix('-deployment')}-deployment" if kind == "deployment" else name
    return f"{group}/namespaces/{namespace}/{kind}s/{own}"
