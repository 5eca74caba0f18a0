"""A fake cluster around a controller: its plans are carried out at once, without a network."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from benchmarks.controller.fake_objects import a_deployment, a_podautoscaler, a_serverlessservice
from knative.controller.state import events as seen
from knative.controller.state.controller import Controller
from knative.controller.state.instructions import (
    Instruction,
    PatchServerlessService,
    PatchStatus,
    Plan,
    Scale,
)
from knative.leadership.elector import Leadership
from knative.mirror.conditions import status
from knative.mirror.objects import (
    Deployment,
    Pod,
    PodAutoscaler,
    ServerlessService,
    deployment,
    podautoscaler,
    serverlessservice,
)


class FakeCluster:
    """A leading controller, and revisions that are all at zero."""

    def __init__(
        self, revisions: int, now: float, controller: Callable[[], Controller] = Controller
    ) -> None:
        """now: Unix s of the first tick. controller: makes the one that leads."""
        self.controller = controller()
        self._services: dict[str, ServerlessService] = {}
        self._deployments: dict[str, Deployment] = {}
        self._autoscalers: dict[str, PodAutoscaler] = {}
        handle = self.controller.handle
        handle(seen.LeadershipChanged(leadership=Leadership.LEADING, leader=""), now)
        for i in range(revisions):
            pa, sks = podautoscaler(a_podautoscaler(i)), serverlessservice(a_serverlessservice(i))
            key, target = f"{pa.namespace}/{pa.name}", f"{pa.namespace}/{pa.target.name}"
            self._services[key], self._autoscalers[key] = sks, pa
            self._deployments[target] = deployment(a_deployment(i))
            handle(seen.ServerlessServiceSeen(key=key, object=sks), now)
            handle(seen.DeploymentSeen(key=target, object=self._deployments[target]), now)
            handle(seen.PodAutoscalerSeen(key=key, object=pa), now)
        self.keys = list(self._autoscalers)

    def carry_out(self, todo: Iterable[Instruction], now: float) -> None:
        """Carry out plans, and hand the resulting events to the controller."""
        for instruction in todo:
            if isinstance(instruction, Plan):
                self._carry_out(instruction, now)

    def _carry_out(self, plan: Plan, now: float) -> None:
        handle = self.controller.handle
        for write in plan.writes:
            match write:
                case Scale(deployment=name, pods=pods):
                    self._scale(plan, name, pods, now)
                case PatchServerlessService(spec=spec):
                    self._services[plan.key] = replace(self._services[plan.key], spec=spec)
                    handle(
                        seen.ServerlessServiceSeen(key=plan.key, object=self._services[plan.key]),
                        now,
                    )
                case PatchStatus(status=patch):
                    pa = replace(self._autoscalers[plan.key], status=status(patch))
                    self._autoscalers[plan.key] = pa
                    handle(seen.StatusWritten(key=plan.key, object=pa), now)
        handle(seen.PlanDone(key=plan.key, uid=plan.uid), now)

    def _scale(self, plan: Plan, name: str, pods: int, now: float) -> None:
        key = f"{plan.namespace}/{name}"
        former = self._deployments[key]
        self._deployments[key] = replace(former, replicas=pods)
        handle = self.controller.handle
        handle(seen.DeploymentSeen(key=key, object=self._deployments[key]), now)
        for i in range(min(former.replicas, pods), max(former.replicas, pods)):
            pod = Pod(
                revision=plan.key,
                state="ready",
                address=f"10.0.0.{i % 256}",
                created_s=now,
                started_s=now,
                ready_s=now,
            )
            handle(seen.PodSeen(key=f"{key}-{i}", object=pod if i < pods else None), now)
