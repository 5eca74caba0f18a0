"""What exporters of requests call their series: Knative's queue-proxies of two generations as
recorded, meshes, our own autoscaler, and an application that counts for itself.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """How one exports."""

    family: str  # of the counters
    requests: str
    seconds: str  # "" = it does not export them
    unit_s: float  # of the latter
    labels: Callable[[str, str, str], str]  # of namespace, service and pod
    info: Callable[[str, str, str], str] | None = None  # those of target_info
    at_pods: bool = True  # else in one place that is always there, with a series for each service


def _target(namespace: str, service: str, pod: str) -> str:
    return (
        f'job="knative/queue-proxy",namespace="{namespace}",pod="{pod}",container="queue-proxy"'
        f',endpoint="http-usermetric",instance="{service}:9091"'
    )


def _otel(namespace: str, service: str, pod: str) -> str:
    scope = 'otel_scope_name="knative.dev/serving/pkg/queue"'
    return f'{{{_target(namespace, service, pod)},http_response_status_code="200",{scope}}}'


def _otel_info(namespace: str, service: str, pod: str) -> str:
    resource = f'k8s_namespace_name="{namespace}",k8s_pod_name="{pod}",kn_service_name="{service}"'
    names = f'kn_configuration_name="{service}",kn_revision_name="{service}-00001"'
    return f"{{{_target(namespace, service, pod)},{resource},{names}}}"


def _legacy(namespace: str, service: str, pod: str) -> str:
    names = f'namespace_name="{namespace}",service_name="{service}",pod_name="{pod}"'
    revision = f'configuration_name="{service}",revision_name="{service}-00001"'
    code = 'response_code="200",response_code_class="2xx",container_name="queue-proxy"'
    return f"{{{_target(namespace, service, pod)},{names},{revision},{code}}}"


GENERATIONS = {
    "1.23": Exporter(
        family="kn_serving_invocation_duration_seconds",
        requests="kn_serving_invocation_duration_seconds_count",
        seconds="kn_serving_invocation_duration_seconds_sum",
        unit_s=1.0,
        labels=_otel,
        info=_otel_info,
    ),
    "1.18": Exporter(
        family="revision_app_request",
        requests="revision_app_request_count",
        seconds="revision_app_request_latencies_sum",
        unit_s=1e-3,
        labels=_legacy,
    ),
}


def _istio(namespace: str, service: str, _pod: str) -> str:
    callee = f'destination_service_namespace="{namespace}"'
    return f'{{reporter="source",{callee},destination_service_name="{service}-00001"}}'


def _envoy(namespace: str, service: str, _pod: str) -> str:
    return f'{{envoy_cluster_name="{namespace}/{service}-00001"}}'


def _activator(namespace: str, service: str, _pod: str) -> str:
    names = f'kn_configuration_name="{service}",kn_revision_name="{service}-00001"'
    callee = f'k8s_namespace_name="{namespace}",kn_service_name="{service}",{names}'
    code = 'http_request_method="GET",http_response_status_code="200"'
    scope = 'otel_scope_name="go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"'
    return f"{{{callee},{code},{scope}}}"


def _legacy_activator(namespace: str, service: str, _pod: str) -> str:
    names = f'namespace_name="{namespace}",service_name="{service}"'
    revision = f'configuration_name="{service}",revision_name="{service}-00001"'
    code = 'response_code="200",response_code_class="2xx",container_name="activator"'
    return f"{{{names},{revision},{code}}}"


def _ours(namespace: str, service: str, _pod: str) -> str:
    return f'{{namespace="{namespace}",service="{service}"}}'


def _application(namespace: str, service: str, _pod: str) -> str:
    return f'{{namespace="{namespace}",app="{service}"}}'


# By names of presets, but for the last. Activators see all requests of a service whose pods have
# less to spare than its target burst capacity: with Knative's defaults, up to two of them.
ELSEWHERE = {
    "kn-ahead": Exporter(
        family="kn_ahead_requests",
        requests="kn_ahead_requests_total",
        seconds="",
        unit_s=1.0,
        labels=_ours,
        at_pods=False,
    ),
    "istio": Exporter(
        family="istio_requests",
        requests="istio_requests_total",
        seconds="istio_request_duration_milliseconds_sum",
        unit_s=1e-3,
        labels=_istio,
        at_pods=False,
    ),
    "kourier": Exporter(
        family="envoy_cluster_upstream_rq",
        requests="envoy_cluster_upstream_rq_total",
        seconds="envoy_cluster_upstream_rq_time_sum",
        unit_s=1e-3,
        labels=_envoy,
        at_pods=False,
    ),
    "activator": Exporter(
        family="http_server_request_duration_seconds",
        requests="http_server_request_duration_seconds_count",
        seconds="http_server_request_duration_seconds_sum",
        unit_s=1.0,
        labels=_activator,
        at_pods=False,
    ),
    "activator-legacy": Exporter(
        family="activator_request",
        requests="activator_request_count",
        seconds="activator_request_latencies_sum",
        unit_s=1e-3,
        labels=_legacy_activator,
        at_pods=False,
    ),
    "": Exporter(
        family="http_requests",
        requests="http_requests_total",
        seconds="http_request_seconds_sum",
        unit_s=1.0,
        labels=_application,
        at_pods=False,
    ),
}
