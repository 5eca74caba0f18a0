"""What the controller instructs: writes to the cluster, in order, and little else."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from knative.mirror.objects import ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Set the replicas of a Deployment."""

    deployment: str
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateServerlessService:
    """Create the ServerlessService of the plan's PodAutoscaler, with its labels and annotations."""

    spec: ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchServerlessService:
    """Change the spec of the ServerlessService."""

    spec: ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchStatus:
    """Change the status of the PodAutoscaler."""

    status: dict[str, Any]


Write: TypeAlias = Scale | CreateServerlessService | PatchServerlessService | PatchStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be written for one revision, in this order; replaces its former plan."""

    namespace: str
    name: str  # of the PodAutoscaler
    uid: str  # of the PodAutoscaler; nothing is written once another has its name
    writes: tuple[Write, ...]
    problem: str = ""  # why it is tried again even if all is written

    @property
    def key(self) -> str:
        """Of the revision: "namespace/name"."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskActivator:
    """Ask the activator at a revision's address until it answers."""

    key: str
    host: str  # "service.namespace"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWrites:
    """Cancel all writes: another replica leads from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardTo:
    """Forward activators' frames to this address; "" = take them in."""

    address: str


Instruction: TypeAlias = Plan | AskActivator | CancelWrites | ForwardTo
