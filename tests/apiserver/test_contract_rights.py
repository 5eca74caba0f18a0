"""What our manifest grants and what not, and that its pods are admitted, on a real API server."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
import requests
import yaml
from kubernetes import client

from tests.apiserver.install import apply
from tests.apiserver.objects import (
    ADVISOR,
    AUTOSCALING,
    CONTROLLER,
    MANIFEST,
    NETWORKING,
    SYSTEM,
    Objects,
)
from tests.apiserver.plane import ControlPlane, wait_until

LEASE = "autoscaler-bucket-00-of-01"
MANIFESTS = sorted(MANIFEST.parent.glob("*.yaml"))
ANY = "namespaces/default"

# What nobody of ours has any business with: method, path, body.
REFUSED: list[tuple[str, str, Any]] = [
    ("GET", "/api/v1/secrets", None),
    ("GET", f"/api/v1/namespaces/{SYSTEM}/secrets", None),
    ("GET", f"/api/v1/{ANY}/configmaps", None),
    ("PATCH", f"/api/v1/namespaces/{SYSTEM}/configmaps/config-autoscaler", {"data": {}}),
    ("GET", "/api/v1/nodes", None),
    ("POST", f"/api/v1/{ANY}/pods", {}),
    ("DELETE", f"/api/v1/{ANY}/pods/any", None),
    ("DELETE", f"/api/v1/{ANY}/pods", None),
    ("GET", f"/api/v1/{ANY}/events", None),
    ("PATCH", f"/apis/apps/v1/{ANY}/deployments/any", {}),
    ("DELETE", f"/apis/apps/v1/{ANY}/deployments/any", None),
    ("PATCH", f"/apis/{AUTOSCALING}/v1alpha1/{ANY}/podautoscalers/any", {}),
    ("DELETE", f"/apis/{NETWORKING}/v1alpha1/{ANY}/serverlessservices/any", None),
    ("DELETE", f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{LEASE}", None),
    ("GET", f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/another", None),
    ("GET", f"/apis/coordination.k8s.io/v1/{ANY}/leases/any", None),
    ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {}),
]  # fmt: skip
# What only the controller has: the advisor reads no cluster and changes no pods.
FOR_CONTROLLER: list[tuple[str, str, Any]] = [
    ("GET", f"/apis/{AUTOSCALING}/v1alpha1/podautoscalers", None),
    ("GET", "/api/v1/pods", None),
    ("GET", f"/api/v1/namespaces/{SYSTEM}/configmaps", None),
    ("GET", f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{LEASE}", None),
    ("PATCH", f"/apis/apps/v1/{ANY}/deployments/any/scale", {}),
    ("PATCH", f"/apis/{AUTOSCALING}/v1alpha1/{ANY}/podautoscalers/any/status", {}),
]
# What only the advisor has.
FOR_ADVISOR: list[tuple[str, str, Any]] = [
    ("POST", f"/api/v1/{ANY}/events", {}),
    ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {}),
    ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {}),
]
CASES = [
    *((CONTROLLER, *each) for each in [*REFUSED, *FOR_ADVISOR]),
    *((ADVISOR, *each) for each in [*REFUSED, *FOR_CONTROLLER]),
]


def answered(plane: ControlPlane, token: str, method: str, path: str, body: Any) -> int:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    verify, url = str(plane.certificate), f"{plane.server}{path}?dryRun=All"
    return requests.request(
        method, url, headers=headers, json=body, verify=verify, timeout=10
    ).status_code


@pytest.mark.parametrize(("account", "method", "path", "body"), CASES)
def test_what_the_manifest_does_not_grant_is_refused(
    plane: ControlPlane,
    token: str,
    advisor_token: str,
    account: str,
    method: str,
    path: str,
    body: Any,
) -> None:
    """To us, and not to an administrator."""
    own = {CONTROLLER: token, ADVISOR: advisor_token}[account]
    assert answered(plane, own, method, path, body) == HTTPStatus.FORBIDDEN
    assert answered(plane, plane.token, method, path, body) != HTTPStatus.FORBIDDEN


def templates() -> Iterator[Any]:
    """The pods of all our manifests."""
    for manifest in MANIFESTS:
        for o in yaml.safe_load_all(manifest.read_text()):
            if template := (o or {}).get("spec", {}).get("template"):
                yield pytest.param(template, id=f"{manifest.stem}: {o['metadata']['name']}")


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("template", list(templates()))
def test_our_pods_are_admitted_where_pod_security_is_restricted(
    admin: Objects, template: dict[str, Any]
) -> None:
    """And one that does not say what it gives up is not."""
    spec = template["spec"]
    name = {"metadata": {"name": "tried", "labels": template["metadata"]["labels"]}}
    pod = {"apiVersion": "v1", "kind": "Pod"} | name | {"spec": spec | {"serviceAccountName": None}}
    admin.core.create_namespaced_pod(SYSTEM, pod, dry_run="All")
    bare = [{"name": c["name"], "image": c["image"]} for c in spec["containers"]]
    with pytest.raises(client.ApiException, match="violates PodSecurity"):
        admin.core.create_namespaced_pod(
            SYSTEM, pod | {"spec": {"containers": bare}}, dry_run="All"
        )


def test_the_server_understands_every_field_of_every_manifest(admin: Objects) -> None:
    policies: list[Any] = []
    for manifest in MANIFESTS:
        documents = [o for o in yaml.safe_load_all(manifest.read_text()) if o]
        apply(admin, documents, dry_run="All", field_validation="Strict")
        policies = [o for o in documents if o["kind"] == "NetworkPolicy"] or policies
    with pytest.raises(client.ApiException, match="ingres"):
        apply(admin, [wrong(policies[0])], dry_run="All", field_validation="Strict")


def wrong(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"spec": document["spec"] | {"ingres": []}}


def test_the_pod_of_our_deployment_exists(admin: Objects) -> None:
    """Under the ServiceAccount of the manifest."""

    def pods() -> list[Any]:
        found = admin.core.list_namespaced_pod(SYSTEM, label_selector="app=autoscaler")
        return list(found.items)

    wait_until(lambda: bool(pods()), 30, "a pod")
    assert pods()[0].spec.service_account_name == "kn-ahead"
