"""Objects of a fake cluster as an API server has them: three revisions per service, all at zero.

Each has the labels, annotations, conditions and managed fields of a typical one.
"""

from collections.abc import Mapping

from knative.client.api import Object

KPA = "kpa.autoscaling.knative.dev"
NO_TRAFFIC = {"reason": "NoTraffic", "message": "The target is not receiving traffic."}


def _uid(i: int, kind: int) -> str:
    return f"{i:08x}-{kind:04x}-4000-8000-0123456789ab"


def _when(i: int) -> str:
    return f"2026-01-{1 + i % 28:02d}T{i % 24:02d}:{i % 60:02d}:00Z"


def _name(i: int) -> str:
    return f"service-{i // 3:05d}-{i % 3 + 1:05d}"


def _labels(i: int) -> dict[str, str]:
    service = f"service-{i // 3:05d}"
    return {
        "app": _name(i),
        "serving.knative.dev/configuration": service,
        "serving.knative.dev/configurationGeneration": str(i % 3 + 1),
        "serving.knative.dev/configurationUID": _uid(i, 1),
        "serving.knative.dev/revision": _name(i),
        "serving.knative.dev/revisionUID": _uid(i, 2),
        "serving.knative.dev/service": service,
        "serving.knative.dev/serviceUID": _uid(i, 3),
        "team": f"team-{i % 40}",
    }


def _annotations(i: int) -> dict[str, str]:
    return {
        "autoscaling.knative.dev/class": KPA,
        "autoscaling.knative.dev/max-scale": str(5 + i % 10),
        "autoscaling.knative.dev/metric": "concurrency",
        "autoscaling.knative.dev/min-scale": "0",
        "client.knative.dev/updateTimestamp": _when(i),
        "client.knative.dev/user-image": f"registry.example.com/team-{i % 40}/image-{i}:v1.2.3",
        "prometheus.io/scrape": "true",
        "serving.knative.dev/creator": "system:serviceaccount:argocd:application-controller",
        "serving.knative.dev/routes": f"service-{i // 3:05d}",
        "sidecar.istio.io/rewriteAppHTTPProbers": "true",
    }


def _managed(manager: str, **parts: int) -> Object:
    fields: Object = {
        f"f:{part}": {f"f:field-{j}": {} for j in range(n)} for part, n in parts.items()
    }
    return {
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        "manager": manager,
        "operation": "Update",
        "time": _when(len(manager)),
    }


def _meta(i: int, name: str, owner: str) -> Object:
    reference = {"controller": True, "kind": owner, "name": _name(i), "uid": _uid(i, 5)}
    return {
        "annotations": _annotations(i),
        "creationTimestamp": _when(i),
        "generation": 2,
        "labels": _labels(i),
        "managedFields": [
            _managed("controller", annotations=10, labels=9, spec=6),
            _managed("autoscaler", status=8),
        ],
        "name": name,
        "namespace": f"namespace-{i // 3 % 100:03d}",
        "ownerReferences": [reference],
        "resourceVersion": str(10_000_000 + i),
        "uid": _uid(i, 5),
    }


def _conditions(i: int, status: str, *kinds: str, **reason: str) -> list[Mapping[str, str]]:
    return [
        {"lastTransitionTime": _when(i + j), "status": status, "type": kind, **reason}
        for j, kind in enumerate(kinds)
    ]


def _target(i: int) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{_name(i)}-deployment"}


def a_podautoscaler(i: int) -> Object:
    """The i-th, at zero."""
    return {
        "metadata": _meta(i, _name(i), "Revision"),
        "spec": {
            "containerConcurrency": 0,
            "protocolType": "http1",
            "reachability": "Reachable",
            "scaleTargetRef": _target(i),
        },
        "status": {
            "actualScale": 0,
            "conditions": [
                *_conditions(i, "False", "Active", "Ready", **NO_TRAFFIC),
                *_conditions(i + 7, "True", "SKSReady", "ScaleTargetInitialized"),
            ],
            "desiredScale": 0,
            "metricsServiceName": f"{_name(i)}-private",
            "observedGeneration": 2,
            "serviceName": _name(i),
        },
    }


def a_serverlessservice(i: int) -> Object:
    """The i-th, through the activator."""
    kinds = ("ActivatorEndpointsPopulated", "EndpointsPopulated", "Ready")
    return {
        "metadata": _meta(i, _name(i), "PodAutoscaler"),
        "spec": {
            "mode": "Proxy",
            "numActivators": 3,
            "objectRef": _target(i),
            "protocolType": "http1",
        },
        "status": {
            "conditions": _conditions(i, "True", *kinds),
            "observedGeneration": 2,
            "privateServiceName": f"{_name(i)}-private",
            "serviceName": _name(i),
        },
    }


def a_deployment(i: int) -> Object:
    """The i-th."""
    meta = _meta(i, f"{_name(i)}-deployment", "Revision")
    return {"metadata": meta, "spec": {"replicas": 0}}


def a_pod(i: int) -> Object:
    """The i-th, ready."""
    running = {"state": {"running": {"startedAt": _when(i)}}}
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    return {
        "metadata": _meta(i, f"{_name(i)}-deployment-{i:05x}", "ReplicaSet"),
        "status": {
            "conditions": _conditions(i, "True", *kinds),
            "containerStatuses": [running, running],
            "phase": "Running",
            "podIP": f"10.{i // 65_536}.{i // 256 % 256}.{i % 256}",
            "startTime": _when(i),
        },
    }


def an_activator(address: str) -> Object:
    """A pod of Knative's own that reports statistics, ready."""
    pod = a_pod(0)
    labels = {"app": "activator"}
    pod["metadata"] |= {"name": "activator", "namespace": "knative-serving", "labels": labels}
    pod["status"] |= {"podIP": address, "podIPs": [{"ip": address}]}
    return pod
