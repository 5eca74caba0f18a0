"""The ServerlessService that every PodAutoscaler owns: to the pods, or through the activator."""

from typing import Any

from knative.api import Object
from knative.objects import PodAutoscaler

API_VERSION = "networking.internal.knative.dev/v1alpha1"
PROXY, SERVE = "Proxy", "Serve"
NOT_COPIED = "autoscaling.knative.dev/metric"


def spec_of(pa: PodAutoscaler, mode: str, activators: int) -> dict[str, Any]:
    """The spec that should stand."""
    return {
        "mode": mode,
        "numActivators": activators,
        "objectRef": dict(pa.target),
        "protocolType": pa.protocol,
    }


def body_of(pa: PodAutoscaler, spec: dict[str, Any]) -> Object:
    """The object to create; Service and Endpoints inherit the labels, activators select by them."""
    owner = {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "name": pa.name,
        "uid": pa.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "ServerlessService",
        "metadata": {
            "name": pa.name,
            "namespace": pa.namespace,
            "labels": dict(pa.labels),
            "annotations": {k: v for k, v in pa.annotations.items() if k != NOT_COPIED},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }
