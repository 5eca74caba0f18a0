"""The settings of a revision: its annotations over the cluster's config.

A value that cannot be parsed counts as not set, as in Knative, whose webhook refuses it before. But
a bill that cannot be read is the tightest one, 0 %: somebody wanted a limit.

Source: knative/serving pkg/apis/autoscaling/v1alpha1/pa_lifecycle.go,
pkg/reconciler/autoscaling/{resources,kpa/resources}.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from autoscaler.annotations import COLD_PRICE, EXTRA_ALLOWANCE, MAX_COLD_RATE, MAX_EXTRA, MODE
from autoscaler.core.prediction.promise import START_S
from autoscaler.core.state.revision import Metric, Mode, Revision, Spec
from knative.mirror.annotation_names import PREFIX, PROGRESS_DEADLINE
from knative.mirror.objects import PodAutoscaler
from knative.settings.cluster import MODES, ClusterConfig
from knative.settings.quantities import LARGEST, duration_s, fraction, integer, number

T = TypeVar("T")
# How each number is read, its least and its greatest value. Where Knative's webhook is not
# installed, a value outside the range can arrive here; it counts as not set.
NUMBERS: Mapping[str, tuple[Callable[[str], float], float, float]] = {
    "window": (duration_s, 6, 3600),
    "panic-window-percentage": (number, 1, 100),
    "panic-threshold-percentage": (number, 110, 1000),
    "target": (number, 0.01, LARGEST),
    "target-utilization-percentage": (number, 1, 100),
    "target-burst-capacity": (number, -1, LARGEST),
    "initial-scale": (integer, 0, np.inf),
    "activation-scale": (integer, 0, np.inf),
    "min-scale": (integer, 0, np.inf),
    "max-scale": (integer, 0, np.inf),
    "scale-down-delay": (duration_s, 0, 3600),
    "scale-to-zero-pod-retention-period": (duration_s, 0, 3600),
}
# The fields of `ClusterConfig` that annotations override one to one.
OVERRIDES: Mapping[str, str] = {"window": "stable_window"} | {
    key: key.replace("-", "_")
    for key in (
        "panic-window-percentage",
        "panic-threshold-percentage",
        "target-burst-capacity",
        "initial-scale",
        "min-scale",
        "max-scale",
        "scale-down-delay",
        "scale-to-zero-pod-retention-period",
    )
}
RPS_UTILISATION = 0.7  # a constant of Knative's
ACTIVATION_SLACK_S = 30.0  # beyond the progress deadline, before activating is given up


def revision_of(
    pa: PodAutoscaler,
    config: ClusterConfig,
    *,
    progress_deadline_s: float,
    lead_s: Callable[[float], float],
    drain_s: float,
    share: float = 1.0,
    promised_s: float = np.nan,
) -> Revision:
    """The settings of a revision.

    progress_deadline_s: config-deployment's. lead_s: start-up time, by the price of a cold request.
    drain_s: from letting a pod go until it is gone. share: of its service's traffic. promised_s:
    the price that keeps a promise; NaN = not known.
    """
    price_s = _duration(pa.annotations, COLD_PRICE, config.cold_price)
    rate = _readable(pa.annotations.get(MAX_COLD_RATE, ""), _rate, config.max_cold_rate)
    if np.isfinite(rate):
        price_s = START_S if np.isnan(promised_s) else promised_s
    return Spec(
        **_knative_settings(pa, config, progress_deadline_s),
        mode=_mode(pa.annotations, config.mode),
        lead_s=lead_s(price_s),
        drain_s=drain_s,
        cold_price_s=price_s,
        max_cold_rate=rate,
        max_extra=_max_extra(pa.annotations, config.max_extra),
        extra_allowance_s=_duration(pa.annotations, EXTRA_ALLOWANCE, config.extra_allowance),
        share=share,
    )


def _knative_settings(
    pa: PodAutoscaler, config: ClusterConfig, progress_deadline_s: float
) -> dict[str, Any]:
    """The fields of `Revision` that Knative's own rule reads."""
    own = _overridden(config, pa.annotations)
    rps = pa.annotations.get(f"{PREFIX}metric") == "rps"
    total, target = _load(pa, config, rps=rps)
    default = config.container_concurrency_target_default
    panic_s = own.stable_window * own.panic_window_percentage / 100
    algorithm = pa.annotations.get(f"{PREFIX}metric-aggregation-algorithm", "linear")
    deadline_s = _duration(pa.annotations, PROGRESS_DEADLINE, progress_deadline_s)
    return {
        "stable_window_s": int(own.stable_window),
        "panic_window_s": max(1, int(np.floor(panic_s + 0.5))),
        "metric": Metric.RPS if rps else Metric.CONCURRENCY,
        "weighted_exponential": algorithm in ("weighted-exponential", "weightedExponential"),
        "has_scrape_target": own.target_burst_capacity != -1,
        "total": total,
        "target": target,
        "pod_capacity": float(pa.concurrency) or (default if rps else total),
        "target_burst_capacity": own.target_burst_capacity,
        "panic_threshold": own.panic_threshold_percentage / 100,
        "max_scale_up_rate": own.max_scale_up_rate,
        "max_scale_down_rate": own.max_scale_down_rate,
        "scale_down_delay_s": own.scale_down_delay,
        "activation_scale": _number(pa.annotations, "activation-scale", 0),
        "min_scale": own.min_scale,
        "max_scale": own.max_scale,
        "initial_scale": own.initial_scale,
        "reachable": pa.reachability != "Unreachable",
        "enable_scale_to_zero": own.enable_scale_to_zero,
        "grace_s": own.scale_to_zero_grace_period,
        "retention_s": own.scale_to_zero_pod_retention_period,
        "activation_timeout_s": deadline_s + ACTIVATION_SLACK_S,
        "activator_capacity": own.activator_capacity,
    }


def _overridden(config: ClusterConfig, annotations: Mapping[str, str]) -> ClusterConfig:
    """The cluster's config with the values that a revision's annotations put in their place."""
    values: dict[str, Any] = {
        field: _number(annotations, key, getattr(config, field))
        for key, field in OVERRIDES.items()
        if annotations.get(PREFIX + key)
    }
    if values.get("initial_scale") == 0 and not config.allow_zero_initial_scale:
        del values["initial_scale"]
    return replace(config, **values) if values else config


def _load(pa: PodAutoscaler, config: ClusterConfig, *, rps: bool) -> tuple[float, float]:
    """What a pod can take at most, and its target: requests in flight, or a second."""
    total = config.requests_per_second_target_default
    usage = RPS_UTILISATION
    if not rps:
        total = float(pa.concurrency) or config.container_concurrency_target_default
        usage = config.container_concurrency_target_percentage
    asked = _number(pa.annotations, "target", 0.0)
    if asked > 0:
        total = min(asked, total) if pa.concurrency and not rps else asked
    usage = _number(pa.annotations, "target-utilization-percentage", usage * 100) / 100
    return total, max(0.01, total * usage)


def _mode(annotations: Mapping[str, str], default: Mode) -> Mode:
    text = annotations.get(MODE, "")
    return Mode[text.upper()] if text in MODES else default


def _max_extra(annotations: Mapping[str, str], default: float) -> float:
    text = annotations.get(MAX_EXTRA, "")
    return _readable(text, fraction, 0.0) if text else default


def _number(annotations: Mapping[str, str], key: str, default: T) -> T:
    read, least, most = NUMBERS[key]

    def within(text: str) -> Any:
        value = read(text)
        if not least <= value <= most:
            raise ValueError(f"{key} is {text!r}; allowed: {least:g} to {most:g}")
        return value

    return _readable(annotations.get(PREFIX + key, ""), within, default)


def _rate(text: str) -> float:
    rate = fraction(text)
    if rate > 1:
        raise ValueError(f"{text!r} is no rate; allowed: 0% to 100%")
    return rate


def _duration(annotations: Mapping[str, str], key: str, default: float) -> float:
    return _readable(annotations.get(key, ""), duration_s, default)


def _readable(text: str, read: Callable[[str], Any], default: T) -> T:
    if not text:
        return default
    try:
        value: T = read(text)
    except ValueError:
        return default
    return value
