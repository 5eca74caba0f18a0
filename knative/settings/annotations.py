"""A revision's settings: its annotations over the cluster's config.

What cannot be read counts as not set, as in Knative, whose webhook refuses it before.
Source: knative/serving pkg/apis/autoscaling/v1alpha1/pa_lifecycle.go,
pkg/reconciler/autoscaling/{resources,kpa/resources}.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from autoscaler.annotations import COLD_PRICE, MODE
from autoscaler.core.state.revision import Metric, Mode, Revision, Spec
from knative.mirror.annotation_names import PREFIX, PROGRESS_DEADLINE
from knative.mirror.objects import PodAutoscaler
from knative.settings.cluster import MODES, ClusterConfig
from knative.settings.quantities import LARGEST, duration_s, integer, number

T = TypeVar("T")
# Where Knative's webhook is not asked, a value out of these would reach us: it counts as not set.
RANGES: Mapping[str, tuple[float, float]] = {
    "window": (6, 3600),
    "panic-window-percentage": (1, 100),
    "panic-threshold-percentage": (110, 1000),
    "target": (0.01, LARGEST),
    "target-utilization-percentage": (1, 100),
    "target-burst-capacity": (-1, LARGEST),
    "initial-scale": (0, np.inf),
    "activation-scale": (0, np.inf),
    "min-scale": (0, np.inf),
    "max-scale": (0, np.inf),
    "scale-down-delay": (0, 3600),
    "scale-to-zero-pod-retention-period": (0, 3600),
}
RPS_UTILISATION = 0.7  # a constant of Knative's
ACTIVATION_SLACK_S = 30.0  # beyond the progress deadline, before activating is given up


def revision_of(
    pa: PodAutoscaler,
    config: ClusterConfig,
    *,
    progress_deadline_s: float,
    lead_s: Callable[[float], float],
    share: float = 1.0,
) -> Revision:
    """What is asked for a revision.

    progress_deadline_s: config-deployment's. lead_s: start-up time, by the price of a cold request.
    share: of its service's traffic.
    """
    said = pa.annotations
    rps = said.get(f"{PREFIX}metric") == "rps"
    total, target = _load(pa, config, rps=rps)
    stable = _number(said, "window", duration_s, config.stable_window)
    panic = stable * _number(
        said, "panic-window-percentage", number, config.panic_window_percentage
    )
    burst = _number(said, "target-burst-capacity", number, config.target_burst_capacity)
    threshold = _number(
        said, "panic-threshold-percentage", number, config.panic_threshold_percentage
    )
    initial = _number(said, "initial-scale", integer, config.initial_scale)
    if initial == 0 and not config.allow_zero_initial_scale:
        initial = config.initial_scale
    deadline = _duration(said, PROGRESS_DEADLINE, progress_deadline_s)
    price_s = _duration(said, COLD_PRICE, config.cold_price)
    algorithm = said.get(f"{PREFIX}metric-aggregation-algorithm", "linear")
    return Spec(
        stable_window_s=int(stable),
        panic_window_s=max(1, int(np.floor(panic / 100 + 0.5))),
        metric=Metric.RPS if rps else Metric.CONCURRENCY,
        weighted_exponential=algorithm in ("weighted-exponential", "weightedExponential"),
        has_scrape_target=burst != -1,
        total=total,
        target=target,
        pod_capacity=float(pa.concurrency) or config.container_concurrency_target_default,
        target_burst_capacity=burst,
        panic_threshold=threshold / 100,
        max_scale_up_rate=config.max_scale_up_rate,
        max_scale_down_rate=config.max_scale_down_rate,
        scale_down_delay_s=_number(said, "scale-down-delay", duration_s, config.scale_down_delay),
        activation_scale=_number(said, "activation-scale", integer, 0),
        min_scale=_number(said, "min-scale", integer, config.min_scale),
        max_scale=_number(said, "max-scale", integer, config.max_scale),
        initial_scale=initial,
        reachable=pa.reachability != "Unreachable",
        enable_scale_to_zero=config.enable_scale_to_zero,
        grace_s=config.scale_to_zero_grace_period,
        retention_s=_number(
            said,
            "scale-to-zero-pod-retention-period",
            duration_s,
            config.scale_to_zero_pod_retention_period,
        ),
        activation_timeout_s=deadline + ACTIVATION_SLACK_S,
        activator_capacity=config.activator_capacity,
        mode=_mode(said, config.mode),
        lead_s=lead_s(price_s),
        cold_price_s=price_s,
        share=share,
    )


def _load(pa: PodAutoscaler, config: ClusterConfig, *, rps: bool) -> tuple[float, float]:
    """What a pod takes at most, and what it shall take."""
    total = config.requests_per_second_target_default
    usage = RPS_UTILISATION
    if not rps:
        total = float(pa.concurrency) or config.container_concurrency_target_default
        usage = config.container_concurrency_target_percentage
    asked = _number(pa.annotations, "target", number, 0.0)
    if asked > 0:
        total = min(asked, total) if pa.concurrency and not rps else asked
    usage = _number(pa.annotations, "target-utilization-percentage", number, usage * 100) / 100
    return total, max(0.01, total * usage)


def _mode(said: Mapping[str, str], default: Mode) -> Mode:
    text = said.get(MODE, "")
    return Mode[text.upper()] if text in MODES else default


def _number(said: Mapping[str, str], key: str, read: Callable[[str], Any], default: T) -> T:
    least, most = RANGES[key]

    def within(text: str) -> Any:
        value = read(text)
        if not least <= value <= most:
            raise ValueError(f"{key} is {text!r}; allowed: {least:g} to {most:g}")
        return value

    return _readable(said.get(PREFIX + key, ""), within, default)


def _duration(said: Mapping[str, str], key: str, default: float) -> float:
    return _readable(said.get(key, ""), duration_s, default)


def _readable(text: str, read: Callable[[str], Any], default: T) -> T:
    if not text:
        return default
    try:
        value: T = read(text)
    except ValueError:
        return default
    return value
