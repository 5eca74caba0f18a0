"""Requests read from a real Prometheus that holds what each exporter says."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from autoscaler.limits import PAST_REQUESTS
from autoscaler.refusals import LimitError
from benchmarks.traces.openmetrics import make_blocks
from learner.sources import request_reader
from learner.sources.counters import Grid
from learner.sources.presets import BY_NAME, PRESETS
from learner.sources.queries import PrometheusServer
from learner.sources.request_reader import PastRequests, RequestReader
from tests.conftest import prometheus_server

START_S, STEP_S = 1_612_051_200, 60
GRID = Grid(start_s=START_S, step_s=STEP_S, n_points=11)
OTEL = "kn_serving_invocation_duration_seconds"
Serve = Callable[..., RequestReader]
Samples = dict[int, float]  # by second after the start


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Call it with series: a reader of a real Prometheus that has them, and ``up``."""
    with contextlib.ExitStack() as stack:

        def start(series: dict[str, Samples], up: range = range(0, 601, 30)) -> RequestReader:
            lines = [
                f"{name} {value} {START_S + at}"
                for name, samples in ({'up{job="x"}': dict.fromkeys(up, 1.0)} | series).items()
                for at, value in samples.items()
            ]
            text = tmp_path / "series.om"
            text.write_text("\n".join([*lines, "# EOF\n"]))
            make_blocks(text, tmp_path / "data")
            url = stack.enter_context(prometheus_server(tmp_path))
            return RequestReader(PrometheusServer(url, sleep=lambda _: None))

        yield start


def counter(*totals: float, first: int = 30) -> Samples:
    """A sample in the middle of each step from ``first`` on."""
    return {first + i * STEP_S: total for i, total in enumerate(totals)}


def queue_proxy(what: str, pod: str, code: str = "200", **labels: str) -> str:
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    target = f'job="q",instance="10.0.0.1:9091",pod="{pod}"{more}'
    return f'{OTEL}_{what}{{{target},http_response_status_code="{code}"}}'


def info(pod: str, service: str, **labels: str) -> str:
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    target = f'job="q",instance="10.0.0.1:9091",pod="{pod}"{more}'
    return f'target_info{{{target},k8s_namespace_name="shop",kn_service_name="{service}"}}'


def of_knative(reader: RequestReader) -> PastRequests:
    return reader.read(BY_NAME["knative"], GRID)


def test_pods_that_come_and_go_are_counted_from_their_first_request(serve: Serve) -> None:
    past = of_knative(
        serve(
            {
                queue_proxy("count", "cart-a"): counter(2, 5, 5, 9),
                queue_proxy("sum", "cart-a"): counter(1, 2.5, 2.5, 4.5),
                queue_proxy("count", "cart-b"): counter(7, 8, first=330),  # the same address
                queue_proxy("count", "cart-b", "500"): counter(1, first=390),
                info("cart-a", "cart"): counter(1, 1, 1, 1),
                info("cart-b", "cart"): counter(1, 1, first=330),
            }
        )
    )
    assert past.services == ("shop/cart",)
    # Of the first step in which anything was counted nobody knows since when.
    np.testing.assert_array_equal(past.counts[0], [np.nan, 3, 0, 4, 0, 7, 2, 0, 0, 0])


def test_a_past_of_more_services_than_are_held_is_refused(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(PAST_REQUESTS, most=GRID.n_points)
    monkeypatch.setattr(request_reader, "PAST_REQUESTS", few)
    one = {queue_proxy("count", "a"): counter(5, 8), info("a", "a"): counter(1, 1)}
    assert of_knative(serve(one)).services == ("shop/a",)
    two = one | {queue_proxy("count", "b"): counter(5, 8), info("b", "b"): counter(1, 1)}
    with pytest.raises(LimitError, match=r"2 services .* allowed: up to those"):
        of_knative(serve(two))


def test_a_counter_that_falls_has_restarted(serve: Serve) -> None:
    past = of_knative(
        serve({queue_proxy("count", "a"): counter(5, 8, 2, 3), info("a", "a"): counter(1, 1, 1, 1)})
    )
    np.testing.assert_array_equal(past.counts[0, :4], [np.nan, 3, 2, 1])


def test_scrapes_that_fail_for_minutes_lose_no_request(serve: Serve) -> None:
    samples = counter(5, 8, 8, 8, 20)
    del samples[150], samples[210]
    past = of_knative(
        serve({queue_proxy("count", "a"): samples, info("a", "a"): counter(*[1] * 5)})
    )
    np.testing.assert_array_equal(past.counts[0, :6], [np.nan, 3, 0, 0, 12, 0])


def test_where_prometheus_was_away_is_a_gap_and_the_step_after_it(serve: Serve) -> None:
    totals = counter(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    seen = {at: total for at, total in totals.items() if not 180 <= at < 300}
    reader = serve(
        {queue_proxy("count", "a"): seen, info("a", "a"): dict.fromkeys(seen, 1.0)},
        up=[at for at in range(0, 601, 30) if not 180 < at <= 300],
    )
    gap = np.nan
    np.testing.assert_array_equal(
        of_knative(reader).counts[0], [gap, 1, 1, gap, gap, gap, 1, 1, 1, 1]
    )


def test_two_servers_that_scrape_the_same_count_once(serve: Serve) -> None:
    series = {}
    for replica in ("a", "b"):
        label = {"prometheus_replica": replica}
        series[queue_proxy("count", "pod", **label)] = counter(1, 4, 6)
        series[info("pod", "cart", **label)] = counter(1, 1, 1)
    np.testing.assert_array_equal(of_knative(serve(series)).counts[0, :3], [np.nan, 3, 2])


@pytest.mark.parametrize(
    ("source", "labels"),
    [
        ("kn-ahead", 'namespace="shop",service="cart"'),
        ("knative-legacy", 'namespace_name="shop",service_name="cart",pod_name="x"'),
        ("activator-legacy", 'namespace_name="shop",service_name="cart"'),
        (
            "activator",
            'k8s_namespace_name="shop",kn_service_name="cart",kn_revision_name="cart-00003"',
        ),
        (
            "istio",
            'reporter="source",destination_service_namespace="shop"'
            ',destination_service_name="cart-00003"',
        ),
        ("kourier", 'envoy_cluster_name="shop/cart-00003"'),
    ],
)
def test_each_exporter_is_understood(serve: Serve, source: str, labels: str) -> None:
    preset = BY_NAME[source]
    reader = serve({f"{preset.metric}{{{labels}}}": counter(4, 6, 6, 9)})
    assert reader.found(GRID) is preset
    past = reader.read(preset, GRID)
    assert past.services == ("shop/cart",)
    np.testing.assert_array_equal(past.counts[0, :5], [np.nan, 2, 0, 3, 0])


def test_the_last_days_are_told_while_those_before_are_read(serve: Serve) -> None:
    hours = 24 * 5
    at = {1800 * i + 60: float(i // 2) for i in range(2 * hours)}
    name = 'envoy_cluster_upstream_rq_total{envoy_cluster_name="shop/cart-00003"}'
    reader = serve({name: at}, up=range(0, 3600 * hours + 1, 600))
    whole = Grid(start_s=START_S, step_s=3600, n_points=hours + 1)
    told: list[PastRequests] = []
    past = reader.read(BY_NAME["kourier"], whole, on_recent=told.append)
    (recent,) = told
    n_steps = recent.counts.shape[1]
    assert recent.services == past.services
    assert 72 <= n_steps < 96
    assert recent.start_s + n_steps * 3600 == START_S + hours * 3600
    np.testing.assert_array_equal(recent.counts, past.counts[:, -n_steps:])


@pytest.mark.parametrize(("source", "unit_s"), [("activator-legacy", 1e-3), ("activator", 1.0)])
def test_durations_are_means_of_hours(serve: Serve, source: str, unit_s: float) -> None:
    preset = BY_NAME[source]
    names = dict.fromkeys(preset.labels, "cart") | {"kn_revision_name": "cart-00003"}
    labels = ",".join(f'{label}="{value}"' for label, value in names.items())
    minutes = {60 * i + 30: i for i in range(240)}  # a request each
    reader = serve(
        {
            f"{preset.metric}{{{labels}}}": {at: float(i + 1) for at, i in minutes.items()},
            f"{preset.seconds.partition('{')[0]}{{{labels}}}": {
                at: (i + 1 + max(i - 119, 0)) / unit_s for at, i in minutes.items()
            },
        },
        up=range(0, 14_400, 30),
    )
    whole = Grid(start_s=START_S, step_s=STEP_S, n_points=241)
    duration_s = reader.read(preset, whole).duration_s[0]
    np.testing.assert_allclose(duration_s[60:120], 1.0)
    np.testing.assert_allclose(duration_s[120:], 2.0)
    # Of the first hour it is not known since when it was counted: the mean of the others.
    np.testing.assert_allclose(duration_s[:60], 5 / 3)


@pytest.mark.parametrize(
    "names",
    [
        'kn_revision_pods_count{k8s_namespace_name="shop",kn_revision_name="%s-00001",pod="%s"}',
        'autoscaler_actual_pods{namespace_name="shop",revision_name="%s-00001",pod="%s"}',
    ],
)
def test_ready_pods_are_added_up_whoever_counts_them(serve: Serve, names: str) -> None:
    reader = serve(
        {
            names % ("cart", "autoscaler-a"): counter(2, 3),
            names % ("cart", "autoscaler-b"): counter(2, 3),
            names % ("pay", "autoscaler-a"): counter(1, 0),
        }
    )
    np.testing.assert_array_equal(reader.ready_pods(GRID)[:2], [3, 3])


def test_who_counted_for_most_hours_is_asked(serve: Serve) -> None:
    whole = Grid(start_s=START_S, step_s=3600, n_points=6)
    long_ = {3600 * i + 30: float(i) for i in range(5)}
    reader = serve(
        {
            'kn_ahead_requests_total{namespace="shop",service="cart"}': {14_430: 1.0},
            'revision_app_request_count{namespace_name="shop",service_name="cart"}': long_,
        }
    )
    assert reader.found(whole).name == "knative-legacy"
    assert reader.found(whole, "kn-ahead").name == "kn-ahead"


def test_nobody_counted_names_what_was_sought_and_what_is_near(serve: Serve) -> None:
    reader = serve({"kn_serving_invocations_total": counter(1, 2)})
    with pytest.raises(PermanentError) as caught:
        reader.found(GRID)
    for part in (
        PRESETS[1].metric,
        "nearest are",
        "kn_serving_invocations_total",
        "request-metrics-protocol",
    ):
        assert part in str(caught.value)
    with pytest.raises(PermanentError, match="source is 'nginx'; allowed: auto, kn-ahead, knative"):
        reader.found(GRID, "nginx")
