"""The ServerlessService that every PodAutoscaler owns."""

from knative.client.api import Object
from knative.mirror.objects import ServiceSpec

API_VERSION = "networking.internal.knative.dev/v1alpha1"
NOT_COPIED = "autoscaling.knative.dev/metric"


def body_of(podautoscaler: Object, spec: ServiceSpec) -> Object:
    """The object to create. podautoscaler: its owner, as read from the server.

    All labels and annotations are copied: Service and Endpoints inherit the labels, by which
    activators select them.
    """
    meta = podautoscaler["metadata"]
    annotations = meta.get("annotations") or {}
    owner = {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "ServerlessService",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": meta.get("labels") or {},
            "annotations": {k: v for k, v in annotations.items() if k != NOT_COPIED},
            "ownerReferences": [owner],
        },
        "spec": spec.as_object(),
    }
