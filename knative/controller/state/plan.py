"""Plans what has to be written for one revision, from its objects and what is wanted of it.

The order is Knative's: the ServerlessService first, then the scale, then the ServerlessService's
mode, then the status. Source: knative/serving pkg/reconciler/autoscaling/kpa/kpa.go.
"""

from dataclasses import dataclass

from autoscaler.core.state.revision import NO_ANSWER, Requested
from knative.controller.state.instructions import (
    CreateServerlessService,
    PatchServerlessService,
    PatchStatus,
    Plan,
    Scale,
    Write,
)
from knative.controller.state.status import pending_status, same, status_of, unowned_status
from knative.mirror.objects import Deployment, PodAutoscaler, ServerlessService, ServiceSpec

PROXY, SERVE = "Proxy", "Serve"
FIRST_ACTIVATORS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionObjects:
    """The objects of one revision, as observed last."""

    podautoscaler: PodAutoscaler
    serverlessservice: ServerlessService | None
    deployment: Deployment | None  # that the PodAutoscaler names as its scale target

    @property
    def set_up(self) -> bool:
        """Whether it has a ServerlessService that it owns, with a private Service."""
        sks = self.serverlessservice
        return bool(sks and sks.private and sks.owner == self.podautoscaler.uid)


def plan_of(objects: RevisionObjects, asked: Requested[float, int, bool], now: float) -> Plan:
    """What has to be written so that the cluster is as asked; an empty plan where it is."""
    pa, sks = objects.podautoscaler, objects.serverlessservice
    if sks is None:
        create = CreateServerlessService(spec=_spec(pa, PROXY, FIRST_ACTIVATORS))
        return _plan(pa, create, *_status(pa, pending_status(pa, now)))
    if sks.owner != pa.uid:
        problem = f"its ServerlessService is not ours; allowed: owned by {pa.uid}"
        return _plan(pa, *_status(pa, unowned_status(pa, now)), problem=problem)
    if not sks.private:
        return _plan(pa, *_status(pa, pending_status(pa, now)))
    writes: list[Write] = []
    problem = ""
    if asked.scale and asked.want > NO_ANSWER and objects.deployment:
        problem = reason_not_to_scale(pa, objects.deployment)
        if not problem and objects.deployment.replicas != asked.want:
            writes.append(Scale(deployment=pa.target.name, pods=asked.want))
    spec = _spec(pa, PROXY if asked.proxy else SERVE, asked.activators)
    if sks.spec != spec:
        writes.append(PatchServerlessService(spec=spec))
    return _plan(pa, *writes, *_status(pa, status_of(pa, sks, asked, now)), problem=problem)


def reason_not_to_scale(pa: PodAutoscaler, deployment: Deployment) -> str:
    """Why a Deployment must not be scaled for a PodAutoscaler; "" = it may.

    The right to scale Deployments cannot be narrowed by RBAC, so it is narrowed here: to Knative's
    own Deployment of the very revision that the PodAutoscaler is of.
    """
    target = pa.target
    if (target.api_version, target.kind) != ("apps/v1", "Deployment") or not target.name:
        return f"its scale target is a {target.api_version} {target.kind}; allowed: a Deployment"
    if deployment.revision != pa.name:
        return (
            f"its scale target {target.name} is labelled as of revision {deployment.revision!r}; "
            f"allowed: {pa.name!r}"
        )
    return ""


def _spec(pa: PodAutoscaler, mode: str, activators: int) -> ServiceSpec:
    return ServiceSpec(mode=mode, activators=activators, target=pa.target, protocol=pa.protocol)


def _status(pa: PodAutoscaler, status: dict[str, object]) -> list[Write]:
    return [] if same(pa, status) else [PatchStatus(status=status)]


def _plan(pa: PodAutoscaler, *writes: Write, problem: str = "") -> Plan:
    return Plan(
        namespace=pa.namespace, name=pa.name, uid=pa.uid, writes=tuple(writes), problem=problem
    )
