"""What a min-scale buys and costs, and what would be as warm for less.

Services with a min-scale are simulated again, over the days that are scored: as they are, without
it, and under plans that each change some settings of theirs.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.annotations import COLD_PRICE, MODE
from autoscaler.core.state.revision import Mode, Revision
from autoscaler.core.types import FloatArray, IntArray
from benchmarks.policies.policies import FULL, SWEEP, priced
from benchmarks.replay import MODEL, OnProgress, Replay
from benchmarks.simulator.parts import simulation_of
from benchmarks.simulator.settings import Settings, only, rows
from benchmarks.simulator.simulation import Policy

AS_IT_IS, WITHOUT = "as it is", "min-scale 0"
RETENTION_MINUTES = (5, 10, 20, 60)  # an hour is what Knative allows
LEAST_SAVED = 0.01  # of the pod-seconds, for a plan to be worth a change
CHUNKS = 50  # of the simulation, to show progress
PREFIX = "autoscaling.knative.dev/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one service under one plan, over what is scored."""

    cold: int  # requests
    pod_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Other settings of one service."""

    name: str
    annotations: Mapping[str, str]  # of its template, that are to be set
    outcome: Outcome
    forecasts: bool  # whether it needs kn-ahead

    def command(self, service: str, kubectl: Sequence[str]) -> str:
        """What sets them, for a shell. service: "namespace/service". kubectl: with its options."""
        namespace, _, name = service.partition("/")
        body = {"spec": {"template": {"metadata": {"annotations": dict(self.annotations)}}}}
        words = [*kubectl, "--namespace", namespace]
        words += ["patch", "services.serving.knative.dev", name, "--type", "merge"]
        return shlex.join([*words, "--patch", json.dumps(body, separators=(",", ":"))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A service that has a min-scale."""

    service: str
    row: int  # of the replay's services
    min_scale: int
    requests: int
    now: Outcome
    without: Outcome
    better: Plan | None  # the cheapest as warm; None = none is, or nobody called that would tell

    @property
    def spared(self) -> int:
        """Cold requests that it spares."""
        return self.without.cold - self.now.cold

    @property
    def cost_s(self) -> float:
        """Pod-seconds that it takes more."""
        return self.now.pod_s - self.without.pod_s

    @property
    def saved_s(self) -> float:
        """Pod-seconds less by the better plan; 0 = there is none."""
        return self.now.pod_s - self.better.outcome.pod_s if self.better else 0.0


def with_floor(replay: Replay) -> IntArray:
    """Rows of services that have a min-scale, each a setting of its own."""
    return np.asarray(np.flatnonzero(replay.configured.revision.min_scale >= 1))


def floors_of(replay: Replay, progress: OnProgress, *, processes: int = 1) -> list[Floor]:
    """Of a replay that was fitted; who would save most first."""
    services = with_floor(replay)
    if not len(services):
        return []
    own = only(replay.configured.revision, services)
    policies = _policies(own, replay.settings.price_s)
    requests, cold, pod_s = _simulated(replay, services, policies, progress, processes)
    found = []
    for i, row in enumerate(services):
        plans = _plans(i, own, policies, cold[:, i], pod_s[:, i])
        now, without = plans[0].outcome, plans[1].outcome
        found.append(
            Floor(
                service=replay.demand.services[row],
                row=int(row),
                min_scale=int(own.min_scale[i]),
                requests=int(requests[i]),
                now=now,
                without=without,
                better=_better(plans[1:], now) if requests[i] else None,
            )
        )
    return sorted(found, key=lambda floor: (-floor.saved_s, floor.service))


def _plans(
    i: int, own: Settings, policies: Sequence[Policy], cold: FloatArray, pod_s: FloatArray
) -> list[Plan]:
    """What each policy is for the i-th service. cold, pod_s: (n_policies,) its own."""
    (before,) = rows(only(own, np.array([i])), 1)
    found = []
    for policy, requests, seconds in zip(policies, cold, pod_s, strict=True):
        (after,) = rows(policy.only(np.array([i])).revision, 1)
        found.append(
            Plan(
                name=policy.name.format(min_scale=after.min_scale),
                annotations=changed(before, after),
                outcome=Outcome(cold=int(requests), pod_s=float(seconds)),
                forecasts=bool(policy.forecasts),
            )
        )
    return found


def changed(before: Revision, after: Revision) -> dict[str, str]:
    """Annotations that make the one of the other."""
    found = {}
    if after.min_scale != before.min_scale:
        found[f"{PREFIX}min-scale"] = str(after.min_scale)
    if after.retention_s != before.retention_s:
        found[f"{PREFIX}scale-to-zero-pod-retention-period"] = f"{after.retention_s:.0f}s"
    if after.mode != before.mode:
        price = f"{after.cold_price_s:.3f}".rstrip("0").rstrip(".")
        found |= {MODE: Mode(after.mode).name.lower(), COLD_PRICE: f"{price}s"}
    return found


def _policies(own: Settings, price_s: float) -> list[Policy]:
    """As it is, without a min-scale, then plans; those that are simplest first."""
    zero = replace(own, min_scale=0)
    smaller, floor = [], own.min_scale // 2
    while floor.max() >= 1:
        smaller.append(floor)
        floor = floor // 2
    if own.min_scale.max() >= 3:
        smaller.append(own.min_scale - 1)
    return [
        Policy(name=AS_IT_IS, revision=own),
        Policy(name=WITHOUT, revision=zero),
        *(
            Policy(name="min-scale {min_scale}", revision=replace(own, min_scale=least))
            for least in smaller
        ),
        *(
            Policy(
                name=f"{WITHOUT}, retention {m} min",
                revision=replace(zero, retention_s=np.maximum(own.retention_s, 60.0 * m)),
            )
            for m in RETENTION_MINUTES
        ),
        *(
            Policy(
                name=f"{WITHOUT}, {priced(FULL, part * price_s)}",
                revision=replace(zero, mode=Mode.FULL, cold_price_s=part * price_s),
                forecasts=MODEL,
            )
            for part in SWEEP
        ),
    ]


def _simulated(
    replay: Replay,
    services: IntArray,
    policies: Sequence[Policy],
    progress: OnProgress,
    processes: int,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Requests (n,); cold ones and pod-seconds (n_policies, n) of what is scored."""
    world, start = replay.world({}).only(services), float(replay.table.made_at_s[0])
    end = float(replay.table.made_at_s[-1]) + replay.settings.step_s
    begin = start + replay.settings.warm_up_s
    with closing(simulation_of(world, policies, start_s=start, processes=processes)) as simulation:
        simulation.run(begin)
        simulation.reset_counts()
        for share in np.linspace(0, 1, CHUNKS + 1)[1:]:
            simulation.run(begin + np.floor(share * (end - begin)))
            progress("replaying min-scales", float(share))
        counts = simulation.counts(("requests", "cold_from_zero", "cold_scale_out", "allocated_s"))
    cold = counts["cold_from_zero"] + counts["cold_scale_out"]
    return counts["requests"][0], cold.astype(np.float64), counts["allocated_s"]


def _better(plans: Sequence[Plan], now: Outcome) -> Plan | None:
    """The cheapest that is as warm, and saves enough; the simplest of equals."""
    enough = (1 - LEAST_SAVED) * now.pod_s
    as_warm = [p for p in plans if p.outcome.cold <= now.cold and p.outcome.pod_s < enough]
    return min(as_warm, key=lambda plan: plan.outcome.pod_s, default=None)
