"""What a controller is told when it starts."""

from dataclasses import dataclass
from pathlib import Path

from knative.statistics.peers import ReporterPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    """Where the controller listens, and what it reads and writes."""

    namespace: str = "knative-serving"
    """Where Knative's ConfigMaps lie."""

    host: str = "0.0.0.0"  # noqa: S104  # a pod's own address
    """Address to listen on."""

    port: int = 8080
    """Where activators dial and the kubelet probes."""

    statistics_from: ReporterPolicy = ReporterPolicy.AUTO
    """Who may report statistics."""

    advice: Path | None = None
    """Folder in which the advisor puts advice; None = Knative's rule alone."""

    snapshots: Path | None = None
    """Folder for what the advisor shows; None = nothing is shown."""

    record: Path | None = None
    """File for all events and instructions; None = they are not recorded."""

    cluster_domain: str = "cluster.local"
    """For asking the activator."""

    pod_name: str = ""
    """Of the pod we run in, by which leases name their holder; "" = we run in none."""

    pod_ip: str = ""
    """Its address, where whoever follows us passes activators' frames."""
