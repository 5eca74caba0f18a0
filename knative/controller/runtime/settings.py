"""The settings of a controller process."""

from dataclasses import dataclass
from pathlib import Path

from knative.statistics.peers import ReporterPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    """Where the controller listens, and what it reads and writes."""

    namespace: str = "knative-serving"
    """Namespace of Knative's ConfigMaps and leases."""

    host: str = "0.0.0.0"  # noqa: S104  # a pod's own address
    """Address to listen on."""

    port: int = 8080
    """Where activators dial and the kubelet probes."""

    statistics_from: ReporterPolicy = ReporterPolicy.AUTO
    """Who may report statistics."""

    advice: Path | None = None
    """Folder of the advisor's advice; None = Knative's rule alone."""

    snapshots: Path | None = None
    """Folder for the snapshots that the advisor reads; None = none are written."""

    record: Path | None = None
    """File for all events and instructions; None = they are not recorded."""

    cluster_domain: str = "cluster.local"
    """For asking the activator."""

    pod_name: str = ""
    """Name of our pod, in the identity of a lease's holder; "" = not in a pod."""

    pod_ip: str = ""
    """Address of our pod, to which followers forward activators' frames."""
