"""Who may speak to our pods, where the cluster's network enforces policies."""

import pytest
import yaml

from tests.knative.manifests.manifest import FOLDER, LEARNER, OBJECTS, Object, find

POLICIES: list[Object] = list(yaml.safe_load_all((FOLDER / "network-policies.yaml").read_text()))
PODS = {"kn-ahead": OBJECTS, "kn-ahead-learner": LEARNER}


def ports(objects: list[Object]) -> set[int]:
    """That the containers of a Deployment listen on."""
    containers = find("Deployment", objects=objects)["spec"]["template"]["spec"]["containers"]
    return {port["containerPort"] for c in containers for port in c.get("ports", [])}


def comes_to(policy: Object, port: int) -> list[Object]:
    """From where anybody may."""
    rules = policy["spec"]["ingress"]
    return [peer for r in rules if {"port": port} in r["ports"] for peer in r["from"]]


def test_there_is_one_for_each_pod_of_ours() -> None:
    assert {policy["metadata"]["name"] for policy in POLICIES} == set(PODS)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy["metadata"]["name"])
def test_it_is_for_the_pods_of_its_deployment_and_opens_what_they_listen_on(
    policy: Object,
) -> None:
    objects = PODS[policy["metadata"]["name"]]
    deployment = find("Deployment", objects=objects)
    assert policy["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    opened = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert opened == ports(objects)
    assert all(rule["from"] for rule in policy["spec"]["ingress"])  # without it: everybody


def test_statistics_come_from_activators_and_replicas_of_ours() -> None:
    (peer,) = comes_to(find("NetworkPolicy", "kn-ahead", POLICIES), 8080)
    (wanted,) = peer["podSelector"]["matchExpressions"]
    assert (wanted["key"], set(wanted["values"])) == ("app", {"activator", "autoscaler"})
    assert "namespaceSelector" not in peer  # of Knative's own namespace


def test_what_is_shown_is_for_namespaces_that_read_metrics() -> None:
    for name, port in (("kn-ahead", 9090), ("kn-ahead-learner", 8080)):
        peers = comes_to(find("NetworkPolicy", name, POLICIES), port)
        assert {"namespaceSelector": {"matchLabels": {"metrics": "enabled"}}} in peers


def test_forecasts_are_for_the_advisor() -> None:
    peers = comes_to(find("NetworkPolicy", "kn-ahead-learner", POLICIES), 8080)
    assert {"podSelector": {"matchLabels": {"app": "autoscaler"}}} in peers
