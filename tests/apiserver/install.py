"""Brings into a fresh cluster what has to be there: Knative's kinds, and our manifest."""

import contextlib
from collections.abc import Iterable, Iterator

import yaml
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient

from tests.apiserver.objects import (
    ACTIVATORS,
    AUTOSCALING,
    HERE,
    MANIFEST,
    NETWORKING,
    QUICK,
    SYSTEM,
    Object,
    Objects,
)
from tests.apiserver.plane import ControlPlane, wait_until


def administrator(plane: ControlPlane) -> Objects:
    """Who may do everything in a cluster."""
    settings = client.Configuration()
    config.load_kube_config(  # type: ignore[no-untyped-call]
        str(plane.kubeconfig("admin", plane.token)), client_configuration=settings
    )
    return Objects(client.ApiClient(settings))


def install(plane: ControlPlane) -> Objects:
    """Install everything; returns the administrator."""
    objects = administrator(plane)
    apply(objects, yaml.safe_load_all((HERE / "crds.yaml").read_text()))
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = {"metadata": {"name": SYSTEM, "labels": enforced}}
    objects.core.create_namespace(space)
    objects.configure("config-autoscaler", QUICK)
    apply(objects, yaml.safe_load_all(MANIFEST.read_text()))
    wait_until(lambda: _kinds_served(objects), 60, "the kinds")
    return objects


@contextlib.contextmanager
def lacking(objects: Objects, role: Object, resource: str) -> Iterator[None]:
    """A ClusterRole without its one rule about a resource, until the end of the block."""
    rules = [rule for rule in role["rules"] if resource not in rule["resources"]]
    assert len(rules) == len(role["rules"]) - 1
    apply(objects, [role | {"rules": rules}])
    try:
        yield
    finally:
        apply(objects, [role])


def apply(objects: Objects, documents: Iterable[Object], **how: str) -> None:
    """Server-side apply, in this order. how: parameters of the request, such as dry_run."""
    for document in documents:
        meta = document["metadata"]
        dynamic = DynamicClient(objects.api)  # type: ignore[no-untyped-call]
        kind = dynamic.resources.get(api_version=document["apiVersion"], kind=document["kind"])
        kind.server_side_apply(
            body=document,
            name=meta["name"],
            namespace=meta.get("namespace"),
            field_manager="tests",
            force_conflicts=True,
            **how,
        )


def _kinds_served(objects: Objects) -> bool:
    try:
        for group, plural in ((AUTOSCALING, "podautoscalers"), (NETWORKING, "serverlessservices")):
            objects.custom.list_cluster_custom_object(group, "v1alpha1", plural)
    except client.ApiException:
        return False
    return True


def add_activator(objects: Objects) -> None:
    """The pod that activators dial from, ready, so that they are known by its address."""
    confined = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "activator", "image": "dev.local/app", "securityContext": confined}
    meta = {"name": "activator-0", "labels": {"app": "activator"}}
    pod = {"metadata": meta, "spec": {"containers": [container]}}
    objects.core.create_namespaced_pod(SYSTEM, pod)
    ready = {"type": "Ready", "status": "True"}
    status = {
        "phase": "Running",
        "podIP": ACTIVATORS,
        "podIPs": [{"ip": ACTIVATORS}],
        "conditions": [ready],
    }
    objects.core.patch_namespaced_pod_status("activator-0", SYSTEM, {"status": status})
