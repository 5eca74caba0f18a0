"""Settings that a cluster has now, for the services that were called."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.core.state.revision import Revision
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.simulator.settings import Configured
from knative.services.pods import Requested
from knative.services.reader import ClusterSettings, ServiceSettings

LEAST = (
    "Retentions and min-scales that are compared are the least that a service gets: one that has"
    " more keeps it."
)
UNKNOWN = Requested(cpu=np.nan, memory_gib=np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSettings:
    """Of n services that were called."""

    context: str
    kubeconfig: Path | None  # that was asked for; None = where kubectl looks
    configured: Configured
    cpu: FloatArray  # (n,) cores that a pod requests; NaN = not known
    memory_gib: FloatArray  # (n,); likewise
    said: tuple[str, ...]  # where they come from, in words
    uncalled: Mapping[str, int]  # min-scales of services of the cluster that nobody called

    @property
    def kubectl(self) -> list[str]:
        """A command's first words, which lead to that cluster."""
        return kubectl(self.context, self.kubeconfig)


def kubectl(context: str, kubeconfig: Path | None) -> list[str]:
    """A command's first words, which lead to a cluster."""
    file = ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
    return ["kubectl", *file, "--context", context]


def own_settings(
    services: Sequence[str],
    cluster: ClusterSettings,
    default: Revision,
    concurrency: int,
    silent: Collection[str] = (),
) -> OwnSettings:
    """Those of the cluster; the default where it does not have a service any more.

    silent: services that export nothing, of which nobody knows whether they were called.
    Raises PermanentError where the cluster has none of them.
    """
    found = [cluster.services.get(name) for name in services]
    if not any(found):
        raise PermanentError(
            f"context {cluster.context!r} has none of the {len(services)} services that were"
            f" called, such as {services[0]}; it has {_some(sorted(cluster.services))}"
        )
    revisions = [each.revision if each else default for each in found]
    requested = [(each and each.requested) or UNKNOWN for each in found]
    return OwnSettings(
        context=cluster.context,
        kubeconfig=cluster.kubeconfig,
        configured=Configured.of(
            revisions, [each.concurrency if each else concurrency for each in found]
        ),
        cpu=np.array([each.cpu for each in requested]),
        memory_gib=np.array([each.memory_gib for each in requested]),
        said=tuple(_said(services, found, cluster, default)),
        uncalled={
            name: each.revision.min_scale
            for name, each in sorted(cluster.services.items())
            if name not in (*services, *silent) and each.revision.min_scale >= 1
        },
    )


def _said(
    services: Sequence[str],
    found: Sequence[ServiceSettings | None],
    cluster: ClusterSettings,
    default: Revision,
) -> list[str]:
    there = [each for each in found if each]
    gone = [name for name, each in zip(services, found, strict=True) if not each]
    lines = [
        f"Settings of {len(there)} of {len(services)} services are those of context"
        f" {cluster.context}"
        + (f"; {len(gone)} {_are(gone)} not there any more: Knative's defaults." if gone else ".")
    ]
    measured = [each.start_up_s for each in there if each.start_up_s is not None]
    if measured:
        lines.append(
            f"Pods of {len(measured)} of them were seen to start, in {np.median(measured):g} s in"
            f" the median; of all others {default.lead_s:g} s is assumed, and that pods drain"
            f" {default.drain_s:g} s."
        )
    else:
        lines.append(
            f"No pod is there to tell how long a start takes: {default.lead_s:g} s is assumed, and"
            f" that pods drain {default.drain_s:g} s."
        )
    others = [
        name for name, each in zip(services, found, strict=True) if each and not each.knatives
    ]
    if others:
        lines.append(
            f"Scaled by a class that is not simulated, as if by Knative's: {_some(others)}."
        )
    if not cluster.configured:
        lines.append("No config-autoscaler is in namespace knative-serving: its defaults hold.")
    return [*lines, LEAST]


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _some(names: Sequence[str]) -> str:
    """Up to three by name.

    >>> _some(["a", "b"]), _some(["a", "b", "c", "d", "e"]), _some([])
    ('a, b', '5 services, such as a, b, c', 'none')
    """
    if not names:
        return "none"
    few = ", ".join(names[:3])
    return few if len(names) <= 3 else f"{len(names)} services, such as {few}"
