"""Metrics of controller and advisor as processes; made anew at each scrape.

The controller's come with its snapshots as notes; a note that is missing has no sample.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, TypeGuard

from autoscaler.advisor.bills import ClusterBill
from autoscaler.advisor.frame import Frame
from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.dependencies import counts
from autoscaler.api.metrics.text import head, histogram, labelled, pairs, single
from autoscaler.clock import Clock
from autoscaler.refusals import Refusals
from autoscaler.tick_durations import BUCKETS_S

REFUSED = "kn_ahead_refused_total"
TICKS = "kn_ahead_tick_seconds"


def of_both(model: ReadModel, refusals: Refusals, clock: Clock) -> Iterator[str]:
    """Families of few samples. refusals: the advisor's own."""
    frame, now = model.frame, clock.now()
    yield single("kn_ahead_services", "gauge", "Services known", len(model.services))
    yield labelled(
        "kn_ahead_dependencies",
        "gauge",
        "Edges between services, by origin",
        "origin",
        counts(model.known_edges.edges),
    )
    yield single(
        "kn_ahead_dependencies_withdrawn",
        "gauge",
        "Edges that are not acted on, as what they warned of did not come",
        len(model.known_edges.withdrawn),
    )
    yield _refused(frame, refusals)
    yield _degraded(model)
    yield labelled(
        "kn_ahead_events_total",
        "counter",
        "Kubernetes Events by outcome",
        "outcome",
        model.events,
    )
    yield from _controller(frame)
    yield from _ages(model, now)


def _ages(model: ReadModel, now: float) -> Iterator[str]:
    snapshot, forecasts = model.frame.snapshot, model.forecasts
    if snapshot is not None:
        yield single(
            "kn_ahead_last_tick_timestamp_seconds",
            "gauge",
            "When the last tick ended",
            snapshot.at_s,
        )
        yield single(
            "kn_ahead_snapshot_age_seconds",
            "gauge",
            "Age of the newest snapshot of the controller",
            now - snapshot.at_s,
        )
    if forecasts is not None:
        yield single(
            "kn_ahead_forecast_age_seconds",
            "gauge",
            "Age of the newest demand that the forecasts have seen",
            now - forecasts.made_at_s,
        )


def _refused(frame: Frame, refusals: Refusals) -> str:
    by_process = {"advisor": refusals.counts, "controller": _numbers(frame, "refused")}
    lines = [head(REFUSED, "counter", "What was refused because a limit allows no more")]
    for process, refused in by_process.items():
        for limit, many in sorted(refused.items()):
            lines.append(f"{REFUSED}{{{pairs(limit=limit, process=process)}}} {many}\n")
    return "".join(lines)


def _degraded(model: ReadModel) -> str:
    parts = {str(part): bool(why) for part, why in model.frame.note("faults", dict, {}).items()}
    for part, fault in model.health.by_part.items():
        parts[part] = parts.get(part, False) or fault is not None
    return labelled(
        "kn_ahead_degraded",
        "gauge",
        "1 while a part does not do its work",
        "part",
        {part: int(faulty) for part, faulty in parts.items()},
    )


def _controller(frame: Frame) -> Iterator[str]:
    leading = frame.note("leading", bool, None)
    if leading is not None:
        yield single(
            "kn_ahead_leading",
            "gauge",
            "1 while this process decides, 0 while another one does",
            int(leading),
        )
    if forwarded := _numbers(frame, "forwarded"):
        yield labelled(
            "kn_ahead_forwarded_frames_total",
            "counter",
            "Frames of activators that were for another process, by outcome",
            "outcome",
            forwarded,
        )
    if bill := ClusterBill.of(frame):
        yield single(
            "kn_ahead_cluster_bill_left_seconds",
            "gauge",
            "s of pod that the cluster's bill still pays for ahead of Knative; below 0 = overdrawn",
            bill.left_s,
        )
    refused = frame.note("advice_refused", int, None)
    if refused is not None:
        yield single(
            "kn_ahead_advice_refused",
            "gauge",
            "Revisions and paths of the advice in force that were left out, as they cannot be",
            refused,
        )
    yield from _ticks(frame)


def _ticks(frame: Frame) -> Iterator[str]:
    many = [n for n in frame.note("tick_counts", list, []) if _is_number(n)]
    took_s = frame.snapshot.notes.get("tick_sum_s") if frame.snapshot else None
    if len(many) != len(BUCKETS_S) + 1 or not _is_number(took_s):
        return
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    yield head(TICKS, "histogram", "How long a tick takes")
    yield histogram(TICKS, "", zip(bounds, accumulate(many), strict=True), float(took_s))


def _numbers(frame: Frame, note: str) -> Mapping[str, float]:
    """What a note counts, by name."""
    found = frame.note(note, dict, {})
    return {str(name): value for name, value in found.items() if _is_number(value)}


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)
