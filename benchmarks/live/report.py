"""What a run found: as tables, as a page with pods and requests over time, and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.files import whole_file
from benchmarks.live.cluster import Images
from benchmarks.live.kinds import Kind
from benchmarks.live.outcome import Outcome, Outcomes
from benchmarks.live.pods import pod_seconds
from benchmarks.live.policies import KNATIVE
from benchmarks.live.run import Run
from benchmarks.live.scores import QUANTILES, Counts, Score, counted, gone_at, scores
from benchmarks.report.figures import Curve, Timeline
from benchmarks.report.page import Report, Section
from benchmarks.scores.resampling import Estimate

BUDGETS = (1.0, 1.2, 1.5, 2.0)  # times Knative's pod-seconds
STEP_S = 5.0  # of the drawn timelines
COLUMNS = ("policy", "cold", "gone", "pod-s", "times Knative's", "starts")
PARTS = ("scheduled", "started", "ready", "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run, and what was counted of it."""

    run: Run
    counts: Counts

    @classmethod
    def of(cls, run: Run) -> "Found":
        """Count a run."""
        return cls(
            run=run,
            counts=counted(run.copies, run.answers, run.pods, run.asked.span, run.begin_s),
        )

    @property
    def groups(self) -> dict[str, tuple[Kind, ...]]:
        """Kinds that are looked at together."""
        kinds = self.counts.kinds
        regular = tuple(kind for kind in kinds if kind.regular)
        groups = {"all kinds": kinds}
        if 0 < len(regular) < len(kinds):
            groups[", ".join(kind.name for kind in regular)] = regular
        return groups


def sections(found: Found) -> list[Section]:
    """All tables, those of all kinds first."""
    counts = found.counts
    tables = [
        _policies(f"{name}, {_n(counts, kinds):,} requests under each policy", counts, kinds)
        for name, kinds in found.groups.items()
    ]
    tables += [_equal_pods(found), _outcomes(found), _latencies(found)]
    tables += [
        _policies(f"{kind.name}: {kind.meaning}", counts, (kind,))
        for kind in counts.kinds
        if len(counts.kinds) > 1
    ]
    return [*tables, _start_up(found)]


def _n(counts: Counts, kinds: Sequence[Kind]) -> int:
    return scores(counts, kinds)[0].requests


def _policies(title: str, counts: Counts, kinds: Sequence[Kind]) -> Section:
    rows = tuple(_row(score) for score in scores(counts, kinds))
    return Section(title, COLUMNS, rows)


def _row(score: Score) -> tuple[str, ...]:
    alone = score.policy.name == KNATIVE
    return (
        _named(score.policy.name),
        f"{score.cold:,}",
        "" if alone else _percent(score.gone),
        f"{score.pod_s:,.0f}",
        "" if alone else _times(score.pods),
        f"{score.starts:,}",
    )


def _named(policy: str) -> str:
    return "Knative (off)" if policy == KNATIVE else policy


def _percent(found: Estimate) -> str:
    """A share with its interval.

    >>> _percent(Estimate(value=0.8, low=0.7, high=0.85))
    '80 % (70 to 85)'
    """
    if np.isnan(found.value):
        return "none"
    return f"{100 * found.value:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f})"


def _times(found: Estimate) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _equal_pods(found: Found) -> Section:
    rows = tuple(
        (f"{budget:g}", *(_percent(gone_at(found.counts, kinds, budget)) for kinds in groups))
        for groups in [found.groups.values()]
        for budget in BUDGETS
    )
    return Section(
        "Cold requests gone by mode full at a multiple of Knative's pod-seconds",
        ("pod-seconds", *found.groups),
        rows,
    )


def _outcomes(found: Found) -> Section:
    rows = tuple(
        (_named(each.policy.name), *(f"{each.outcomes[outcome]:,}" for outcome in Outcome))
        for each in scores(found.counts, found.counts.kinds)
    )
    return Section("What requests met", ("policy", *(o.value for o in Outcome)), rows)


def _latencies(found: Found) -> Section:
    rows = tuple(
        (_named(each.policy.name), *(f"{value:.2f} s" for value in each.latency_s))
        for each in scores(found.counts, found.counts.kinds)
    )
    columns = ("policy", *(f"p{100 * quantile:g}" for quantile in QUANTILES))
    return Section("Latency from when a request was meant to be sent", columns, rows)


def _start_up(found: Found) -> Section:
    rows = []
    for kind in found.counts.kinds:
        revisions = {r for c in found.run.copies if c.kind == kind for r in c.revisions}
        parts = [p.parts for p in found.run.pods if p.revision in revisions and "total" in p.parts]
        means = [np.mean([p[part] for p in parts if part in p] or [np.nan]) for part in PARTS]
        said = ("none" if np.isnan(mean) else f"{mean:.1f} s" for mean in means)
        rows.append((kind.name, f"{len(parts):,}", *said))
    columns = ("kind", "starts", "scheduled", "containers up", "ready", "in all")
    return Section("A start by parts, means of whole seconds", columns, tuple(rows))


def verdict(found: Found) -> str:
    """What a reader should remember."""
    name, kinds = list(found.groups.items())[-1]
    at = {budget: gone_at(found.counts, kinds, budget) for budget in (1.2, 1.5)}
    told = [
        f"{_percent(gone)} at {b:g} times" for b, gone in at.items() if not np.isnan(gone.value)
    ]
    if not told:
        return (
            f"No price of mode full was measured within 1.5 times Knative's pod-seconds ({name})."
        )
    return (
        f"Of Knative's cold requests were gone ({name}): {', '.join(told)} its pod-seconds, from"
        " creation to gone."
    )


def facts(found: Found) -> list[tuple[str, str]]:
    """How it was measured."""
    run, asked = found.run, found.run.asked
    span = asked.span
    sent = np.array([answer.sent_s - answer.intended_s for answer in run.answers])
    behind = f"{1000 * np.quantile(sent, 0.99):.0f} ms" if len(sent) else "none"
    return [
        ("Cluster", f"context {run.context}, namespace {asked.namespace}"),
        ("Image", f"{asked.image}; {_where(run.images)}"),
        ("Begun", datetime.fromtimestamp(run.begin_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")),
        ("Discarded", f"the first {span.learning_s:g} s, in which images come and models learn"),
        ("Measured", f"{span.rounds} rounds of {span.round_s:g} s"),
        (
            "Learner",
            "the cluster's own" if run.own_learner else f"steps of 10 s, fits every {asked.refit}",
        ),
        ("Called by", asked.ingress or "addresses of revisions within the cluster"),
        ("Sent behind time", f"{behind}, at the 99th percentile"),
        ("Seed", str(asked.seed)),
    ]


def _where(images: Images) -> str:
    """Where images were, in words.

    >>> _where(Images(told=9, present=8))
    'already on its node for 8 of 9 containers'
    """
    if not images.told:
        return "the cluster does not tell whether nodes had it"
    return f"already on its node for {images.present} of {images.told} containers"


NOTES = (
    "All policies ran at the same time, on copies of the same services with the same requests.",
    "A request is cold when a pod that served it was not ready when the request was meant to be"
    " sent, by the API server's word; one that was not answered is counted as cold as well.",
    "Pod-seconds count from a pod's creation until it is gone, its drain included.",
    "Latencies count from when a request was meant to be sent. Intervals are of 95 %, over rounds.",
)


def page_of(found: Found) -> Report:
    """As a page."""
    first, *others = sections(found)
    notes = list(NOTES)
    if found.run.gaps:
        notes.append(f"The watch of pods broke {found.run.gaps} times: times may be off there.")
    return Report(
        title="kn-ahead: live benchmark",
        said=(verdict(found),),
        facts=tuple(facts(found)),
        columns=first.columns,
        rows=first.rows,
        sections=tuple(others),
        curves=_curves(found),
        timelines=tuple(_timeline(found, kind) for kind in found.counts.kinds),
        notes=tuple(notes),
    )


def _curves(found: Found) -> tuple[Curve, ...]:
    """Each mode over its prices; memory as a multiple of what executing requests take."""
    used_s = sum(
        copy.kind.work_s * copy.kind.length
        for copy, answer in ((found.run.copies[a.copy], a) for a in found.run.answers)
        if copy.policy.name == KNATIVE
        and copy_edges(found, copy)[0] <= answer.intended_s < copy_edges(found, copy)[-1]
    )
    modes: dict[str, list[Score]] = {}
    for score in scores(found.counts, found.counts.kinds):
        modes.setdefault(score.policy.mode, []).append(score)
    return tuple(
        Curve(
            name=_named(mode),
            normalised_memory=np.array([each.pod_s / used_s for each in points]),
            cold_rate=np.array([each.cold / max(each.requests, 1) for each in points]),
            labels=tuple(
                f"{each.policy.price_s:g} s" if each.policy.price_s else "" for each in points
            ),
            line=len(points) > 1,
        )
        for mode, points in modes.items()
        if used_s
    )


def copy_edges(found: Found, copy: Any) -> FloatArray:
    """Unix s at which a copy's rounds begin, and the last ends."""
    return found.run.begin_s + np.asarray(found.run.asked.span.edges_s(copy))


def _timeline(found: Found, kind: Kind) -> Timeline:
    """A kind's requests, and pods and cold requests under each policy, through all rounds."""
    run, span = found.run, found.run.asked.span
    n = max(int(span.rounds * span.round_s / STEP_S), 1)
    steps_s: FloatArray = span.learning_s + STEP_S * np.arange(n + 1.0)  # after the beginning
    judged = Outcomes(run.pods)
    pods, cold, peak = [], [], np.zeros(n)
    for i, copy in enumerate(run.copies):
        if copy.kind != kind:
            continue
        edges_s = run.begin_s + copy.shift_s + steps_s
        own = [pod for pod in run.pods if pod.revision in copy.revisions]
        asked = [answer for answer in run.answers if answer.copy == i]
        missed = [a.intended_s for a in asked if judged.of(a, copy.revisions) != Outcome.WARM]
        name = _named(copy.policy.name)
        pods.append((name, pod_seconds(own, edges_s) / STEP_S))
        cold.append((name, np.histogram(missed, edges_s)[0].astype(np.float64)))
        sent_s = np.sort([answer.intended_s for answer in asked])
        peak = in_flight(sent_s, kind.work_s * kind.length, edges_s)
    return Timeline(
        service=kind.name, start_s=run.begin_s + span.learning_s, step_s=STEP_S, peak=peak,
        band=(), pods=tuple(pods), cold=tuple(cold),
    )  # fmt: skip


def in_flight(sent_s: FloatArray, work_s: float, edges_s: FloatArray) -> FloatArray:
    """(n,) most requests in flight at once between n + 1 times, if none waits.

    sent_s: (m,) ascending. work_s: that each takes.

    >>> in_flight(np.array([1.0, 1.1, 7.0]), 0.5, np.array([0.0, 5.0, 10.0, 15.0]))
    array([2., 1., 0.])
    """
    before = np.searchsorted(sent_s + work_s, sent_s, side="right")  # that have ended
    step = np.searchsorted(edges_s, sent_s, side="right") - 1
    known = (step >= 0) & (step < len(edges_s) - 1)
    most = np.zeros(len(edges_s) - 1)
    np.maximum.at(most, step[known], (1.0 + np.arange(len(sent_s)) - before)[known])
    return most


# --- JSON -----------------------------------------------------------------------------------------


def write_json(found: Found, path: Path) -> None:
    """Write scores, and every request and pod. Raises PermanentError."""
    with whole_file(path) as file:
        file.write(dumps(as_json(found), indent=1, allow_nan=False, default=_plain).encode())


def as_json(found: Found) -> dict[str, Any]:
    """Scores, and every request and pod, Unix s; null = not known, or it has not happened."""
    run, counts = found.run, found.counts
    judged = Outcomes(run.pods)
    groups = found.groups | {kind.name: (kind,) for kind in counts.kinds}
    return {
        "facts": dict(facts(found)),
        "verdict": verdict(found),
        "begin_s": run.begin_s,
        "gaps_of_the_watch": run.gaps,
        "scores": {
            name: [_score(score) for score in scores(counts, kinds)]
            for name, kinds in groups.items()
        },
        "gone_at_equal_pod_seconds": {
            name: {f"{budget:g}": _estimate(gone_at(counts, kinds, budget)) for budget in BUDGETS}
            for name, kinds in groups.items()
        },
        "requests": [
            {
                "kind": run.copies[a.copy].kind.name,
                "policy": run.copies[a.copy].policy.name,
                "intended_s": a.intended_s,
                "sent_s": a.sent_s,
                "done_s": a.done_s,
                "status": a.status,
                "outcome": judged.of(a, run.copies[a.copy].revisions).value,
                "pods": a.words[:8],
            }
            for a in run.answers
        ],
        "pods": [
            {
                "name": pod.name,
                "revision": pod.revision,
                "created_s": pod.created_s,
                "ready_s": _known(pod.ready_s),
                "deleted_s": _known(pod.deleted_s),
                "gone_s": _known(pod.gone_s),
                "parts": dict(pod.parts),
            }
            for pod in run.pods
        ],
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "policy": score.policy.name,
        "requests": score.requests,
        "cold": score.cold,
        "outcomes": {outcome.value: n for outcome, n in score.outcomes.items()},
        "pod_s": score.pod_s,
        "starts": score.starts,
        "gone": _estimate(score.gone),
        "pods": _estimate(score.pods),
        "latency_s": {
            f"p{100 * q:g}": _known(value)
            for q, value in zip(QUANTILES, score.latency_s.tolist(), strict=True)
        },
    }


def _estimate(found: Estimate) -> dict[str, float | None]:
    return {"value": _known(found.value), "low": _known(found.low), "high": _known(found.high)}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(value: Any) -> Any:
    return value.item()
