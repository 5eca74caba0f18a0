"""Each service's settings as the cluster has them now.

A service may have several revisions: the newest one that a route leads to speaks for it, as it gets
the traffic from now on.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from autoscaler.core.state.revision import Mode, Revision
from knative.client.api import Object
from knative.client.kubeconfig import connect
from knative.controller.state.revisions import OUR_CLASSES
from knative.mirror.annotation_names import CLASS
from knative.mirror.objects import (
    PODAUTOSCALERS,
    PODS,
    REVISION_LABEL,
    Pod,
    PodAutoscaler,
    pod,
    podautoscaler,
)
from knative.services.listing import Cluster
from knative.services.pods import Requested, queue_proxy, requested_by, start_up_of
from knative.settings.annotations import revision_of
from knative.settings.cluster import ClusterConfig, cluster_config, progress_deadline_s

T = TypeVar("T")
SYSTEM = "knative-serving"
REVISIONS = "/apis/serving.knative.dev/v1/revisions"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """One service as it is set, and its pods."""

    revision: Revision  # of Knative's rule alone: forecasts are off
    concurrency: int  # requests in flight that a pod takes at most; 0 = no limit
    start_up_s: float | None  # as measured of its newest pods; None = none tells
    requested: Requested | None  # by each pod, queue-proxy included; None = not known
    pods: int  # that are there now
    knatives: bool  # scaled by Knative's own rule; False = by an HPA, say


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What was read of a cluster."""

    context: str
    kubeconfig: Path | None  # that was asked for; None = the environment's
    services: Mapping[str, ServiceSettings]  # by "namespace/service"
    configured: bool  # config-autoscaler was there; False = Knative's defaults hold
    observability: Mapping[str, str] | None  # data of config-observability; None = not known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What holds for all services, and objects by the name of their revision."""

    config: ClusterConfig
    deadline_s: float
    proxy: Requested
    pods: Mapping[str, Sequence[Pod]]
    requested: Mapping[str, Requested]  # without the queue-proxy


def read_settings(
    context: str, kubeconfig: Path | None, *, start_up_s: float, drain_s: float
) -> ClusterSettings:
    """Read all services of a cluster.

    context: "" = the current one. start_up_s, drain_s: of pods where none was measured.
    Raises PermanentError.
    """

    async def read() -> ClusterSettings:
        api, name = await connect(context, kubeconfig)
        try:
            found = await read_from(Cluster(api=api, name=name), start_up_s, drain_s)
        finally:
            await api.close()
        return replace(found, kubeconfig=kubeconfig)

    return asyncio.run(read())


async def read_from(cluster: Cluster, start_up_s: float, drain_s: float) -> ClusterSettings:
    """As `read_settings`, by a connection."""
    # First: without Knative there are none of these.
    autoscalers = await cluster.listed(PODAUTOSCALERS, podautoscaler)
    data = await cluster.configmap(SYSTEM, "config-autoscaler")
    deployment = await cluster.configmap(SYSTEM, "config-deployment") or {}
    observability = await cluster.configmap(SYSTEM, "config-observability", optional=True)
    requested = dict(await cluster.listed(REVISIONS, _requested))
    pods = await cluster.listed(PODS, pod, REVISION_LABEL)
    read = _Read(
        config=cluster_config(data or {}),
        deadline_s=progress_deadline_s(deployment),
        proxy=queue_proxy(deployment),
        pods=_by(pods, lambda each: each.revision),
        requested=requested,
    )
    services = {
        name: _settings(pas, read, start_up_s, drain_s)
        for name, pas in _by(autoscalers, lambda pa: pa.service).items()
    }
    return ClusterSettings(
        context=cluster.name,
        services=services,
        configured=data is not None,
        observability=observability,
        kubeconfig=None,
    )


def _settings(
    pas: Sequence[PodAutoscaler], read: _Read, start_up_s: float, drain_s: float
) -> ServiceSettings:
    """Of a service, by the PodAutoscalers of its revisions."""
    revisions = [f"{pa.namespace}/{pa.name}" for pa in pas]
    pods = [pod for name in revisions for pod in read.pods.get(name, ())]
    measured = start_up_of(pods)
    pa = max(pas, key=lambda each: (_reached(each), each.configuration_generation, each.name))
    revision = revision_of(
        pa,
        read.config,
        progress_deadline_s=read.deadline_s,
        lead_s=lambda _: start_up_s if measured is None else measured,
        drain_s=drain_s,
    )
    requested = read.requested.get(f"{pa.namespace}/{pa.name}")
    return ServiceSettings(
        # It is simulated while it is called, so a route leads to it.
        revision=replace(revision, mode=Mode.OFF, reachable=True),
        concurrency=pa.concurrency,
        start_up_s=measured,
        requested=requested + read.proxy if requested else None,
        pods=len(pods),
        knatives=pa.annotations.get(CLASS, OUR_CLASSES[0]) in OUR_CLASSES,
    )


def _reached(pa: PodAutoscaler) -> bool:
    return pa.reachability != "Unreachable"


def _requested(revision: Object) -> tuple[str, Requested]:
    meta = revision["metadata"]
    name = f"{meta['namespace']}/{meta['name']}"
    return name, requested_by(revision["spec"].get("containers") or [])


def _by(objects: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for each in objects:
        groups.setdefault(key(each), []).append(each)
    return groups
