"""What would have been gained, for how much, and for whom; with intervals.

Counts of each service and day are drawn anew with replacement, services and days both: other
services of the kind, on other days of the kind. Both policies see the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.policies.policies import ALWAYS, KPA, ORACLE, RETENTION
from benchmarks.replay import Replay
from benchmarks.scores.resampling import Estimate, interval, ratio, times_drawn

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One service under Knative as it is, and under kn-ahead."""

    service: str
    cold: int  # requests
    cold_ahead: int
    pod_s: float
    pod_s_ahead: float

    @property
    def loses(self) -> bool:
        """Whether more requests are cold, or as many for more pod-seconds."""
        more = self.cold_ahead - self.cold
        return more > 0 or (more == 0 and self.pod_s_ahead > 1.01 * self.pod_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """kn-ahead against Knative as it is, and against the cheapest setting that is as good."""

    policy: str  # of kn-ahead
    requests: int
    cold: int  # requests under Knative
    cold_ahead: int
    cold_foreseen: int  # by whoever knows each minute's peak in advance, with the same start-up
    served_warm: Estimate  # share of the cold requests
    more_pods: Estimate  # pod-seconds over Knative's, less one
    as_good: str  # the cheapest setting of Knative with no more cold requests; "" = none is
    as_good_more_pods: Estimate | None  # its pod-seconds over kn-ahead's, less one
    changes: tuple[Change, ...]  # of all services: who loses first, then who gains most


def verdict_of(replay: Replay, policy: str, requests: int) -> Verdict:
    """Of a replay that has run.

    policy: the name of one of kn-ahead's. requests: of all services, in what was scored.
    """
    names = [each.name for each in replay.simulation.policies]
    cold, pod_s = counts_by_day(replay)  # (n_policies, n_services, n_days)
    total_cold, total_pod_s = cold.sum(axis=(1, 2)), pod_s.sum(axis=(1, 2))
    knative, ours = names.index(KPA), names.index(policy)
    settings = [i for i, name in enumerate(names) if name.startswith(RETENTION) or name == ALWAYS]
    as_good = [i for i in settings if total_cold[i] <= total_cold[ours]]
    rival = min(as_good, key=lambda i: float(total_pod_s[i]), default=None)
    changes = changes_of(replay.demand.services, cold[[knative, ours]], pod_s[[knative, ours]])
    return Verdict(
        policy=policy,
        requests=requests,
        cold=int(total_cold[knative]),
        cold_ahead=int(total_cold[ours]),
        cold_foreseen=int(total_cold[names.index(ORACLE)]),
        served_warm=_less(cold[knative], cold[ours]),
        more_pods=more_of(pod_s[knative], pod_s[ours]),
        as_good="" if rival is None else names[rival],
        as_good_more_pods=None if rival is None else more_of(pod_s[ours], pod_s[rival]),
        changes=tuple(changes),
    )


def counts_by_day(replay: Replay) -> tuple[FloatArray, FloatArray]:
    """Cold requests and pod-seconds, (n_policies, n_services, n_days) each."""
    series, step_s = replay.series, replay.settings.step_s
    a_day = max(round(DAY_S / step_s), 1)
    begin = np.arange(0, series.cold.shape[1], a_day)
    shape = len(replay.simulation.policies), len(replay.demand.services), len(begin)
    cold = np.add.reduceat(series.cold, begin, axis=1, dtype=np.float64)
    pod_s = np.add.reduceat(series.pods, begin, axis=1, dtype=np.float64) * step_s
    return cold.reshape(shape), pod_s.reshape(shape)


def changes_of(services: Sequence[str], cold: FloatArray, pod_s: FloatArray) -> list[Change]:
    """Who loses first, the most before; then who gains. Arrays: (2, n_services, n_days)."""
    found = [
        Change(
            service=name,
            cold=int(cold[0, i].sum()),
            cold_ahead=int(cold[1, i].sum()),
            pod_s=float(pod_s[0, i].sum()),
            pod_s_ahead=float(pod_s[1, i].sum()),
        )
        for i, name in enumerate(services)
    ]
    return sorted(
        found,
        key=lambda c: (
            not c.loses,
            -abs(c.cold - c.cold_ahead),
            -abs(c.pod_s - c.pod_s_ahead),
            c.service,
        ),
    )


def _less(before: FloatArray, after: FloatArray) -> Estimate:
    """One less the ratio of two sums; (n_services, n_days) each."""
    more = more_of(before, after)
    return Estimate(value=-more.value, low=-more.high, high=-more.low)


def more_of(before: FloatArray, after: FloatArray) -> Estimate:
    """The ratio of two sums, less one; (n_services, n_days) each."""
    services, days = (times_drawn(n, seed) for seed, n in enumerate(before.shape))
    drawn = [((services @ each) * days).sum(axis=1) for each in (after, before)]
    low, high = interval(ratio(*drawn) - 1)
    value = ratio(after.sum(), before.sum()) - 1
    return Estimate(value=float(value), low=low, high=high)
