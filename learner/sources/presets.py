"""Who counts requests in a Prometheus, as one declaration each: Knative's versions, meshes, ours.

Facts about the series: Knative's telemetry, Istio's standard metrics, Envoy's statistics.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Name = Callable[[Sequence[str]], str]  # values of the labels that name, to "namespace/service"

GENERATION = re.compile(r"-\d{5,}$")  # of a revision's name, behind that of its service


def of_service(values: Sequence[str]) -> str:
    """Namespace and service."""
    return "/".join(values)


def of_revision(values: Sequence[str]) -> str:
    """Namespace and revision: that of ``cart-00003`` is ``cart``."""
    return GENERATION.sub("", "/".join(values))


def of_cluster(values: Sequence[str]) -> str:
    """Envoy's cluster, as Kourier names it: ``namespace/revision``."""
    return GENERATION.sub("", values[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Counters of one exporter's."""

    name: str
    """As ``--source`` names it."""

    title: str
    """For people."""

    requests: str
    """Counter of requests that ended, as PromQL selects it."""

    seconds: str = ""
    """Counter of the time that they took; "" = that is not known."""

    unit_s: float = 1.0
    """Of that time, s."""

    labels: tuple[str, ...]
    """That name a service."""

    of: Name = of_service
    """Makes its name of their values."""

    pods: str = ""
    """What each pod that is scraped exports, called or not, and has the labels: joined by job,
    instance and pod. "" = pods export nothing before they are called."""

    switch: str = ""
    """Key of config-observability that has to be ``prometheus``; "" = that switches nothing."""

    switched: str = ""
    """What the key is where nobody has set it."""

    missing: str
    """What it does not tell, for people."""

    @property
    def metric(self) -> str:
        """The name of the counter of requests."""
        return self.requests.partition("{")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnQueries:
    """PromQL of the user's own, for what no preset knows: a plain Deployment, say."""

    requests: str
    """Requests a second, by service."""

    duration: str = ""
    """Mean time that a request takes, s, by service; "" = that is not known."""

    labels: tuple[str, ...]
    """That name a service: those of its namespace and of itself."""

    of: Name = of_service
    """Makes its name of their values."""


_LEGACY_LABELS = ("namespace_name", "service_name")
_OTEL_LABELS = ("k8s_namespace_name", "kn_service_name")

# The best first: what counts at the pods counts all requests.
PRESETS = (
    Preset(
        name="kn-ahead",
        title="kn-ahead's own metrics",
        requests="kn_ahead_requests_total",
        labels=("namespace", "service"),
        missing="how long requests take",
    ),
    Preset(
        name="knative",
        title="queue-proxies of Knative 1.19 or newer",
        requests="kn_serving_invocation_duration_seconds_count",
        seconds="kn_serving_invocation_duration_seconds_sum",
        labels=_OTEL_LABELS,
        pods='target_info{kn_service_name!=""}',
        switch="request-metrics-protocol",
        switched="none",
        missing="requests between a pod's last scrape and its end",
    ),
    Preset(
        name="knative-legacy",
        title="queue-proxies of Knative 1.18 or older",
        requests="revision_app_request_count",
        seconds="revision_app_request_latencies_sum",
        unit_s=1e-3,
        labels=_LEGACY_LABELS,
        switch="metrics.request-metrics-backend-destination",
        switched="prometheus",
        missing="requests between a pod's last scrape and its end",
    ),
    Preset(
        name="istio",
        title="Istio's sidecars and gateways",
        requests='istio_requests_total{reporter="source"}',
        seconds='istio_request_duration_milliseconds_sum{reporter="source"}',
        unit_s=1e-3,
        labels=("destination_service_namespace", "destination_service_name"),
        of=of_revision,
        missing="requests of callers without a sidecar; times include waits for a pod",
    ),
    Preset(
        name="kourier",
        title="Kourier's Envoy",
        requests='envoy_cluster_upstream_rq_total{envoy_cluster_name=~".+/.+"}',
        seconds='envoy_cluster_upstream_rq_time_sum{envoy_cluster_name=~".+/.+"}',
        unit_s=1e-3,
        labels=("envoy_cluster_name",),
        of=of_cluster,
        missing="requests that bypass the gateway; times include waits for a pod",
    ),
    Preset(
        name="activator",
        title="activators of Knative 1.19 or newer",
        requests='http_server_request_duration_seconds_count{kn_revision_name!=""}',
        seconds='http_server_request_duration_seconds_sum{kn_revision_name!=""}',
        labels=_OTEL_LABELS,
        missing="requests that go to pods directly; times include waits for a pod",
    ),
    Preset(
        name="activator-legacy",
        title="activators of Knative 1.18 or older",
        requests="activator_request_count",
        seconds="activator_request_latencies_sum",
        unit_s=1e-3,
        labels=_LEGACY_LABELS,
        missing="requests that go to pods directly; times include waits for a pod",
    ),
)
REPLICAS = "prometheus_replica, replica"  # labels of two servers that scrape the same
# Ready pods of all revisions, as Knative's autoscaler counts them.
READY_PODS = (
    "sum(max by (k8s_namespace_name, kn_revision_name) (kn_revision_pods_count))"
    " or sum(max by (namespace_name, revision_name) (autoscaler_actual_pods))"
)
# The same by revision: what they are called, and the labels that name a service.
PODS = (("kn_revision_pods_count", _OTEL_LABELS), ("autoscaler_actual_pods", _LEGACY_LABELS))
BY_NAME = {preset.name: preset for preset in PRESETS}
