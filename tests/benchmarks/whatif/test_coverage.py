"""Gaps and silence of single services, from a real Prometheus into words, tables and JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.policies.policies import revision
from benchmarks.traces.openmetrics import make_blocks
from benchmarks.whatif.coverage import GAP, SILENT, Coverage, coverage_of
from benchmarks.whatif.past import Past, read_past
from knative.services.reader import ClusterSettings, ServiceSettings
from learner.sources.counters import Grid
from learner.sources.presence_reader import Presence
from learner.sources.queries import PrometheusServer
from learner.sources.request_reader import PastRequests
from tests.conftest import prometheus_server

START_S, HOURS = 1_612_051_200, 8
GRID = Grid(start_s=START_S, step_s=60, n_points=HOURS * 60 + 1)
HALF = range(120, 360)  # minutes of the eight hours
COUNT = "kn_serving_invocation_duration_seconds_count"
SERVICE = ServiceSettings(
    revision=revision(0, 5.0, 30.0),
    concurrency=0,
    start_up_s=None,
    requested=None,
    pods=0,
    knatives=True,
)
NOBODY = Presence(missed={}, seen=frozenset(), silent=frozenset())


def lines(service: str, hole: range = range(0)) -> Iterator[str]:
    """A pod that is called once a minute, and scraped but in the hole."""
    pod = f'job="q",instance="{service}:9091",pod="{service}-a"'
    info = f'target_info{{{pod},k8s_namespace_name="shop",kn_service_name="{service}"}}'
    for name, one in ((f"{COUNT}{{{pod}}}", 0), (info, 1)):
        for minute in range(HOURS * 60):
            if minute not in hole:
                yield f"{name} {one or minute + 1} {START_S + 60 * minute + 30}"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """Of a service that is seen, and of one that is seen half of the time."""
    folder = tmp_path_factory.mktemp("prometheus")
    text = folder / "series.om"
    text.write_text("\n".join([*lines("always"), *lines("half", HALF), "# EOF\n"]))
    make_blocks(text, folder / "data")
    with prometheus_server(folder) as url:
        yield read_past(PrometheusServer(url), GRID, "knative", lambda *_: None)


def test_a_hole_is_a_gap_of_its_service_alone_and_no_burst_after_it(past: Past) -> None:
    always, half = past.requests.counts
    assert past.requests.services == ("shop/always", "shop/half")
    assert past.gaps == 0
    assert not np.isnan(always).any()
    assert np.nanmax(half) == np.nanmax(always) == 1
    # Half an hour more, as nobody knows when what is counted first after it came.
    assert coverage_of(past, None).gaps == {"shop/half": pytest.approx(270 / 479)}
    assert np.isnan(half[HALF.start : HALF.stop - 1]).all()


def test_a_gap_is_said_shown_and_written(past: Past) -> None:
    found = coverage_of(past, None)
    assert found.said() == [
        "2 of 2 services were counted; 1 has gaps over 30% of the time (shop/half 56%)."
    ]
    assert found.section().rows == (("shop/half", "56.4%", GAP),)
    assert found.as_json()["gaps"] == {"shop/half": pytest.approx(270 / 479)}


def test_nothing_is_said_where_all_is_known(past: Past) -> None:
    calm = replace(past.requests, counts=np.nan_to_num(past.requests.counts))
    assert coverage_of(replace(past, requests=calm), None).said() == []


def cluster(
    observability: Mapping[str, str] | None, **services: ServiceSettings
) -> ClusterSettings:
    return ClusterSettings(
        context="prod",
        kubeconfig=None,
        services={f"shop/{name}": each for name, each in services.items()},
        configured=True,
        observability=observability,
    )


def a_past(source: str, presence: Presence = NOBODY) -> Past:
    requests = PastRequests(
        services=("shop/cart",),
        start_s=0.0,
        step_s=60.0,
        counts=np.ones((1, 10)),
        duration_s=np.ones((1, 10)),
    )
    return Past(
        requests=requests, ready_pods=np.ones(10), counted_by="", missing="", source=source,
        presence=presence,
    )  # fmt: skip


def of_three(
    observability: Mapping[str, str] | None, source: str = "knative", presence: Presence = NOBODY
) -> Coverage:
    """One that was counted, one that has pods and one that has none."""
    there = cluster(observability, cart=SERVICE, pods=replace(SERVICE, pods=2), none=SERVICE)
    return coverage_of(a_past(source, presence), there)


@pytest.mark.parametrize(
    ("source", "observability", "said"),
    [
        ("knative", {}, "request-metrics-protocol is none, not prometheus"),
        (
            "knative",
            {"request-metrics-protocol": "grpc"},
            "request-metrics-protocol is grpc, not prometheus",
        ),
        (
            "knative-legacy",
            {"metrics.request-metrics-backend-destination": "opencensus"},
            "metrics.request-metrics-backend-destination is opencensus, not prometheus",
        ),
    ],
)
def test_where_the_cluster_says_why_all_that_were_not_counted_export_nothing(
    source: str, observability: Mapping[str, str], said: str
) -> None:
    key = said.partition(" ")[0]
    found = of_three(observability, source)
    assert found.said() == [
        f"1 of 3 services was counted; 2 export nothing: {said} (shop/none, shop/pods).",
        "To have them counted, which starts all pods anew: kubectl --context prod --namespace"
        " knative-serving patch configmap config-observability --type merge --patch"
        f' \'{{"data":{{"{key}":"prometheus"}}}}\'',
    ]
    assert found.section().rows[0] == ("shop/none", "100%", SILENT)
    assert found.as_json()["silent"] == ["shop/none", "shop/pods"]


@pytest.mark.parametrize(
    ("observability", "why", "remedies"),
    [
        (None, "request-metrics-protocol is probably not prometheus", 1),
        (
            {"request-metrics-protocol": "prometheus"},
            "probably nobody scrapes port 9091 of their pods",
            0,
        ),
    ],
)
def test_else_those_that_have_pods_do_probably(
    observability: Mapping[str, str] | None, why: str, remedies: int
) -> None:
    first, *more = of_three(observability).said()
    assert first == (
        f"1 of 3 services was counted; 1 exports nothing: {why} (shop/pods);"
        " 1 was not called (shop/none)."
    )
    assert len(more) == remedies


def test_who_is_seen_and_has_no_requests_was_not_called() -> None:
    presence = replace(NOBODY, seen=frozenset({"shop/pods"}))
    assert of_three(None, presence=presence).uncalled == ("shop/none", "shop/pods")


def test_without_a_cluster_knative_s_autoscaler_tells_of_who_exports_nothing() -> None:
    presence = replace(NOBODY, silent=frozenset({"shop/pay"}))
    (first, _) = coverage_of(a_past("knative", presence), None).said()
    assert first.startswith(
        "1 of 2 services was counted; 1 exports nothing: request-metrics-protocol is probably not "
    )


def test_of_a_mesh_nothing_is_said_of_queue_proxies() -> None:
    found = of_three({}, "istio")
    assert found.said() == [
        "1 of 3 services was counted; 2 were not called (shop/none, shop/pods)."
    ]
