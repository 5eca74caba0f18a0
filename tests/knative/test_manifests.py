from pathlib import Path
from typing import Any

import yaml

import knative

Object = dict[str, Any]
MANIFEST = Path(knative.__file__).parent / "manifests" / "kn-ahead.yaml"
OBJECTS: list[Object] = list(yaml.safe_load_all(MANIFEST.read_text()))
READ = {"get", "list", "watch"}


def find(kind: str) -> Object:
    (found,) = [o for o in OBJECTS if o["kind"] == kind]
    return found


def verbs(kind: str) -> dict[str, set[str]]:
    """What a role may do, by "group/resource"."""
    return {
        f"{group}/{resource}": set(rule["verbs"])
        for rule in find(kind)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def container() -> Object:
    (only,) = find("Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_every_document_is_an_object() -> None:
    for o in OBJECTS:
        assert o["apiVersion"]
        assert o["kind"]
        assert o["metadata"]["name"]


def test_takes_the_place_of_knatives_autoscaler() -> None:
    deployment = find("Deployment")
    meta = deployment["metadata"]
    assert (meta["namespace"], meta["name"]) == ("knative-serving", "autoscaler")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert labels["app"] == "autoscaler"  # what Knative's Service selects
    assert selector.items() <= labels.items()


def test_a_rollout_leaves_activators_a_socket_at_any_time() -> None:
    spec = find("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "RollingUpdate")
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_a_pod_knows_by_what_name_and_address_it_holds_leases() -> None:
    env = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in container()["env"]}
    assert env["POD_NAME"] == "metadata.name"
    assert env["POD_IP"] == "status.podIP"


def test_runs_without_privileges() -> None:
    pod = find("Deployment")["spec"]["template"]["spec"]["securityContext"]
    own = container()["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}


def test_the_kubelet_probes_the_socket_of_the_activators() -> None:
    assert container()["readinessProbe"]["httpGet"]["port"] == 8080
    assert container()["livenessProbe"]["httpGet"]["port"] == 8080
    assert container()["livenessProbe"]["failureThreshold"] == 6


def test_the_pod_knows_itself_so_that_events_and_leases_can_name_it() -> None:
    fields = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in container()["env"]}
    assert fields["POD_NAME"] == "metadata.name"
    assert fields["POD_UID"] == "metadata.uid"


def test_both_ports_are_open() -> None:
    assert {p["containerPort"] for p in container()["ports"]} == {8080, 9090}


def test_says_what_it_needs() -> None:
    resources = container()["resources"]
    assert resources["requests"].keys() == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_roles_are_bound_to_the_account_that_runs() -> None:
    account = find("ServiceAccount")["metadata"]
    assert find("Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]
    for kind in ("ClusterRole", "Role"):
        binding = find(f"{kind}Binding")
        assert binding["roleRef"]["kind"] == kind
        assert binding["roleRef"]["name"] == find(kind)["metadata"]["name"]
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
        ]


def test_reads_what_is_cached_and_no_more() -> None:
    cached = {resource for resource, may in verbs("ClusterRole").items() if may >= {"list"}}
    assert cached == {
        "autoscaling.internal.knative.dev/podautoscalers",
        "networking.internal.knative.dev/serverlessservices",
        "apps/deployments",
        "/pods",
        "serving.knative.dev/routes",
    }
    assert verbs("Role") == {
        "/configmaps": READ,
        "coordination.k8s.io/leases": {"get", "create", "update"},
    }


def test_writes_what_the_actor_writes_and_no_more() -> None:
    written = {resource: may - READ for resource, may in verbs("ClusterRole").items()}
    assert {resource: may for resource, may in written.items() if may} == {
        "autoscaling.internal.knative.dev/podautoscalers/status": {"patch"},
        "autoscaling.internal.knative.dev/podautoscalers/finalizers": {"update"},
        "networking.internal.knative.dev/serverlessservices": {"create", "patch"},
        "apps/deployments/scale": {"patch"},
        "/events": {"create"},
    }


def test_asks_for_nothing_wholesale() -> None:
    for kind in ("ClusterRole", "Role"):
        for rule in find(kind)["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
