"""The ServerlessService that every PodAutoscaler owns, as it is created."""

from knative.mirror.objects import ScaleTarget, ServiceSpec
from knative.mirror.serverlessservice import body_of
from tests.knative.objects import KPA, a_podautoscaler

RAW = a_podautoscaler(
    annotations={
        "autoscaling.knative.dev/metric": "rps",
        "autoscaling.knative.dev/window": "1m",
        "example.com/owner": "x" * 1000,
    },
    protocolType="h2c",
)
TARGET = ScaleTarget(api_version="apps/v1", kind="Deployment", name="cart-deployment")
SPEC = ServiceSpec(mode="Serve", activators=3, target=TARGET, protocol="h2c")


def test_the_spec_points_at_the_scale_target() -> None:
    assert SPEC.as_object() == {
        "mode": "Serve",
        "numActivators": 3,
        "objectRef": RAW["spec"]["scaleTargetRef"],
        "protocolType": "h2c",
    }


def test_the_object_has_the_name_and_all_labels() -> None:
    meta = body_of(RAW, SPEC)["metadata"]
    assert (meta["namespace"], meta["name"]) == ("shop", "cart")
    assert meta["labels"] == RAW["metadata"]["labels"]


def test_all_annotations_but_the_metric_are_copied() -> None:
    assert body_of(RAW, SPEC)["metadata"]["annotations"] == {
        "autoscaling.knative.dev/window": "1m",
        "example.com/owner": "x" * 1000,
        "autoscaling.knative.dev/class": KPA,
    }


def test_the_podautoscaler_owns_the_object() -> None:
    assert body_of(RAW, SPEC)["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
            "kind": "PodAutoscaler",
            "name": "cart",
            "uid": "uid-of-cart",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_the_object_says_what_it_is() -> None:
    body = body_of(RAW, SPEC)
    assert body["apiVersion"] == "networking.internal.knative.dev/v1alpha1"
    assert body["kind"] == "ServerlessService"
    assert body["spec"] == SPEC.as_object()
