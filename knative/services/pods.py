"""What a service's pods took to start, and what each requests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from kubernetes.utils.quantity import parse_quantity

from knative.client.api import Object
from knative.controller.state.start_up import parts_of
from knative.mirror.objects import Pod

NEWEST = 5  # pods that tell how long a start takes
SHORTEST_S = 0.5  # of a start: Kubernetes' times are whole seconds, 0 s between them is up to one
GIB = 2**30
PROXY_CPU = "25m"  # Knative's default for its queue-proxy, which requests no memory
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """What a pod requests."""

    cpu: float  # cores
    memory_gib: float

    def __add__(self, other: "Requested") -> "Requested":
        return Requested(cpu=self.cpu + other.cpu, memory_gib=self.memory_gib + other.memory_gib)


def start_up_of(pods: Iterable[Pod]) -> float | None:
    """From creation to ready, s: the median of the newest pods; None = none tells."""
    newest = sorted(pods, key=lambda pod: pod.created_s, reverse=True)
    took = [parts["total"] for pod in newest if "total" in (parts := parts_of(pod))]
    return max(median(took[:NEWEST]), SHORTEST_S) if took else None


def requested_by(containers: Sequence[Object]) -> Requested:
    """The sum over containers; a limit without a request is one, as in Kubernetes."""
    resources = [each.get("resources") or {} for each in containers]
    asked = [{**(r.get("limits") or {}), **(r.get("requests") or {})} for r in resources]
    return Requested(
        cpu=sum(_quantity(each.get("cpu")) for each in asked),
        memory_gib=sum(_quantity(each.get("memory")) for each in asked) / GIB,
    )


def queue_proxy(config_deployment: Mapping[str, str]) -> Requested:
    """What the queue-proxy adds to each pod, by config-deployment's data."""
    return Requested(
        cpu=_quantity(config_deployment.get("queue-sidecar-cpu-request") or PROXY_CPU),
        memory_gib=_quantity(config_deployment.get("queue-sidecar-memory-request")) / GIB,
    )


def _quantity(text: object) -> float:
    """0 where there is none, or none that can be read: the API server refuses others."""
    try:
        return float(parse_quantity(str(text))) if text else 0.0  # type: ignore[no-untyped-call]
    except ValueError:
        return 0.0
