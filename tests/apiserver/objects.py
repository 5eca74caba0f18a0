"""What a test makes in the cluster and reads from it, as an administrator."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.apiserver.plane import wait_until

HERE = Path(__file__).parent
MANIFEST = HERE.parents[1] / "knative" / "manifests" / "kn-ahead.yaml"
SYSTEM = "knative-serving"
AUTOSCALING = "autoscaling.internal.knative.dev"
NETWORKING = "networking.internal.knative.dev"
PREFIX = "autoscaling.knative.dev"  # of Knative's annotations
KPA = f"kpa.{PREFIX}"
CONTROLLER, ADVISOR = "kn-ahead", "kn-ahead-advisor"  # ServiceAccounts of the manifest
ACTIVATORS = "127.0.0.1"  # whence every activator of the tests dials
# Knative's rule with its shortest timers, so that a test need not wait minutes.
QUICK = {
    "stable-window": "6s",
    "panic-window-percentage": "50",
    "scale-to-zero-grace-period": "1s",
    "allow-zero-initial-scale": "true",
}

Object = dict[str, Any]


@dataclass
class Objects:
    """A cluster, and one namespace of it."""

    api: Any
    namespace: str = "default"
    custom: Any = field(init=False)
    apps: Any = field(init=False)
    core: Any = field(init=False)

    def __post_init__(self) -> None:
        self.custom = client.CustomObjectsApi(self.api)
        self.apps = client.AppsV1Api(self.api)
        self.core = client.CoreV1Api(self.api)

    # --- making -------------------------------------------------------------------------------

    def revision(
        self,
        name: str,
        *,
        pods: int = 1,
        kind: str | None = KPA,
        concurrency: int = 0,
        reachability: str = "Reachable",
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
    ) -> str:
        """Make a Deployment and a PodAutoscaler, as the revision controller does."""
        marks = marks_of(name) | (labels or {})
        self.apps.create_namespaced_deployment(self.namespace, deployment_of(name, marks, pods))
        said = dict(annotations or {})
        if kind is not None:
            said[f"{PREFIX}/class"] = kind
        meta = {"name": name, "labels": marks, "annotations": said}
        spec = {"containerConcurrency": concurrency, "reachability": reachability}
        self.create("podautoscalers", AUTOSCALING, podautoscaler_of(name, meta, spec))
        return f"{self.namespace}/{name}"

    def at_zero(self, name: str) -> str:
        """Make a revision that is at zero from the start, and wait until it is known."""
        key = self.revision(name, pods=0, annotations={f"{PREFIX}/initial-scale": "0"})
        what = f"{name} at zero"
        wait_until(lambda: self.condition(name, "Active").get("status") == "False", 30, what)
        wait_until(lambda: self.initialized(name), 30, what)
        assert self.replicas(name) == 0
        return key

    def create(self, plural: str, group: str, body: Object) -> Object:
        """Create an object of one of Knative's kinds."""
        made = self.custom.create_namespaced_custom_object(
            group, "v1alpha1", self.namespace, plural, body
        )
        return dict(made)

    def delete(self, plural: str, group: str, name: str) -> None:
        """Delete one."""
        self.custom.delete_namespaced_custom_object(group, "v1alpha1", self.namespace, plural, name)

    def annotate(self, name: str, **said: str | None) -> None:
        """Set annotations of a PodAutoscaler; keys with _ for -, in Knative's prefix."""
        marks = {f"{PREFIX}/{k.replace('_', '-')}": v for k, v in said.items()}
        self.patch_pa(name, {"metadata": {"annotations": marks}})

    def patch_pa(self, name: str, body: Object) -> None:
        """Merge into a PodAutoscaler."""
        self.custom.patch_namespaced_custom_object(
            AUTOSCALING, "v1alpha1", self.namespace, "podautoscalers", name, body
        )

    def configure(self, name: str, data: dict[str, str]) -> None:
        """Set a ConfigMap of Knative's."""
        body = {"metadata": {"name": name}, "data": data}
        try:
            self.core.create_namespaced_config_map(SYSTEM, body)
        except client.ApiException as error:
            if error.status != 409:
                raise
            self.core.replace_namespaced_config_map(name, SYSTEM, body)

    def token(self, account: str) -> str:
        """A token of a ServiceAccount of ours."""
        spec = {"spec": {"expirationSeconds": 86_400}}
        made = self.core.create_namespaced_service_account_token(account, SYSTEM, spec)
        return str(made.status.token)

    # --- reading ------------------------------------------------------------------------------

    def pa(self, name: str) -> Object:
        """A PodAutoscaler."""
        return dict(
            self.custom.get_namespaced_custom_object(
                AUTOSCALING, "v1alpha1", self.namespace, "podautoscalers", name
            )
        )

    def condition(self, name: str, kind: str) -> Object:
        """A condition of its status; empty where there is none."""
        status = self.pa(name).get("status") or {}
        return next((c for c in status.get("conditions", []) if c["type"] == kind), {})

    def is_active(self, name: str) -> bool:
        """Whether its status says that it is."""
        return bool(self.condition(name, "Active").get("status") == "True")

    def actual(self, name: str) -> int:
        """Ready pods, as its status says; -1 = it says nothing."""
        return int(self.pa(name).get("status", {}).get("actualScale", -1))

    def initialized(self, name: str) -> bool:
        """Whether the scale target of a revision was ready once."""
        return bool(self.condition(name, "ScaleTargetInitialized").get("status") == "True")

    def sks(self, name: str) -> Object | None:
        """Its ServerlessService."""
        try:
            return dict(
                self.custom.get_namespaced_custom_object(
                    NETWORKING, "v1alpha1", self.namespace, "serverlessservices", name
                )
            )
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise

    def serves(self, name: str) -> tuple[str, int]:
        """Mode and activators of its ServerlessService; ("", 0) = there is none."""
        spec = (self.sks(name) or {"spec": {}})["spec"]
        return spec.get("mode", ""), spec.get("numActivators", 0)

    def is_set_up(self, name: str) -> bool:
        """Whether its ServerlessService has its Services."""
        return "status" in (self.sks(name) or {})

    def replicas(self, name: str) -> int:
        """What the Deployment of a revision asks for."""
        found = self.apps.read_namespaced_deployment(f"{name}-deployment", self.namespace)
        return int(found.spec.replicas)

    def wait_for_pods(self, name: str, pods: int, seconds: float = 40.0) -> float:
        """Wait until its Deployment asks for so many; returns how long it took, s."""
        seen: list[int] = []

        def asked() -> bool:
            seen.append(self.replicas(name))
            return seen[-1] == pods

        try:
            return wait_until(asked, seconds, f"{pods} pods of {name}", every_s=0.02)
        except AssertionError as error:
            raise AssertionError(f"{error}; asked for {seen[-1:]}") from error

    def events(self, namespace: str, uid: str) -> dict[str, Any]:
        """What `kubectl describe` shows of an object, by reason."""
        selector = f"involvedObject.uid={uid}"
        found = self.core.list_namespaced_event(namespace, field_selector=selector)
        return {event.reason: event for event in found.items}


def marks_of(name: str) -> dict[str, str]:
    """The labels of a revision's objects."""
    service = name.rpartition("-")[0] or name
    return {
        "app": name,
        "serving.knative.dev/revision": name,
        "serving.knative.dev/revisionUID": f"uid-{name}",
        "serving.knative.dev/service": service,
        "serving.knative.dev/configuration": service,
    }


def deployment_of(name: str, marks: dict[str, str], pods: int) -> Object:
    """A revision's Deployment."""
    container = {"name": "user-container", "image": "dev.local/app"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-deployment", "labels": marks},
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": {"serving.knative.dev/revision": name}},
            "template": {"metadata": {"labels": marks}, "spec": {"containers": [container]}},
        },
    }


def podautoscaler_of(name: str, meta: Object, spec: Object) -> Object:
    """A revision's PodAutoscaler."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-deployment"}
    return {
        "apiVersion": f"{AUTOSCALING}/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": meta,
        "spec": {"protocolType": "http1", "scaleTargetRef": target} | spec,
    }
