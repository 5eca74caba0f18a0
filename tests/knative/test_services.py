from knative.objects import podautoscaler
from knative.services import PROXY, SERVE, body_of, spec_of
from tests.knative.conftest import KPA, a_podautoscaler

RAW = a_podautoscaler(
    annotations={"autoscaling.knative.dev/metric": "rps", "autoscaling.knative.dev/window": "1m"},
    protocolType="h2c",
)
PA = podautoscaler(RAW)


def test_the_spec_points_at_the_scale_target() -> None:
    assert spec_of(PA, SERVE, 3) == {
        "mode": "Serve",
        "numActivators": 3,
        "objectRef": RAW["spec"]["scaleTargetRef"],
        "protocolType": "h2c",
    }


def test_the_object_has_the_name_and_all_labels() -> None:
    meta = body_of(PA, spec_of(PA, PROXY, 2))["metadata"]
    assert (meta["namespace"], meta["name"]) == ("shop", "cart")
    assert meta["labels"] == RAW["metadata"]["labels"]


def test_all_annotations_but_the_metric_are_copied() -> None:
    assert body_of(PA, {})["metadata"]["annotations"] == {
        "autoscaling.knative.dev/window": "1m",
        "autoscaling.knative.dev/class": KPA,
    }


def test_the_podautoscaler_owns_the_object() -> None:
    assert body_of(PA, {})["metadata"]["ownerReferences"] == [
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
    body = body_of(PA, {"mode": "Proxy"})
    assert body["apiVersion"] == "networking.internal.knative.dev/v1alpha1"
    assert body["kind"] == "ServerlessService"
    assert body["spec"] == {"mode": "Proxy"}
