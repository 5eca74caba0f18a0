from dataclasses import fields

import pytest

from autoscaler.core.state.revision import Mode
from autoscaler.errors import PermanentError
from knative.settings.cluster import ClusterConfig, cluster_config, progress_deadline_s

# Each key, a text, the field that it sets, and the value there.
KEYS = [
    ("enable-scale-to-zero", "false", "enable_scale_to_zero", False),
    ("allow-zero-initial-scale", "true", "allow_zero_initial_scale", True),
    ("initial-scale", "3", "initial_scale", 3),
    ("min-scale", "2", "min_scale", 2),
    ("max-scale", "7", "max_scale", 7),
    (
        "container-concurrency-target-percentage",
        "80",
        "container_concurrency_target_percentage",
        0.8,
    ),
    ("container-concurrency-target-default", "50", "container_concurrency_target_default", 50.0),
    ("requests-per-second-target-default", "12.5", "requests_per_second_target_default", 12.5),
    ("target-burst-capacity", "-1", "target_burst_capacity", -1.0),
    ("stable-window", "5m", "stable_window", 300.0),
    ("panic-window-percentage", "25", "panic_window_percentage", 25.0),
    ("panic-threshold-percentage", "50", "panic_threshold_percentage", 50.0),
    ("max-scale-up-rate", "1.5", "max_scale_up_rate", 1.5),
    ("max-scale-down-rate", "3", "max_scale_down_rate", 3.0),
    ("scale-to-zero-grace-period", "45s", "scale_to_zero_grace_period", 45.0),
    ("scale-to-zero-pod-retention-period", "2m", "scale_to_zero_pod_retention_period", 120.0),
    ("scale-down-delay", "15m", "scale_down_delay", 900.0),
    ("activator-capacity", "20", "activator_capacity", 20.0),
    ("kn-ahead-mode", "outward", "mode", Mode.OUTWARD),
    ("kn-ahead-cold-price", "90s", "cold_price", 90.0),
    ("kn-ahead-max-cold-rate", "0.5%", "max_cold_rate", 0.005),
    ("kn-ahead-max-extra", "20%", "max_extra", 0.2),
    ("kn-ahead-extra-allowance", "1h", "extra_allowance", 3600.0),
    ("kn-ahead-cluster-max-extra", "0.1", "cluster_max_extra", 0.1),
    ("kn-ahead-cluster-extra-allowance", "0s", "cluster_extra_allowance", 0.0),
    ("kn-ahead-across-namespaces", "true", "across_namespaces", True),
]

REFUSED = [
    ("enable-scale-to-zero", "yes"),
    ("initial-scale", "-1"),
    ("initial-scale", "0"),
    ("initial-scale", "one"),
    ("initial-scale", "1.5"),
    ("min-scale", "-1"),
    ("max-scale", "-1"),
    ("container-concurrency-target-percentage", "0"),
    ("container-concurrency-target-percentage", "101"),
    ("container-concurrency-target-percentage", "nan"),
    ("container-concurrency-target-default", "0"),
    ("requests-per-second-target-default", "0.009"),
    ("target-burst-capacity", "-2"),
    ("target-burst-capacity", "-0.5"),
    ("stable-window", "5s"),
    ("stable-window", "61m"),
    ("stable-window", "6500ms"),
    ("stable-window", "60"),
    ("panic-window-percentage", "0.5"),
    ("panic-window-percentage", "101"),
    ("max-scale-up-rate", "1"),
    ("max-scale-down-rate", "1"),
    ("scale-to-zero-grace-period", "0s"),
    ("scale-to-zero-pod-retention-period", "soon"),
    ("scale-down-delay", "1500ms"),
    ("activator-capacity", "0.5"),
    ("kn-ahead-mode", "loud"),
    ("kn-ahead-cold-price", "-1s"),
    ("kn-ahead-max-cold-rate", "101%"),
    ("kn-ahead-max-cold-rate", "few"),
    ("kn-ahead-max-extra", "20"),
    ("kn-ahead-cluster-max-extra", "-1%"),
    ("kn-ahead-extra-allowance", "some"),
    ("kn-ahead-across-namespaces", "perhaps"),
]


def test_an_empty_config_is_knatives_defaults() -> None:
    config = cluster_config({})
    assert config == ClusterConfig()
    assert config.stable_window == 60.0
    assert config.container_concurrency_target_percentage == 0.7
    assert config.target_burst_capacity == 211.0
    assert config.max_scale_up_rate == 1000.0
    assert config.max_scale_down_rate == 2.0
    assert config.scale_to_zero_grace_period == 30.0
    assert config.activator_capacity == 100.0
    assert config.mode is Mode.SHADOW
    assert not config.across_namespaces  # nobody warms another's services unasked


@pytest.mark.parametrize(("key", "text", "name", "value"), KEYS)
def test_every_key_sets_its_field_and_no_other(
    key: str, text: str, name: str, value: object
) -> None:
    config = cluster_config({key: text})
    assert getattr(config, name) == pytest.approx(value)
    others = [f.name for f in fields(ClusterConfig) if f.name != name]
    assert all(getattr(config, other) == getattr(ClusterConfig(), other) for other in others)


def test_the_table_of_keys_is_complete() -> None:
    # A limit stands with a max-scale within it, never alone: it has tests of its own.
    tested = {name for _, _, name, _ in KEYS} | {"max_scale_limit"}
    assert tested == {f.name for f in fields(ClusterConfig)}


@pytest.mark.parametrize(("key", "text"), REFUSED)
def test_a_wrong_value_is_refused_by_key_and_value(key: str, text: str) -> None:
    with pytest.raises(PermanentError) as refusal:
        cluster_config({key: text})
    assert key in str(refusal.value)
    assert text in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("key", "text"), REFUSED)
def test_a_refusal_says_what_is_allowed(key: str, text: str) -> None:
    with pytest.raises(PermanentError, match="allowed"):
        cluster_config({key: text})


def test_least_and_most_that_contradict_are_refused() -> None:
    with pytest.raises(PermanentError, match="min-scale is 5; allowed: <= max-scale, 4"):
        cluster_config({"min-scale": "5", "max-scale": "4"})


def test_no_most_goes_with_any_least() -> None:
    assert cluster_config({"min-scale": "5", "max-scale": "0"}).min_scale == 5


@pytest.mark.parametrize("most", ["1", "10"])
def test_a_most_up_to_its_limit_is_allowed(most: str) -> None:
    config = cluster_config({"max-scale": most, "max-scale-limit": "10"})
    assert (config.max_scale, config.max_scale_limit) == (int(most), 10)


def test_a_limit_of_the_most_is_kept() -> None:
    with pytest.raises(PermanentError, match="max-scale"):
        cluster_config({"max-scale": "11", "max-scale-limit": "10"})


def test_a_limit_of_the_most_forbids_no_most_at_all() -> None:
    with pytest.raises(PermanentError, match="max-scale"):
        cluster_config({"max-scale": "0", "max-scale-limit": "10"})


def test_a_target_that_vanishes_by_its_fraction_is_refused() -> None:
    with pytest.raises(PermanentError, match="container-concurrency-target"):
        cluster_config({"container-concurrency-target-default": "0.01"})


@pytest.mark.parametrize("key", ["initial-scale", "min-scale", "max-scale"])
def test_pods_beyond_what_kubernetes_counts_are_refused(key: str) -> None:
    with pytest.raises(PermanentError, match=key):
        cluster_config({key: str(2**31)})


def test_zero_at_first_needs_leave() -> None:
    allowed = cluster_config({"initial-scale": "0", "allow-zero-initial-scale": "true"})
    assert allowed.initial_scale == 0


@pytest.mark.parametrize(
    ("text", "fraction"), [("0.6", 0.6), ("1", 1.0), ("60", 0.6), ("100", 1.0), ("1.5", 0.015)]
)
def test_a_percentage_up_to_one_is_a_fraction(text: str, fraction: float) -> None:
    config = cluster_config({"container-concurrency-target-percentage": text})
    assert config.container_concurrency_target_percentage == pytest.approx(fraction)


def test_the_panic_threshold_has_no_range() -> None:
    assert cluster_config({"panic-threshold-percentage": "1"}).panic_threshold_percentage == 1.0


@pytest.mark.parametrize("word", ["off", "shadow", "outward", "full", "FULL"])
def test_every_mode_is_known_by_its_name(word: str) -> None:
    assert cluster_config({"kn-ahead-mode": word}).mode is Mode[word.upper()]


def test_the_example_and_unknown_keys_say_nothing() -> None:
    data = {"_example": "min-scale: 17", "pod-autoscaler-class": "x", "unheard-of": "1"}
    assert cluster_config(data) == ClusterConfig()


def test_space_around_a_value_does_no_harm() -> None:
    assert cluster_config({"stable-window": " 90s\n"}).stable_window == 90.0


@pytest.mark.parametrize(
    ("data", "seconds"),
    [({}, 600.0), ({"progress-deadline": "1m30s"}, 90.0), ({"progress-deadline": " 5s\n"}, 5.0)],
)
def test_the_progress_deadline_is_read(data: dict[str, str], seconds: float) -> None:
    assert progress_deadline_s(data) == seconds


@pytest.mark.parametrize("text", ["0s", "-5s", "1500ms", "600", "soon", ""])
def test_a_wrong_progress_deadline_is_refused_by_key_value_and_what_is_allowed(text: str) -> None:
    with pytest.raises(PermanentError) as refusal:
        progress_deadline_s({"progress-deadline": text})
    message = str(refusal.value)
    assert f"config-deployment: progress-deadline is {text!r}" in message
    assert "allowed" in message
