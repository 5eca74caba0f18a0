"""The policies that a replay compares: KPA, KPA with common settings, kn-ahead, an oracle."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode, Revision
from benchmarks.simulator.settings import Configured, Settings
from benchmarks.simulator.simulation import Policy

KPA = "Knative (KPA)"
OUTWARD = "kn-ahead outward"
FULL = "kn-ahead full"
RETENTION = "KPA, retention"
ALWAYS = "KPA, min-scale 1"
ORACLE = "oracle"
COPY = "as a week ago"
KEEP_ALIVE_MINUTES = (5, 10, 20)
SWEEP = (1 / 30, 1 / 10, 1 / 3, 1.0, 3.0, 10.0)  # factors on the price asked for
UTILISATION = 0.7  # Knative's container-concurrency-target-percentage
SOFT_LIMIT = 100.0  # Knative's container-concurrency-target-default, where pods have no limit


def priced(name: str, price_s: float) -> str:
    """The name of a kn-ahead policy at a price."""
    return f"{name} @ {price_s:g} s"


def pod_capacity(concurrency: int) -> float:
    """Requests in flight that a pod takes; Knative's soft limit where ``concurrency`` is 0."""
    return float(concurrency) or SOFT_LIMIT


def revision(concurrency: int, start_up_s: float, drain_s: float) -> Revision:
    """Knative's defaults for a service whose pods take ``concurrency`` requests (0 = no limit).

    start_up_s: from creating a pod until it is ready. drain_s: from letting it go until it is gone.
    """
    total = pod_capacity(concurrency)
    return replace(
        KNATIVE_DEFAULTS,
        total=total,
        target=max(0.01, total * UTILISATION),
        pod_capacity=total,
        lead_s=start_up_s,
        drain_s=drain_s,
        mode=Mode.OFF,
    )


def configured(concurrency: int, start_up_s: float, drain_s: float) -> Configured:
    """All services alike: see `revision`."""
    return Configured(revision=revision(concurrency, start_up_s, drain_s), concurrency=concurrency)


def baselines(base: Settings, minutes: Sequence[int] = KEEP_ALIVE_MINUTES) -> list[Policy]:
    """KPA, KPA that retains its last pod for some minutes, and KPA that never goes to zero.

    base: what services are set to; a policy never lowers what it changes.
    """
    retention = [
        Policy(
            name=f"{RETENTION} {m} min",
            revision=replace(base, retention_s=np.maximum(base.retention_s, 60.0 * m)),
        )
        for m in minutes
    ]
    always = Policy(name=ALWAYS, revision=replace(base, min_scale=np.maximum(base.min_scale, 1)))
    return [Policy(name=KPA, revision=base), *retention, always]


def ours(
    base: Settings, price_s: float, table: str, swept: Sequence[str] = (OUTWARD, FULL)
) -> list[Policy]:
    """kn-ahead in both modes at a price; in some of them over a sweep of prices around it."""
    modes = {OUTWARD: Mode.OUTWARD, FULL: Mode.FULL}
    return [
        Policy(
            name=priced(name, part * price_s),
            revision=replace(base, mode=mode, cold_price_s=part * price_s),
            forecasts=table,
        )
        for name, mode in modes.items()
        for part in (SWEEP if name in swept else (1.0,))
    ]


def copy(base: Settings, table: str) -> Policy:
    """Forecasts that each minute is as a week ago; decisions, start-up and steps as kn-ahead."""
    return Policy(name=COPY, revision=replace(base, mode=Mode.FULL), forecasts=table)


def oracle(base: Settings, table: str) -> Policy:
    """Forecasts with each step's true peak; decisions, start-up and steps as kn-ahead."""
    return Policy(name=ORACLE, revision=replace(base, mode=Mode.FULL), forecasts=table)
