"""Who may do what."""

import pytest
import yaml

from knative.services.listing import RIGHTS
from knative.settings.election import Election
from tests.knative.manifests.manifest import (
    ADVISOR,
    CONTROLLER,
    FOLDER,
    OBJECTS,
    READ,
    find,
    verbs,
)


@pytest.mark.parametrize(
    ("kind", "account"),
    [("ClusterRole", CONTROLLER), ("Role", CONTROLLER), ("ClusterRole", ADVISOR)],
)
def test_roles_are_bound_to_the_account_that_runs(kind: str, account: str) -> None:
    meta = find("ServiceAccount", account)["metadata"]
    binding = find(f"{kind}Binding", account)
    assert binding["roleRef"]["kind"] == kind
    assert binding["roleRef"]["name"] == find(kind, account)["metadata"]["name"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": meta["name"], "namespace": meta["namespace"]}
    ]


def test_the_controller_reads_what_is_cached_and_no_more() -> None:
    may = verbs("ClusterRole", CONTROLLER)
    assert {resource for resource, verbs_ in may.items() if verbs_ >= {"list"}} == {
        "autoscaling.internal.knative.dev/podautoscalers",
        "networking.internal.knative.dev/serverlessservices",
        "apps/deployments",
        "/pods",
        "serving.knative.dev/routes",
    }


def test_the_controller_writes_what_its_writer_writes_and_no_more() -> None:
    written = {key: may - READ for key, may in verbs("ClusterRole", CONTROLLER).items()}
    assert {resource: may for resource, may in written.items() if may} == {
        "autoscaling.internal.knative.dev/podautoscalers/status": {"patch"},
        "autoscaling.internal.knative.dev/podautoscalers/finalizers": {"update"},
        "networking.internal.knative.dev/serverlessservices": {"create", "patch"},
        "apps/deployments/scale": {"patch"},
    }


def test_leases_are_ours_by_name() -> None:
    """Others' leases, such as the controllers' of Knative, are none of our business."""
    own = {f"coordination.k8s.io/leases/{name}": {"get", "update"} for name in Election().leases}
    assert verbs("Role", CONTROLLER) == {
        "/configmaps": READ,
        "coordination.k8s.io/leases": {"create"},
        **own,
    }


def test_the_advisor_may_tell_and_ask_who_may_read_and_no_more() -> None:
    assert verbs("ClusterRole", ADVISOR) == {
        "/events": {"create"},
        "authentication.k8s.io/tokenreviews": {"create"},
        "authorization.k8s.io/subjectaccessreviews": {"create"},
    }
    shared = verbs("ClusterRole", ADVISOR).keys() & verbs("ClusterRole", CONTROLLER).keys()
    assert not shared


def test_nothing_is_asked_for_wholesale() -> None:
    for o in OBJECTS:
        for rule in o.get("rules", []):
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_a_what_if_may_get_and_list_and_nothing_else() -> None:
    (role,) = yaml.safe_load_all((FOLDER / "whatif.yaml").read_text())
    assert role["kind"] == "ClusterRole"
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}
    assert {name for rule in role["rules"] for name in rule["resources"]} == {
        "podautoscalers",
        "revisions",
        "pods",
        "configmaps",
    }
    assert FOLDER.parents[1] / RIGHTS == FOLDER / "whatif.yaml"
