"""How many starts a second the cluster takes, and how long callers wait then.

Services at zero, each called once, at a rate that grows. Where the cluster is no longer able to
follow, pods become ready at a lower rate than they were asked for, and waits grow with time.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.clock import Clock, SystemClock
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from benchmarks.live.cluster import Cluster
from benchmarks.live.copies import Copy, Schedule
from benchmarks.live.kinds import Kind
from benchmarks.live.load import Answer, offer
from benchmarks.live.outcome import Outcome, Outcomes
from benchmarks.live.pods import PodLog, PodTimes, follow
from benchmarks.live.policies import KNATIVE, policy_of
from benchmarks.live.run import (
    TIMEOUT_S,
    Asked,
    OnProgress,
    connected,
    deploy,
    ended,
    taken_away,
    targets_of,
)
from benchmarks.live.services import SELECTOR
from benchmarks.report.page import Section

HELD_S = 5.0  # that each rate is kept up
SATURATED = 0.8  # of the rate asked for; below it the cluster does not follow
ZERO_S = 240.0  # until all services are at zero again, at most
LOOK_S = 1.0
MOST = 100  # services
START_S = 1.0  # that their containers take
COLUMNS = ("starts a second asked for", "calls", "cold", "reached", "wait p50", "p95", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What came of one rate."""

    asked: float  # starts a second
    calls: int
    cold: int
    failed: int  # or timed out
    reached: float  # pods that became ready a second; NaN = fewer than two did
    wait_s: FloatArray  # (cold,) from when a call was meant to be sent

    @property
    def saturated(self) -> bool:
        """Whether the cluster did not follow."""
        return bool(self.failed) or not self.reached >= SATURATED * self.asked


def rates_of(text: str) -> tuple[float, ...]:
    """Read rates, starts a second, as "0.5,1,2". Raises PermanentError."""
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < np.inf for rate in rates):
        raise PermanentError(f"starts {text!r} are no rates; allowed: starts a second, as 1,2,4")
    return rates


def calls_at(rate: float) -> int:
    """How many services a rate needs. Raises PermanentError where there would be too many.

    >>> calls_at(0.2), calls_at(4.0)
    (2, 20)
    """
    n = max(int(rate * HELD_S), 2)
    if n > MOST:
        raise PermanentError(
            f"start rate {rate:g} needs {n} services; allowed: up to {MOST / HELD_S:g} a second"
        )
    return n


def rated(
    rate: float, answers: Iterable[Answer], pods: Sequence[PodTimes], copies: Sequence[Copy]
) -> Rate:
    """Judge what came of a rate. pods: all that were seen."""
    judged, found = Outcomes(pods), list(answers)
    outcomes = [judged.of(answer, copies[answer.copy].revisions) for answer in found]
    cold = [a for a, o in zip(found, outcomes, strict=True) if o == Outcome.WAITED]
    begin_s = min((answer.intended_s for answer in found), default=np.inf)
    ready = sorted(pod.ready_s for pod in pods if begin_s <= pod.ready_s < np.inf)
    took_s = ready[-1] - ready[0] if len(ready) > 1 else np.nan
    return Rate(
        asked=rate,
        calls=len(found),
        cold=len(cold),
        failed=sum(outcome in (Outcome.FAILED, Outcome.TIMED_OUT) for outcome in outcomes),
        reached=(len(ready) - 1) / took_s if took_s > 0 else np.nan,
        wait_s=np.array([answer.latency_s for answer in cold]),
    )


async def sweep(
    asked: Asked, rates: Sequence[float], show: OnProgress, clock: Clock | None = None
) -> list[Rate]:
    """Try each rate, the least first, until one is not followed. Raises PermanentError."""
    clock = clock or SystemClock()
    most = max(calls_at(rate) for rate in rates)
    copies = copies_to_start(most)
    async with connected(asked.context, asked.kubeconfig, asked.namespace) as cluster:
        await cluster.check()
        async with taken_away(cluster, show):
            log = PodLog()
            watching = asyncio.create_task(follow(cluster.api, cluster.pods, SELECTOR, log, clock))
            try:
                await deploy(asked, cluster, copies, show)
                return await _rates(asked, cluster, copies, sorted(rates), log, show, clock)
            finally:
                await ended(watching)


def copies_to_start(n: int) -> tuple[Copy, ...]:
    """So many services, each to be called once."""
    return tuple(
        Copy(
            kind=Kind(name=f"start{i}", law=_once, meaning="once", start_s=START_S),
            policy=policy_of(KNATIVE),
            shift_s=0.0,
        )
        for i in range(n)
    )


def _once(_: np.random.Generator, until_s: float) -> FloatArray:
    return np.array([0.0])[: int(until_s > 0)]


async def _rates(
    asked: Asked,
    cluster: Cluster,
    copies: Sequence[Copy],
    rates: Sequence[float],
    log: PodLog,
    show: OnProgress,
    clock: Clock,
) -> list[Rate]:
    targets = await targets_of(asked, cluster, copies)
    found: list[Rate] = []
    for rate in rates:
        await _at_zero(log, show, clock)
        n, answers = calls_at(rate), list[Answer]()
        show(f"{rate:g} starts a second", 0.0)
        schedule = Schedule(at_s=np.arange(n) / rate, copy=np.arange(n))
        begin_s = clock.now() + LOOK_S
        await offer(
            schedule, targets, begin_s=begin_s, timeout_s=TIMEOUT_S, clock=clock,
            tell=answers.append,
        )  # fmt: skip
        await asyncio.sleep(LOOK_S)  # the watch may be behind what is answered
        found.append(rated(rate, answers, log.pods(), copies))
        if found[-1].saturated:
            break
    return found


async def _at_zero(log: PodLog, show: OnProgress, clock: Clock) -> None:
    """Wait until no pod is there. Raises PermanentError."""
    begin_s = clock.now()
    while there := sum(pod.gone_s == np.inf for pod in log.pods()):
        show("waiting for services at zero", 0.0)
        if clock.now() - begin_s > ZERO_S:
            raise PermanentError(f"{there} pods are still there after {ZERO_S:g} s; allowed: none")
        await asyncio.sleep(LOOK_S)


def section(rates: Sequence[Rate]) -> Section:
    """As a table."""
    rows = tuple(
        (
            f"{rate.asked:g}",
            f"{rate.calls}",
            f"{rate.cold}",
            _reached(rate),
            *_waits(rate.wait_s),
            f"{rate.failed}",
        )
        for rate in rates
    )
    return Section("Services started by one call each", COLUMNS, rows)


def write_json(asked: Asked, rates: Sequence[Rate], path: Path) -> None:
    """Write what came of each rate, and how it was measured. Raises PermanentError."""
    with whole_file(path) as file:
        file.write(dumps(as_json(asked, rates), indent=1, allow_nan=False).encode())


def as_json(asked: Asked, rates: Sequence[Rate]) -> dict[str, Any]:
    """Rates, starts a second, with each cold call's wait; null = not known."""
    return {
        "context": asked.context,
        "namespace": asked.namespace,
        "image": asked.image,
        "container_start_s": START_S,
        "held_s": HELD_S,
        "verdict": verdict(rates),
        "rates": [
            {
                "asked": rate.asked,
                "calls": rate.calls,
                "cold": rate.cold,
                "failed": rate.failed,
                "reached": rate.reached if np.isfinite(rate.reached) else None,
                "saturated": rate.saturated,
                "wait_s": rate.wait_s.tolist(),
            }
            for rate in rates
        ],
    }


def _reached(rate: Rate) -> str:
    return "none" if np.isnan(rate.reached) else f"{rate.reached:.1f}"


def _waits(wait_s: FloatArray) -> tuple[str, str]:
    if not len(wait_s):
        return "none", "none"
    p50, p95 = np.quantile(wait_s, (0.5, 0.95))
    return f"{p50:.2f} s", f"{p95:.2f} s"


def verdict(rates: Sequence[Rate]) -> str:
    """What a reader should remember."""
    followed = [rate.asked for rate in rates if not rate.saturated]
    most = f"The cluster followed up to {max(followed):g} starts a second" if followed else ""
    beyond = [rate for rate in rates if rate.saturated]
    if not beyond:
        return f"{most}, the most that was asked for."
    at = f"at {beyond[0].asked:g} it reached {_reached(beyond[0])}"
    return f"{most}; {at}." if most else f"The cluster followed no rate: {at}."
