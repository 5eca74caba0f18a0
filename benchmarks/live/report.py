"""The page of a run: its tables, a curve over prices, and pods and requests over time."""

from datetime import UTC, datetime

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.live.cluster import Images
from benchmarks.live.copies import Copy
from benchmarks.live.kinds import Kind
from benchmarks.live.outcome import Outcome, Outcomes
from benchmarks.live.pods import pod_seconds
from benchmarks.live.policies import KNATIVE
from benchmarks.live.scores import Score, scores
from benchmarks.live.tables import Found, named, sections, verdict
from benchmarks.report.figures import Curve, Timeline
from benchmarks.report.page import Report

STEP_S = 5.0  # of the drawn timelines


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
            "the cluster's own" if run.own_learner else str(asked.learning),
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
        and _edges_s(found, copy)[0] <= answer.intended_s < _edges_s(found, copy)[-1]
    )
    modes: dict[str, list[Score]] = {}
    for score in scores(found.counts, found.counts.kinds):
        modes.setdefault(score.policy.mode, []).append(score)
    return tuple(
        Curve(
            name=named(mode),
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


def _edges_s(found: Found, copy: Copy) -> FloatArray:
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
        name = named(copy.policy.name)
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
