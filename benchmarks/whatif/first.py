"""A first, rough answer while the rest is still being read: some services, the last days."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from autoscaler.core.types import IntArray
from benchmarks.policies.policies import FULL, KPA, priced
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.simulator.parts import simulation_of
from benchmarks.traces.trace import Trace
from benchmarks.whatif.past import DAY_S, span
from benchmarks.whatif.run import with_prior
from learner.settings import LearnerSettings
from learner.sources.request_reader import PastRequests

SERVICES = 48  # that are looked at, of those called
SCORED_S = 14_400.0
QUICK = LearnerSettings(max_rows=5_000, rounds=40)


def first_look(recent: PastRequests, settings: ReplaySettings) -> str:
    """What comes out of a few services, in a sentence; "" where that says nothing.

    settings: what is scored, and how; but for what a fit may cost.
    """
    called = np.flatnonzero(recent.counts.sum(axis=1) > 0)
    if len(called) <= SERVICES:
        return ""  # all of them are as soon told
    chosen = _from_rare_to_busy(recent.counts[called].sum(axis=1), called)
    trace = Trace(
        services=tuple(recent.services[row] for row in chosen),
        start_s=recent.start_s,
        step_s=recent.step_s,
        counts=recent.counts[chosen],
        duration_s=recent.duration_s[chosen],
        kind="counts",
    )
    quick = replace(settings, learner=QUICK)
    replay = Replay(trace, quick)
    replay.fit(model=with_prior(quick))
    cold, pod_s = _under((KPA, priced(FULL, settings.price_s)), replay)
    if not cold[0]:
        return ""
    warm, more = 1 - cold[1] / cold[0], pod_s[1] / max(pod_s[0], 1.0) - 1
    return (
        f"At a first look, kn-ahead would have served about {max(warm, 0.0):.0%} of {cold[0]:,.0f}"
        f" cold requests warm, for {abs(more):.0%} {'more' if more > 0 else 'fewer'} pod-hours:"
        f" {len(chosen)} of {len(called)} services, learned from {span(_learned_days(replay))},"
        f" {span((recent.end_s - quick.fit_until_s) / DAY_S)} scored. All of it follows."
    )


def _from_rare_to_busy(requests: Sequence[float], rows: IntArray) -> IntArray:
    """`SERVICES` of the rows, evenly spaced by how often they were called."""
    order = np.argsort(requests, kind="stable")
    places = np.linspace(0, len(order) - 1, SERVICES).round().astype(np.int64)
    return np.sort(rows[order[places]])


def _under(names: tuple[str, ...], replay: Replay) -> tuple[list[float], list[float]]:
    """Cold requests and pod-seconds of all services under some policies, warm-up left out."""
    policies = [policy for policy in replay.policies() if policy.name in names]
    start, end = float(replay.table.made_at_s[0]), replay.demand.end_s
    with closing(simulation_of(replay.world({}), policies, start_s=start)) as simulation:
        simulation.run(start + replay.settings.warm_up_s)
        simulation.reset_counts()
        simulation.run(end)
        counts = simulation.counts(("cold_from_zero", "cold_scale_out", "allocated_s"))
    cold = counts["cold_from_zero"] + counts["cold_scale_out"]
    return cold.sum(axis=1).tolist(), counts["allocated_s"].sum(axis=1).tolist()


def _learned_days(replay: Replay) -> float:
    return replay.first * replay.settings.step_s / DAY_S
