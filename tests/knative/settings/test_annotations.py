from typing import Any

import numpy as np
import pytest

from autoscaler.core.prediction.promise import START_S
from autoscaler.core.state.revision import Metric, Mode, Revision
from knative.mirror.objects import podautoscaler
from knative.settings.annotations import revision_of
from knative.settings.cluster import ClusterConfig
from tests.knative.objects import a_podautoscaler

PREFIX = "autoscaling.knative.dev/"

# Each key, a text, the field that it sets, and the value there.
KEYS = [
    ("metric", "rps", "metric", Metric.RPS),
    ("target", "40", "total", 40.0),
    ("target-utilization-percentage", "50", "target", 50.0),
    ("target-burst-capacity", "0", "target_burst_capacity", 0.0),
    ("window", "2m", "stable_window_s", 120),
    ("panic-window-percentage", "20", "panic_window_s", 12),
    ("panic-threshold-percentage", "150", "panic_threshold", 1.5),
    ("min-scale", "2", "min_scale", 2),
    ("max-scale", "9", "max_scale", 9),
    ("initial-scale", "4", "initial_scale", 4),
    ("activation-scale", "3", "activation_scale", 3),
    ("scale-down-delay", "5m", "scale_down_delay_s", 300.0),
    ("scale-to-zero-pod-retention-period", "1m30s", "retention_s", 90.0),
    ("metric-aggregation-algorithm", "weighted-exponential", "weighted_exponential", True),
]
# Knative reads these in camel case as well.
CAMEL = [
    ("targetUtilizationPercentage", "50", "target", 50.0),
    ("targetBurstCapacity", "0", "target_burst_capacity", 0.0),
    ("panicWindowPercentage", "20", "panic_window_s", 12),
    ("panicThresholdPercentage", "150", "panic_threshold", 1.5),
    ("minScale", "2", "min_scale", 2),
    ("maxScale", "9", "max_scale", 9),
    ("initialScale", "4", "initial_scale", 4),
    ("scaleDownDelay", "5m", "scale_down_delay_s", 300.0),
    ("scaleToZeroPodRetentionPeriod", "1m30s", "retention_s", 90.0),
    ("metricAggregationAlgorithm", "weightedExponential", "weighted_exponential", True),
]
NUMBERS = [key for key, *_ in KEYS if not key.startswith("metric")]


def read(
    annotations: dict[str, str],
    config: ClusterConfig | None = None,
    *,
    promised_s: float = np.nan,
    **spec: Any,
) -> Revision:
    """The settings of a revision with these annotations (full keys)."""
    return revision_of(
        podautoscaler(a_podautoscaler(annotations=annotations, **spec)),
        config or ClusterConfig(),
        progress_deadline_s=600.0,
        lead_s=lambda _: 7.0,
        drain_s=35.0,
        promised_s=promised_s,
    )


def test_a_revision_that_says_nothing_gets_the_clusters_config() -> None:
    config = ClusterConfig(
        min_scale=1,
        max_scale=5,
        initial_scale=2,
        stable_window=120.0,
        panic_window_percentage=20.0,
        panic_threshold_percentage=300.0,
        target_burst_capacity=10.0,
        scale_down_delay=60.0,
        scale_to_zero_grace_period=40.0,
        scale_to_zero_pod_retention_period=50.0,
        activator_capacity=30.0,
        max_scale_up_rate=4.0,
        max_scale_down_rate=3.0,
        enable_scale_to_zero=False,
        mode=Mode.FULL,
        cold_price=12.0,
    )
    got = read({}, config)
    assert (got.min_scale, got.max_scale, got.initial_scale) == (1, 5, 2)
    assert (got.stable_window_s, got.panic_window_s, got.panic_threshold) == (120, 24, 3.0)
    assert (got.target_burst_capacity, got.activator_capacity) == (10.0, 30.0)
    assert (got.scale_down_delay_s, got.grace_s, got.retention_s) == (60.0, 40.0, 50.0)
    assert (got.max_scale_up_rate, got.max_scale_down_rate) == (4.0, 3.0)
    assert (got.enable_scale_to_zero, got.mode, got.cold_price_s) == (False, Mode.FULL, 12.0)
    assert (got.total, got.target, got.pod_capacity) == (100.0, 70.0, 100.0)
    assert (got.activation_scale, got.activation_timeout_s) == (0, 630.0)
    assert (got.lead_s, got.drain_s) == (7.0, 35.0)
    assert got.metric is Metric.CONCURRENCY


@pytest.mark.parametrize(("key", "text", "name", "value"), KEYS + CAMEL)
def test_every_key_sets_its_field(key: str, text: str, name: str, value: object) -> None:
    assert getattr(read({PREFIX + key: text}), name) == pytest.approx(value)
    assert getattr(read({}), name) != value


def test_kebab_case_wins_over_camel_case() -> None:
    assert read({PREFIX + "min-scale": "2", PREFIX + "minScale": "3"}).min_scale == 2


def test_what_cannot_be_read_in_kebab_case_is_not_read_in_camel_case() -> None:
    assert read({PREFIX + "min-scale": "two", PREFIX + "minScale": "3"}).min_scale == 0


def test_activation_scale_has_one_spelling() -> None:
    assert read({PREFIX + "activationScale": "3"}).activation_scale == 0


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("text", ["", "many", "1x", "nan", "inf", "--1"])
def test_what_cannot_be_read_counts_as_not_set(key: str, text: str) -> None:
    assert read({PREFIX + key: text}) == read({})


@pytest.mark.parametrize("key", ["min-scale", "max-scale", "initial-scale", "activation-scale"])
@pytest.mark.parametrize("text", ["2.5", "1_0", str(2**31), "9" * 25])
def test_what_is_no_count_of_kubernetes_counts_as_not_set(key: str, text: str) -> None:
    assert read({PREFIX + key: text}) == read({})


@pytest.mark.parametrize("text", ["linear", "median", ""])
def test_any_other_algorithm_is_linear(text: str) -> None:
    assert not read({PREFIX + "metric-aggregation-algorithm": text}).weighted_exponential


@pytest.mark.parametrize("text", ["", "concurrency", "cpu"])
def test_any_other_metric_is_concurrency(text: str) -> None:
    assert read({PREFIX + "metric": text}) == read({})


def test_requests_per_second_have_a_target_and_a_utilisation_of_their_own() -> None:
    config = ClusterConfig(container_concurrency_target_percentage=0.9)
    got = read({PREFIX + "metric": "rps"}, config, containerConcurrency=10)
    assert (got.total, got.target) == pytest.approx((200.0, 140.0))


def test_a_hard_limit_is_what_a_pod_takes() -> None:
    got = read({}, containerConcurrency=10)
    assert (got.total, got.target, got.pod_capacity) == pytest.approx((10.0, 7.0, 10.0))


@pytest.mark.parametrize(("metric", "capacity"), [("concurrency", 30.0), ("rps", 100.0)])
def test_without_a_hard_limit_a_pod_takes_its_target(metric: str, capacity: float) -> None:
    got = read({PREFIX + "target": "30", PREFIX + "metric": metric})
    assert (got.total, got.pod_capacity) == (30.0, capacity)


@pytest.mark.parametrize(("asked", "total"), [("5", 5.0), ("20", 10.0)])
def test_a_hard_limit_caps_the_target(asked: str, total: float) -> None:
    got = read({PREFIX + "target": asked}, containerConcurrency=10)
    assert (got.total, got.target) == pytest.approx((total, 0.7 * total))


def test_a_hard_limit_does_not_cap_requests_per_second() -> None:
    annotations = {PREFIX + "metric": "rps", PREFIX + "target": "20"}
    assert read(annotations, containerConcurrency=10).total == 20.0


def test_without_a_hard_limit_the_target_may_exceed_the_default() -> None:
    assert read({PREFIX + "target": "500"}).total == 500.0


def test_the_target_never_vanishes() -> None:
    annotations = {PREFIX + "target": "0.01", PREFIX + "target-utilization-percentage": "1"}
    assert read(annotations).target == 0.01


def test_the_panic_window_is_a_whole_second_at_least() -> None:
    annotations = {PREFIX + "window": "6s", PREFIX + "panic-window-percentage": "1"}
    assert read(annotations).panic_window_s == 1


@pytest.mark.parametrize(("percent", "seconds"), [("7.4", 4), ("7.5", 5), ("12.5", 8)])
def test_the_panic_window_is_rounded_half_up(percent: str, seconds: int) -> None:
    assert read({PREFIX + "panic-window-percentage": percent}).panic_window_s == seconds


def test_without_burst_capacity_nothing_is_scraped() -> None:
    assert not read({PREFIX + "target-burst-capacity": "-1"}).has_scrape_target
    assert read({PREFIX + "target-burst-capacity": "0"}).has_scrape_target


def test_zero_at_first_needs_the_clusters_leave() -> None:
    annotations = {PREFIX + "initial-scale": "0"}
    assert read(annotations, ClusterConfig(initial_scale=2)).initial_scale == 2
    leave = ClusterConfig(initial_scale=2, allow_zero_initial_scale=True)
    assert read(annotations, leave).initial_scale == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("120s", 150.0), ("0s", 30.0), ("soon", 630.0), ("", 630.0)]
)
def test_activating_is_given_up_after_the_progress_deadline(text: str, seconds: float) -> None:
    assert read({"serving.knative.dev/progress-deadline": text}).activation_timeout_s == seconds


@pytest.mark.parametrize(
    ("reachability", "reachable"), [("Reachable", True), ("", True), ("Unreachable", False)]
)
def test_only_unreachable_is_unreachable(reachability: str, reachable: bool) -> None:
    assert read({}, reachability=reachability).reachable is reachable


@pytest.mark.parametrize("mode", list(Mode))
def test_a_revision_may_choose_its_mode(mode: Mode) -> None:
    assert read({"kn-ahead.dev/mode": mode.name.lower()}).mode is mode


@pytest.mark.parametrize("word", ["", "loud", "1"])
def test_a_mode_that_is_none_leaves_the_clusters(word: str) -> None:
    assert read({"kn-ahead.dev/mode": word}, ClusterConfig(mode=Mode.OUTWARD)).mode is Mode.OUTWARD


@pytest.mark.parametrize(("text", "seconds"), [("2m", 120.0), ("0s", 0.0), ("dear", 600.0)])
def test_a_revision_may_say_what_a_cold_request_costs(text: str, seconds: float) -> None:
    assert read({"kn-ahead.dev/cold-price": text}).cold_price_s == seconds


@pytest.mark.parametrize(
    ("text", "rate"), [("0.5%", 0.005), ("0.02", 0.02), ("0", 0.0), ("100%", 1.0)]
)
def test_a_promise_takes_the_place_of_a_price(text: str, rate: float) -> None:
    annotations = {"kn-ahead.dev/max-cold-rate": text, "kn-ahead.dev/cold-price": "2m"}
    read_of = read(annotations)
    assert (read_of.max_cold_rate, read_of.cold_price_s) == (rate, START_S)
    assert read(annotations, promised_s=90.0).cold_price_s == 90.0


@pytest.mark.parametrize("text", ["", "101%", "-1%", "few"])
def test_a_promise_that_is_none_leaves_the_clusters_and_without_one_the_price(text: str) -> None:
    annotations = {"kn-ahead.dev/max-cold-rate": text, "kn-ahead.dev/cold-price": "2m"}
    read_of = read(annotations, promised_s=90.0)
    assert (read_of.max_cold_rate, read_of.cold_price_s) == (np.inf, 120.0)
    assert read(annotations, ClusterConfig(max_cold_rate=0.1)).max_cold_rate == 0.1


def test_without_a_word_there_is_no_bill() -> None:
    assert read({}).max_extra == np.inf


@pytest.mark.parametrize(("text", "part"), [("20%", 0.2), ("0.2", 0.2), ("0", 0.0), ("", 0.5)])
def test_a_revision_may_say_what_prediction_may_cost(text: str, part: float) -> None:
    config = ClusterConfig(max_extra=0.5, extra_allowance=60.0)
    read_of = read({"kn-ahead.dev/max-extra": text}, config)
    assert (read_of.max_extra, read_of.extra_allowance_s) == (part, 60.0)
    assert read({"kn-ahead.dev/extra-allowance": "1h"}, config).extra_allowance_s == 3600.0


@pytest.mark.parametrize("text", ["20", "a lot", "-1%", "20 pods"])
def test_a_bill_that_cannot_be_read_is_the_tightest(text: str) -> None:
    for config in (ClusterConfig(), ClusterConfig(max_extra=0.5)):
        assert read({"kn-ahead.dev/max-extra": text}, config).max_extra == 0.0
