"""A fleet of thousands of revisions that have been there for an hour and want nothing.

Its objects are put where the API server keeps them, into etcd, by the thousand: to ask the API
server for 30,000 of them one by one takes minutes, and it serves these as it serves its own.
"""

import base64
import json
import time
import uuid
from collections.abc import Iterator

import requests

from knative.mirror.fields import kubernetes_time
from tests.apiserver.objects import (
    AUTOSCALING,
    KPA,
    NETWORKING,
    PREFIX,
    Object,
    deployment_of,
    marks_of,
    podautoscaler_of,
)
from tests.apiserver.plane import ControlPlane

SPACE = "numbers"
AGO_S = 3600.0
AT_ONCE = 120  # objects in a transaction; etcd takes 128
QUEUE_PROXY = "127.9.0.1"  # address of every pod


def name_of(number: int) -> str:
    """Of a revision."""
    return f"cart{number:05d}-00001"


def fill(plane: ControlPlane, revisions: int, with_pods: int) -> None:
    """Put all of a fleet into a cluster; the first of them have a pod each."""
    session, waiting = requests.Session(), []
    url = f"http://127.0.0.1:{plane.etcd_port}/v3/kv/txn"
    puts = (put for n in range(revisions) for put in _objects(name_of(n), int(n < with_pods)))
    for put in [*puts, None]:
        if put is not None:
            waiting.append({"requestPut": put})
        if len(waiting) == AT_ONCE or (put is None and waiting):
            session.post(url, json={"success": waiting}, timeout=30).raise_for_status()
            waiting.clear()


def _objects(name: str, pods: int) -> Iterator[dict[str, str]]:
    """The keys and values of one revision."""
    since = kubernetes_time(time.time() - AGO_S)  # noqa: TID251
    marks = marks_of(name)
    deployment = deployment_of(name, marks, pods)
    yield _put(f"deployments/{SPACE}/{name}-deployment", deployment, since)
    if pods:
        yield _put(f"pods/{SPACE}/{name}", _pod(name, marks, since), since)
    meta = {"name": name, "labels": marks, "annotations": {f"{PREFIX}/class": KPA}}
    pa = podautoscaler_of(name, meta, {"reachability": "Reachable"})
    pa |= {"status": _status(name, pods, since)}
    yield _put(f"{AUTOSCALING}/podautoscalers/{SPACE}/{name}", pa, since)
    sks = _serverlessservice(pa, pods, since)
    yield _put(f"{NETWORKING}/serverlessservices/{SPACE}/{name}", sks, since)


def _put(key: str, body: Object, since: str) -> dict[str, str]:
    """An object as the API server stores it."""
    stored = {"namespace": SPACE, "uid": str(uuid.uuid4()), "creationTimestamp": since}
    body["metadata"] |= stored | {"generation": 1}
    encoded = (
        base64.b64encode(text.encode()).decode() for text in (f"/registry/{key}", _json(body))
    )
    return dict(zip(("key", "value"), encoded, strict=True))


def _json(body: Object) -> str:
    return json.dumps(body, separators=(",", ":"))


def _status(name: str, pods: int, since: str) -> Object:
    idle = {"reason": "NoTraffic", "message": "The target is not receiving traffic."}
    not_ready = {"reason": "NotReady", "message": "K8s Service is not ready"}
    active = {"status": "True"} if pods else {"status": "False"} | idle
    said: dict[str, dict[str, str]] = {
        "Active": active,
        "Ready": active,
        "SKSReady": {"status": "True"} if pods else {"status": "Unknown"} | not_ready,
        "ScaleTargetInitialized": {"status": "True"},
    }
    return {
        "conditions": [{"type": k, "lastTransitionTime": since} | said[k] for k in sorted(said)],
        "serviceName": name,
        "metricsServiceName": f"{name}-private",
        "desiredScale": pods,
        "actualScale": pods,
        "observedGeneration": 1,
    }


def _serverlessservice(pa: Object, pods: int, since: str) -> Object:
    meta = pa["metadata"]
    owner = {
        "apiVersion": pa["apiVersion"],
        "kind": pa["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    conditions = {"ActivatorEndpointsPopulated": "True", "Ready": "True" if pods else "Unknown"}
    return {
        "apiVersion": f"{NETWORKING}/v1alpha1",
        "kind": "ServerlessService",
        "metadata": {
            "name": meta["name"],
            "labels": meta["labels"],
            "annotations": meta["annotations"],
            "ownerReferences": [owner],
        },
        "spec": {
            "mode": "Proxy",
            "numActivators": 3,  # what a target burst capacity of 211 asks for
            "objectRef": pa["spec"]["scaleTargetRef"],
            "protocolType": "http1",
        },
        "status": {
            "serviceName": meta["name"],
            "privateServiceName": f"{meta['name']}-private",
            "observedGeneration": 1,
            "conditions": [
                {"type": kind, "status": word, "lastTransitionTime": since}
                for kind, word in conditions.items()
            ],
        },
    }


def _pod(name: str, marks: dict[str, str], since: str) -> Object:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": since}
    containers = [{"name": "user-container", "image": "dev.local/app"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": marks},
        "spec": {"containers": containers, "nodeName": "stand-in"},
        "status": {
            "phase": "Running",
            "podIP": QUEUE_PROXY,
            "podIPs": [{"ip": QUEUE_PROXY}],
            "startTime": since,
            "conditions": [ready],
        },
    }
