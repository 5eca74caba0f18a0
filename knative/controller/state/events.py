"""What happens to the controller: each event is a value, so that a day of them can be recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.exchange.advice import AdviceTable
from knative.leadership.elector import Standing
from knative.mirror.objects import Deployment, Pod, PodAutoscaler, ServerlessService
from knative.mirror.routes import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAutoscalerSeen:
    """A PodAutoscaler came or changed; None = it went."""

    key: str  # "namespace/name"
    object: PodAutoscaler | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessServiceSeen:
    """A ServerlessService came or changed; None = it went."""

    key: str
    object: ServerlessService | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSeen:
    """A Deployment came or changed; None = it went."""

    key: str
    object: Deployment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """A pod came or changed; None = it went."""

    key: str
    object: Pod | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSeen:
    """A Route came or changed; None = it went."""

    key: str
    object: Route | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSeen:
    """A ConfigMap came or changed; None = it went."""

    name: str
    data: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatisticsCame:
    """Statistics of some revisions, each as often as it was reported."""

    keys: Sequence[str]  # (n,) "namespace/revision"
    samples: FloatArray  # (2, n) requests in flight; requests in that second
    seconds: IntArray  # (n,) whole Unix s; 0 = now
    by_activator: bool  # False = pods report themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """Two seconds went by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Objects have changed, and a moment went by in which others might have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceSeen:
    """The advisor has put other advice in place; None = what is there is of no use."""

    table: AdviceTable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingChanged:
    """Who leads has changed."""

    standing: Standing
    leader: str  # identity of who leads beside us; "" = nobody is known


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivatorAnswered:
    """The activator answers at a revision's address."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivatorSilent:
    """The activator does not answer at a revision's address; it is not asked any more."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWritten:
    """The API server has taken a status; what it answered is newer than what was watched."""

    key: str
    object: PodAutoscaler
    outdates: bool = False  # a plan that waits: it was made of the former status


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDone:
    """All that a plan asked for was written."""

    key: str
    uid: str  # of the PodAutoscaler that the plan was for


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFailed:
    """A write of a plan was refused or failed."""

    key: str
    uid: str
    why: str
    wait_s: float  # that the API server asks to wait; 0 = it does not
    conflict: bool = False  # others wrote meanwhile, or so did we: normal, unless it comes again


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The API server can be reached again: what failed may go well now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunAnew:
    """Ticks failed one after the other: what was made of the cluster is made again."""


Event: TypeAlias = (
    PodAutoscalerSeen
    | ServerlessServiceSeen
    | DeploymentSeen
    | PodSeen
    | RouteSeen
    | ConfigSeen
    | StatisticsCame
    | Ticked
    | Settled
    | AdviceSeen
    | StandingChanged
    | ActivatorAnswered
    | ActivatorSilent
    | StatusWritten
    | PlanDone
    | PlanFailed
    | Recovered
    | BegunAnew
)
