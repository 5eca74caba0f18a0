"""Simulates days of a shop, with and without edges that were learned from earlier days."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, Origin, merged
from autoscaler.core.state.revision import Mode, Revision
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.dependencies.synthetic_shops import ShopScenario
from benchmarks.policies.policies import revision
from benchmarks.scores.edge_score import transitive_closure
from benchmarks.simulator.calls import START_S, CallSimulation, Shop
from learner.demand import Demand
from learner.dependencies.busy_periods import busy_periods_of
from learner.dependencies.counts.edges import edges_from_counts
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import Evidence, added, gather

HALF_LIFE_S = 7 * 86_400.0  # of evidence
STEP_S = 60.0  # of counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A simulated day."""

    scenario: ShopScenario
    simulation: CallSimulation
    begin_s: float  # Unix s
    n_requests: int


def settings(shop: Shop, *, price_s: float = 600.0) -> Revision:
    """Knative's defaults, with pods added for upstream demand at a price."""
    base = revision(shop.slots, shop.start_up_s, shop.drain_s)
    return replace(base, mode=Mode.OUTWARD, cold_price_s=price_s)


def simulate(
    scenario: ShopScenario, edges: Edges | None, *, day: int, seed: int, price_s: float = 600.0
) -> Day:
    """Simulate a day. edges: None = Knative. The same day and seed give the same requests."""
    begin_s = START_S + day * scenario.day_s
    simulation = CallSimulation(
        scenario.shop,
        settings(scenario.shop, price_s=price_s),
        edges,
        seed=1000 * seed + day,
        start_s=begin_s,
    )
    arrivals = scenario.draw_arrivals(np.random.default_rng((seed, day)))
    simulation.run(arrivals, scenario.day_s)
    return Day(scenario=scenario, simulation=simulation, begin_s=begin_s, n_requests=len(arrivals))


def learn(day: Day, before: Evidence | None = None) -> tuple[Edges, Evidence]:
    """Edges and evidence of a day, added to the evidence of earlier days."""
    log, names = day.simulation.log(), day.scenario.shop.names
    until_s = day.begin_s + day.scenario.day_s
    busy = busy_periods_of(names, log.service, log.at_s, since_s=day.begin_s, until_s=until_s)
    evidence = gather(busy)
    if before is not None:
        evidence = added(before, evidence, half_life_s=HALF_LIFE_S)
    return merged(edges_from_starts(evidence), edges_from_counts(_demand(day))), evidence


def _demand(day: Day) -> Demand:
    log, n = day.simulation.log(), len(day.scenario.shop.services)
    n_steps = int(day.scenario.day_s // STEP_S)
    step = ((log.at_s - day.begin_s) / STEP_S).astype(np.int64)
    inside = step < n_steps
    key = log.service[inside] * n_steps + step[inside]
    counts = np.bincount(key, minlength=n * n_steps).reshape(n, n_steps).astype(np.float64)
    return Demand(
        services=day.scenario.shop.names,
        start_s=day.begin_s,
        step_s=STEP_S,
        arrivals=counts,
        peak=counts,
        capacity=np.ones(n),
    )


def reachability(shop: Shop) -> BoolArray:
    """(n, n) services that a call of a service may reach, directly or not."""
    n = len(shop.services)
    calls = np.zeros((n, n), dtype=np.bool_)
    for up, service in enumerate(shop.services):
        calls[up, [call.to for call in service.calls]] = True
    return transitive_closure(calls)


def false_edges(shop: Shop, *, confidence: float) -> Edges:
    """Edges from each service of the first half to one of the second; all of them false."""
    pairs = len(shop.services) // 2
    one = np.ones(pairs)
    return Edges(
        services=shop.names,
        upstream=np.arange(pairs),
        downstream=np.arange(pairs) + pairs,
        lag_s=3.0 * one,
        gain=one,
        probability=one,
        confidence=confidence * one,
        evidence=one,
        seen_at_s=one,
        direct=one > 0,
        origin=np.full(pairs, Origin.LEARNED_STARTS, dtype=np.int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Latency of the users' requests, and pods."""

    scenario: str
    policy: str
    requests: int
    end_to_end_s: dict[str, float]  # p50, p95, max, of requests: until the last call is answered
    calls: int
    wait_s: dict[str, float]  # p50, p95, max, of calls
    cold: int  # calls that waited for a pod that was not ready when they came
    cold_s: float  # s that they waited, summed
    pods_started: int
    pods_unused: int  # ended without a request
    pod_s: float  # pod-seconds from creation to gone
    work_s: float  # s of work, without waits and calls


def outcome(days: Sequence[Day], name: str, policy: str, services: Sequence[int] = ()) -> Outcome:
    """The outcome of several days. services: those included; all by default."""
    chosen = services or range(len(days[0].scenario.shop.services))
    work_of = np.array([service.work_s for service in days[0].scenario.shop.services])
    durations, wait, cold, work_s = [], [], [], 0.0
    for day in days:
        log = day.simulation.log()
        mine = np.isin(log.service, chosen)
        work_s += float(work_of[log.service[mine]].sum())
        durations.append(_request_durations(log.request[mine], log.at_s[mine], log.done_s[mine]))
        wait.append(log.wait_s[mine])
        cold.append(log.cold[mine])
    waits, colds = np.concatenate(wait), np.concatenate(cold)
    pods = [day.simulation.pods[i] for day in days for i in chosen]
    return Outcome(
        scenario=name,
        policy=policy,
        requests=sum(len(some) for some in durations),
        end_to_end_s=_quantiles(np.concatenate(durations)),
        calls=len(waits),
        wait_s=_quantiles(waits),
        cold=int(colds.sum()),
        cold_s=float(np.nansum(waits[colds])),
        pods_started=sum(p.started for p in pods),
        pods_unused=sum(p.unused for p in pods),
        pod_s=sum(p.pod_s()[0] for p in pods),
        work_s=work_s,
    )


def _request_durations(request: IntArray, at_s: FloatArray, done_s: FloatArray) -> FloatArray:
    """(n_requests,) s from the first call of a request until its last one is answered."""
    _, place = np.unique(request, return_inverse=True)
    begin = np.full(place.max(initial=-1) + 1, np.inf)
    end = np.full(len(begin), -np.inf)
    np.minimum.at(begin, place, at_s)
    np.maximum.at(end, place, np.where(np.isnan(done_s), np.inf, done_s))
    return end - begin


def _quantiles(values: FloatArray) -> dict[str, float]:
    some = np.nan_to_num(values, nan=np.inf)
    return {
        "p50": float(np.quantile(some, 0.5, method="higher")),
        "p95": float(np.quantile(some, 0.95, method="higher")),
        "max": float(some.max()),
    }
