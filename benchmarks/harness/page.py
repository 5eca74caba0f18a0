"""A benchmark as a page that is read in two minutes: sentences, curves, tables."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.harness.chosen import ALWAYS_ON, KPA, NEW_SERVICES
from benchmarks.harness.results import Entry, TraceResult
from benchmarks.harness.settings import BenchSettings
from benchmarks.harness.tables import CONTENDERS, sections
from benchmarks.harness.words import change, gain, number, share
from benchmarks.policies.contenders import OURS
from benchmarks.policies.femux_choice import MEMORY_GB
from benchmarks.report.figures import Curve
from benchmarks.report.page import Report
from benchmarks.scores.rum import COLD_START_S, GB_S_PER_S
from benchmarks.whatif.past import many

MOST_DRAWN = 7  # curves of a figure: as many as there are colours, and one for a point
NOTES = (
    "cold: requests that waited for a pod that was not ready when they came; from zero: while no"
    " pod was ready; rate: their share; p75: 75th percentile of the services' rates; p99: of all"
    " requests' waits; pod-h: pod-hours from creation to gone, start-up and drain included; memory:"
    " pod-seconds / pod-seconds with a request in flight (1 is ideal). All are means over draws.",
    "Each policy has one knob, and is simulated at several of its values, by the same control loop,"
    " on the same requests. A policy is read between two of its neighbouring settings; one that"
    " spends and misses more than another is not counted.",
    f"hypervolume, in hundredths: the part of the rectangle from nothing to the cold requests of"
    f" {KPA} and the pod-hours of {ALWAYS_ON} 1 that lies beyond a policy's curve; 100 would be no"
    " cold request for no pod.",
    "Intervals are of 95 %, by a paired bootstrap: services, days and draws are drawn again, the"
    " same ones for all policies. Of one service on one day there is none.",
    "A trace counts requests a step; at which second of it each came is drawn, uniformly, anew in"
    " each draw: synthetic. Whoever learns, learns from the time before what is scored; new"
    " services: by models that were fitted on other services alone.",
    "FeMux rules: containers take one request, and stand from a minute's begin to its end; a"
    f" missing one is a cold start of {COLD_START_S:g} s. RUM: seconds of cold starts + wasted GB-s"
    f" / {GB_S_PER_S:g}. Traces are read without memory: a container is taken to have"
    f" {MEMORY_GB:g} GB. Knative provides what the minute before needed, a keep-alive the most of"
    " its last minutes, others what they forecast or plan, without Knative's rule beside. Needed is"
    " a minute's mean in flight: kn-ahead, the oracle and floors by peaks provide more than that.",
    "Wild rules (Serverless in the Wild): all requests to a service share one image, and take no"
    " time. Third-quartile cold: 75th percentile over services of cold requests / requests; wasted"
    " memory time: for which images are loaded, where a fixed keep-alive of 10 min has 100%. KPA is"
    " a keep-alive of its stable window; the hybrid histogram has its own windows after each"
    " request. The paper knows nobody who plans by the minute: here they have the image in minutes"
    " for which they want a pod, and after a cold request until its minute ends.",
    "A dash: those rules do not say, as FeMux's for pods that take several requests, or for KPA"
    " with windows other than a minute.",
    "USD a million: what pods of one core and one GiB cost at example prices, for each million"
    " requests. plan, simulate: CPU seconds of one draw at all values of the knob; MB: the most"
    " that the process held until then.",
)


def said(result: TraceResult) -> list[str]:
    """What a reader should remember of a trace."""
    name = result.trace
    found = []
    at_equal, dearer = result.against(KPA), result.against(KPA, pods=1.2)
    if at_equal:
        found.append(
            f"{name}: on as many pod-hours kn-ahead has {number(at_equal.our_cold)} cold requests"
            f" where Knative has {number(at_equal.cold)}: {change(at_equal.cold_change)}; on 1.2"
            f" times as many, {change(dearer.cold_change) if dearer else ''}."
        )
    kept = result.best_kept()
    if kept:
        found.append(
            f"With as few cold requests as a keep-alive has, it takes at most"
            f" {share(kept.pod_s_ratio)} of its pod-hours (that of {kept.knob:g} min)."
        )
    rivals = [one for one in result.entries if not one.hindsight and not ours(one.name)]
    best = max(rivals, key=lambda one: _known(one.hypervolume.value), default=None)
    against = best and result.against(best.name)
    if best and against:
        found.append(
            f"The best rival's curve is that of {best.name}; by hypervolume kn-ahead's is better"
            f" by {gain(against.hypervolume_gain)} hundredths."
        )
    if result.starts:
        found.append(
            f"Of {result.starts:,} calls after a pause {result.surprises:,}"
            f" ({result.surprises / result.starts:.0%}) came without any warning: those nobody who"
            " knows the past alone foresees."
        )
    return found


def report(results: Sequence[TraceResult], settings: BenchSettings) -> Report:
    """The page."""
    return Report(
        title="kn-ahead and its rivals",
        said=tuple(sentence for result in results for sentence in said(result)),
        facts=(
            *((result.trace, _size(result)) for result in results),
            ("Learned until", settings.fit_until),
            ("Simulated until", settings.end or "the end of each trace"),
            ("Start-up of a pod", f"{settings.start_up_s:g} s"),
            ("Drain of a pod", f"{settings.drain_s:g} s"),
            ("Concurrency of a pod", str(settings.concurrency or "no limit")),
        ),
        columns=CONTENDERS,
        rows=(),
        sections=tuple(sections(results, (OURS, NEW_SERVICES))),
        curves=(),
        more_curves=tuple((result.trace, curves(result)) for result in results),
        timelines=(),
        notes=NOTES,
    )


def curves(result: TraceResult) -> tuple[Curve, ...]:
    """Of ours, what they are held against, and the best rivals."""
    first = [one for one in result.entries if ours(one.name) or one.name in {KPA, ALWAYS_ON}]
    rest = [one for one in result.entries if one not in first]
    rest.sort(key=lambda one: (not one.hindsight, -_known(one.hypervolume.value)))
    drawn = [_curve(one) for one in (*first, *rest)[:MOST_DRAWN]]
    kpa = result.entry(KPA)
    if kpa:
        drawn.append(_drawn(f"{KPA} as configured", [kpa.own], labelled=False))
    return tuple(drawn)


def ours(name: str) -> bool:
    """Whether it is no rival."""
    return name in {OURS, NEW_SERVICES}


def _curve(one: Entry) -> Curve:
    """Of the settings that no other of its own is better than: what it is read from."""
    best, scores = math.inf, []
    for score in sorted(one.scores, key=lambda each: (each["allocated_pod_s"], each["cold_rate"])):
        if score["cold_rate"] < best:
            best = score["cold_rate"]
            scores.append(score)
    return _drawn(one.name, scores, labelled=one.name == OURS)


def _drawn(name: str, scores: Sequence[dict[str, Any]], *, labelled: bool) -> Curve:
    return Curve(
        name=name,
        normalised_memory=np.array([score["normalised_memory"] for score in scores]),
        cold_rate=np.array([score["cold_rate"] for score in scores]),
        labels=tuple(f"{score['knob']:g}" if labelled else "" for score in scores),
        line=len(scores) > 1,
    )


def _size(result: TraceResult) -> str:
    return (
        f"{result.requests:,} requests to {result.services:,} services in {result.days:.1f} days,"
        f" {many(result.draws, 'draw')} of arrival times"
    )


def _known(value: float) -> float:
    return -math.inf if math.isnan(value) else value
