"""The events that the controller handles: values, so that they can be recorded and replayed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.exchange.advice import AdviceTable
from knative.leadership.elector import Leadership
from knative.mirror.objects import Deployment, Pod, PodAutoscaler, ServerlessService
from knative.mirror.routes import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAutoscalerSeen:
    """A PodAutoscaler was created or changed; None = it was deleted."""

    key: str  # "namespace/name"
    object: PodAutoscaler | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessServiceSeen:
    """A ServerlessService was created or changed; None = it was deleted."""

    key: str
    object: ServerlessService | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSeen:
    """A Deployment was created or changed; None = it was deleted."""

    key: str
    object: Deployment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """A pod was created or changed; None = it was deleted."""

    key: str
    object: Pod | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSeen:
    """A Route was created or changed; None = it was deleted."""

    key: str
    object: Route | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSeen:
    """A ConfigMap was created or changed; None = it was deleted."""

    name: str
    data: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatisticsReceived:
    """Statistics of some revisions; a revision may come several times."""

    keys: Sequence[str]  # (n,) "namespace/revision"
    samples: FloatArray  # (2, n) requests in flight; requests in that second
    seconds: IntArray  # (n,) whole Unix s; 0 = now
    by_activator: bool  # False = scraped from pods


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """A tick: two seconds have passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsChanged:
    """Objects have changed; changes close together are one such event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceSeen:
    """There is new advice; None = there is none that can be used."""

    table: AdviceTable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadershipChanged:
    """This replica leads or follows, or another one leads now."""

    leadership: Leadership
    leader: str  # identity of another replica that leads; "" = none is known


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivatorAnswered:
    """The activator answers at a revision's address."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivatorUnreachable:
    """The activator has not answered at a revision's address, and is not asked any more."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWritten:
    """The API server has stored a status; its answer is newer than what was watched."""

    key: str
    object: PodAutoscaler
    outdates: bool = False  # whether a plan waits that was made of the former status


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDone:
    """All writes of a plan succeeded."""

    key: str
    uid: str  # of the PodAutoscaler that the plan was for


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFailed:
    """A write of a plan was refused or failed."""

    key: str
    uid: str
    why: str
    wait_s: float  # that the API server asks to wait; 0 = it does not
    conflict: bool = False  # the object changed meanwhile: normal, unless it happens again


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRecovered:
    """The API server can be reached again: failed plans are tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksFailed:
    """Several ticks in a row failed: the fleet is rebuilt from the objects."""


Event: TypeAlias = (
    PodAutoscalerSeen
    | ServerlessServiceSeen
    | DeploymentSeen
    | PodSeen
    | RouteSeen
    | ConfigSeen
    | StatisticsReceived
    | Ticked
    | ObjectsChanged
    | AdviceSeen
    | LeadershipChanged
    | ActivatorAnswered
    | ActivatorUnreachable
    | StatusWritten
    | PlanDone
    | PlanFailed
    | ApiRecovered
    | TicksFailed
)
