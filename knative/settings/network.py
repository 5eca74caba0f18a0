"""config-network: how queue-proxies can be scraped.

Knative reads it once, at its start; here changes are followed.
Source: knative.dev/networking pkg/config, knative/serving pkg/autoscaler/metrics/stats_scraper.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from autoscaler.errors import PermanentError
from knative.settings.quantities import boolean

MESH_KEY, ADDRESSABLE_KEY = "mesh-compatibility-mode", "enable-mesh-pod-addressability"


class Mesh(Enum):
    """Whether there is a service mesh between us and the pods."""

    AUTO = "auto"  # detected for each revision
    ENABLED = "enabled"  # pods are scraped through their Service
    DISABLED = "disabled"  # pods are scraped at their addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How queue-proxies can be scraped."""

    mesh: Mesh = Mesh.AUTO
    pods_addressable: bool = False  # through the mesh, by the name of their Service


def network_of(data: Mapping[str, str]) -> Network:
    """Read config-network's data. Raises PermanentError for the first value that is wrong."""
    text = data.get(MESH_KEY, Mesh.AUTO.value)
    try:
        mesh = Mesh(text.strip().lower())
    except ValueError as error:
        allowed = ", ".join(mode.value for mode in Mesh)
        raise PermanentError(
            f"config-network: {MESH_KEY} is {text!r}; allowed: {allowed}"
        ) from error
    text = data.get(ADDRESSABLE_KEY, "false")
    try:
        return Network(mesh=mesh, pods_addressable=boolean(text.strip()))
    except ValueError as error:
        raise PermanentError(f"config-network: {ADDRESSABLE_KEY} is {text!r}: {error}") from error
