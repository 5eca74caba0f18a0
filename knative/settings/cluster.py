"""config-autoscaler and config-deployment.

A ConfigMap with one wrong value is refused whole: the former one stays in force, and the message
names the key, the value and what is allowed. Knative's webhook refuses most of them before.
Source: knative/serving pkg/autoscaler/config/config.go.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import inf

from autoscaler.core.state.revision import Mode
from autoscaler.errors import PermanentError
from knative.settings.quantities import boolean, duration_s, fraction, integer, number


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Settings of every revision without annotations. Names are the ConfigMap's keys."""

    enable_scale_to_zero: bool = True
    allow_zero_initial_scale: bool = False
    initial_scale: int = 1
    min_scale: int = 0
    max_scale: int = 0
    max_scale_limit: int = 0
    container_concurrency_target_percentage: float = 0.7  # a fraction
    container_concurrency_target_default: float = 100.0
    requests_per_second_target_default: float = 200.0
    target_burst_capacity: float = 211.0
    stable_window: float = 60.0  # s
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    scale_to_zero_grace_period: float = 30.0  # s
    scale_to_zero_pod_retention_period: float = 0.0  # s
    scale_down_delay: float = 0.0  # s
    activator_capacity: float = 100.0
    mode: Mode = Mode.SHADOW  # key kn-ahead-mode
    cold_price: float = 600.0  # s; key kn-ahead-cold-price
    max_cold_rate: float = inf  # promised, a fraction; inf = no promise; key kn-ahead-max-cold-rate
    max_extra: float = inf  # most pod time ahead, a fraction; inf = no bill; key kn-ahead-max-extra
    extra_allowance: float = 600.0  # s of pod beyond that; key kn-ahead-extra-allowance
    cluster_max_extra: float = inf  # of all together; key kn-ahead-cluster-max-extra
    cluster_extra_allowance: float = 3600.0  # s of pod; key kn-ahead-cluster-extra-allowance
    across_namespaces: bool = False  # whether all namespaces consent; kn-ahead-across-namespaces


def _percentage(text: str) -> float:
    value = number(text)
    return value if value <= 1 else value / 100


def _mode(text: str) -> Mode:
    try:
        return Mode[text.upper()]
    except KeyError as error:
        raise ValueError(f"{text!r} is no mode; allowed: {', '.join(MODES)}") from error


LEAST_TARGET = 0.01
MODES = tuple(mode.name.lower() for mode in Mode)
_OWN = {
    name: "kn-ahead-" + name.replace("_", "-")
    for name in (
        "mode",
        "cold_price",
        "max_cold_rate",
        "max_extra",
        "extra_allowance",
        "cluster_max_extra",
        "cluster_extra_allowance",
        "across_namespaces",
    )
}
_DURATIONS = {
    "stable_window",
    "scale_to_zero_grace_period",
    "scale_to_zero_pod_retention_period",
    "scale_down_delay",
    "cold_price",
    "extra_allowance",
    "cluster_extra_allowance",
}
_FRACTIONS = {"max_cold_rate", "max_extra", "cluster_max_extra"}
_ALLOWED: dict[str, tuple[Callable[[float], bool], str]] = {
    "initial_scale": (lambda v: v >= 0, ">= 0"),
    "min_scale": (lambda v: v >= 0, ">= 0"),
    "max_scale": (lambda v: v >= 0, ">= 0"),
    "max_scale_limit": (lambda v: v >= 0, ">= 0"),
    "container_concurrency_target_percentage": (lambda v: 0 < v <= 1, "(0, 100]"),
    "container_concurrency_target_default": (lambda v: v >= 0.01, ">= 0.01"),
    "requests_per_second_target_default": (lambda v: v >= 0.01, ">= 0.01"),
    "target_burst_capacity": (lambda v: v >= 0 or v == -1, "-1 or >= 0"),
    "stable_window": (lambda v: 6 <= v <= 3600 and v % 1 == 0, "6s to 1h, whole seconds"),
    "panic_window_percentage": (lambda v: 1 <= v <= 100, "1 to 100"),
    "max_scale_up_rate": (lambda v: v > 1, "> 1"),
    "max_scale_down_rate": (lambda v: v > 1, "> 1"),
    "scale_to_zero_grace_period": (lambda v: v > 0, "> 0"),
    "scale_to_zero_pod_retention_period": (lambda v: v >= 0, ">= 0"),
    "scale_down_delay": (lambda v: v >= 0 and v % 1 == 0, ">= 0, whole seconds"),
    "activator_capacity": (lambda v: v >= 1, ">= 1"),
    "cold_price": (lambda v: v >= 0, ">= 0"),
    "max_cold_rate": (lambda v: v <= 1, "0% to 100%"),
}


def cluster_config(data: Mapping[str, str]) -> ClusterConfig:
    """Read config-autoscaler's data. Raises PermanentError for the first value that is wrong."""
    values = {}
    for field in fields(ClusterConfig):
        key = _OWN.get(field.name, field.name.replace("_", "-"))
        if key in data:
            values[field.name] = _value(field.name, field.type, key, data[key])
    config = ClusterConfig(**values)  # type: ignore[arg-type]
    if config.initial_scale == 0 and not config.allow_zero_initial_scale:
        raise PermanentError("initial-scale is 0; allowed: > 0 without allow-zero-initial-scale")
    limit = config.max_scale_limit
    if limit and not 1 <= config.max_scale <= limit:
        raise PermanentError(
            f"max-scale is {config.max_scale}; allowed: 1 to max-scale-limit, {limit}"
        )
    target = config.container_concurrency_target_default
    if target * config.container_concurrency_target_percentage < LEAST_TARGET:
        raise PermanentError(
            f"container-concurrency-target-default is {target}; "
            f"allowed: >= {LEAST_TARGET} times container-concurrency-target-percentage"
        )
    if 0 < config.max_scale < config.min_scale:
        raise PermanentError(
            f"min-scale is {config.min_scale}; allowed: <= max-scale, {config.max_scale}"
        )
    return config


def progress_deadline_s(data: Mapping[str, str]) -> float:
    """The progress deadline of config-deployment's data, s. Raises PermanentError."""
    text = data.get("progress-deadline", "600s")
    name = f"config-deployment: progress-deadline is {text!r}"
    try:
        value = duration_s(text.strip())
    except ValueError as error:
        raise PermanentError(f"{name}: {error}") from error
    if value <= 0 or value % 1:
        raise PermanentError(f"{name}; allowed: > 0, whole seconds")
    return value


def _value(name: str, kind: object, key: str, text: str) -> object:
    try:
        value = _read(name, kind, text.strip())
    except ValueError as error:
        raise PermanentError(f"config-autoscaler: {key} is {text!r}: {error}") from error
    fits, allowed = _ALLOWED.get(name, (lambda _: True, ""))
    if isinstance(value, float | int) and not fits(value):
        raise PermanentError(f"config-autoscaler: {key} is {text!r}; allowed: {allowed}")
    return value


def _read(name: str, kind: object, text: str) -> object:
    if name == "mode":
        return _mode(text)
    if name in _FRACTIONS:
        return fraction(text)
    if name in _DURATIONS:
        return duration_s(text)
    if name == "container_concurrency_target_percentage":
        return _percentage(text)
    if kind is bool:
        return boolean(text)
    return integer(text) if kind is int else number(text)
