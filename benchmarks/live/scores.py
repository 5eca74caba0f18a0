"""What each policy let wait and what its pods cost, beside Knative's rule, round by round.

Intervals are of 95 %, by the bootstrap over rounds: the same rounds for both that are compared.
Quantiles of latencies are exact: all are at hand, so that a histogram would only lose digits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.live.copies import Copy, Span
from benchmarks.live.kinds import Kind
from benchmarks.live.load import Answer
from benchmarks.live.outcome import Outcome, Outcomes
from benchmarks.live.pods import PodTimes, pod_seconds, started
from benchmarks.live.policies import Policy
from benchmarks.scores.resampling import Estimate, interval, ratio, resampled

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of P policies, the first of which is Knative's, K kinds of traffic and R rounds."""

    policies: tuple[Policy, ...]
    kinds: tuple[Kind, ...]
    outcomes: dict[Outcome, FloatArray]  # each (P, K, R) requests
    pod_s: FloatArray  # (P, K, R) from creation to gone
    starts: FloatArray  # (P, K, R) pods that were made
    latency_s: tuple[tuple[FloatArray, ...], ...]  # P times K times (n,), from the intended time

    @property
    def requests(self) -> FloatArray:
        """(P, K, R)."""
        return np.asarray(sum(self.outcomes.values()))

    @property
    def cold(self) -> FloatArray:
        """(P, K, R) requests that found no pod ready: those not answered among them."""
        return self.requests - self.outcomes[Outcome.WARM]


def counted(
    copies: Sequence[Copy],
    answers: Sequence[Answer],
    pods: Sequence[PodTimes],
    span: Span,
    begin_s: float,
) -> Counts:
    """Count what fell into rounds. begin_s: Unix s of the schedule's beginning."""
    policies = tuple(dict.fromkeys(copy.policy for copy in copies))
    kinds = tuple(dict.fromkeys(copy.kind for copy in copies))
    shape = (len(policies), len(kinds), span.rounds)
    outcomes = {outcome: np.zeros(shape) for outcome in Outcome}
    pod_s, starts = np.zeros(shape), np.zeros(shape)
    latencies: dict[tuple[int, int], list[float]] = {}
    judged = Outcomes(pods)
    place = [(policies.index(copy.policy), kinds.index(copy.kind)) for copy in copies]
    edges_s = [begin_s + span.edges_s(copy) for copy in copies]
    for answer in answers:
        i = answer.copy
        turn = int(np.searchsorted(edges_s[i], answer.intended_s, side="right")) - 1
        if 0 <= turn < span.rounds:
            outcomes[judged.of(answer, copies[i].revisions)][(*place[i], turn)] += 1
            latencies.setdefault(place[i], []).append(answer.latency_s)
    for copy, edges, where in zip(copies, edges_s, place, strict=True):
        own = [pod for pod in pods if pod.revision in copy.revisions]
        pod_s[where], starts[where] = pod_seconds(own, edges), started(own, edges)
    return Counts(
        policies=policies,
        kinds=kinds,
        outcomes=outcomes,
        pod_s=pod_s,
        starts=starts,
        latency_s=tuple(
            tuple(np.array(latencies.get((p, k), [])) for k in range(len(kinds)))
            for p in range(len(policies))
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of one policy over some kinds of traffic."""

    policy: Policy
    requests: int
    outcomes: dict[Outcome, int]
    pod_s: float
    starts: int
    gone: Estimate  # share of the cold requests of Knative's rule that it spares
    pods: Estimate  # its pod-seconds over those of Knative's rule
    latency_s: FloatArray  # (len(QUANTILES),)

    @property
    def cold(self) -> int:
        """Requests that found no pod ready."""
        return self.requests - self.outcomes[Outcome.WARM]


def scores(counts: Counts, kinds: Collection[Kind]) -> list[Score]:
    """Of all policies, over these kinds together."""
    some = [k for k, kind in enumerate(counts.kinds) if kind in kinds]
    cold, pod_s = _of(counts.cold, some), _of(counts.pod_s, some)  # (P, R)
    gone, pods = _compared(cold, pod_s)
    found = []
    for p, policy in enumerate(counts.policies):
        latency_s = np.concatenate([np.empty(0), *(counts.latency_s[p][k] for k in some)])
        found.append(
            Score(
                policy=policy,
                requests=int(_of(counts.requests, some)[p].sum()),
                outcomes={o: int(_of(n, some)[p].sum()) for o, n in counts.outcomes.items()},
                pod_s=float(pod_s[p].sum()),
                starts=int(_of(counts.starts, some)[p].sum()),
                gone=gone[p],
                pods=pods[p],
                latency_s=(
                    np.quantile(latency_s, QUANTILES)
                    if len(latency_s)
                    else np.full(len(QUANTILES), np.nan)
                ),
            )
        )
    return found


def _of(values: FloatArray, some: Sequence[int]) -> FloatArray:
    """(P, R) sums over some kinds."""
    return np.asarray(values[:, some].sum(axis=1))


def _compared(cold: FloatArray, pod_s: FloatArray) -> tuple[list[Estimate], list[Estimate]]:
    """The share of cold requests that is gone, and pod-seconds as a multiple, of each policy."""
    both = []
    for values, of in ((cold, _gone), (pod_s, ratio)):
        total, drawn = values.sum(axis=1), resampled(values)
        both.append(
            [
                Estimate(
                    value=float(of(total[p], total[0])),
                    low=(bounds := interval(of(drawn[p], drawn[0])))[0],
                    high=bounds[1],
                )
                for p in range(len(values))
            ]
        )
    return both[0], both[1]


def _gone(cold: FloatArray, before: FloatArray) -> FloatArray:
    return 1 - ratio(cold, before)


# --- at equal pod-seconds -------------------------------------------------------------------------


def gone_at(counts: Counts, kinds: Collection[Kind], budget: float) -> Estimate:
    """Share of cold requests that is gone for at most `budget` times Knative's pod-seconds.

    Between Knative's rule and the prices of mode full, and between one price and the next, by a
    straight line: as much as by one price for some services, and the next one for the others. NaN
    where no price was asked for.
    """
    some = [k for k, kind in enumerate(counts.kinds) if kind in kinds]
    ours = [0, *(p for p, policy in enumerate(counts.policies) if policy.mode == "full")]
    if len(ours) == 1:
        return Estimate(value=np.nan, low=np.nan, high=np.nan)
    cold, pod_s = _of(counts.cold, some)[ours], _of(counts.pod_s, some)[ours]
    total = on_curve(_gone(cold.sum(axis=1), cold[0].sum()), *_more(pod_s.sum(axis=1)), budget)
    drawn_cold, drawn_pods = resampled(cold).T, resampled(pod_s).T  # (draws, P)
    drawn = np.array(
        [
            on_curve(_gone(c, c[0]), *_more(s), budget)
            for c, s in zip(drawn_cold, drawn_pods, strict=True)
        ]
    )
    low, high = interval(drawn)
    return Estimate(value=total, low=low, high=high)


def _more(pod_s: FloatArray) -> tuple[FloatArray]:
    return (np.asarray(ratio(pod_s, pod_s[0])),)


def on_curve(gone: FloatArray, pods: FloatArray, budget: float) -> float:
    """The most that is gone within a budget, on the upper hull of points (n,).

    >>> on_curve(np.array([0.0, 0.6, 0.8]), np.array([1.0, 1.2, 1.4]), 1.3)
    0.7
    >>> on_curve(np.array([0.0, 0.6]), np.array([1.0, 1.2]), 0.9)
    nan
    """
    within = [(float(s), float(g)) for s, g in zip(pods, gone, strict=True) if s <= budget]
    beyond = [(float(s), float(g)) for s, g in zip(pods, gone, strict=True) if s > budget]
    values = [g for _, g in within]
    values += [
        low + (budget - few) / (many - few) * (high - low)
        for few, low in within
        for many, high in beyond
    ]
    return round(max(values, default=np.nan), 9)
