"""Knative's own metrics, so that dashboards made for its autoscaler go on working.

Names, labels and meaning are Knative's. `kn_revision_pods_desired` is what is wanted before bounds:
Knative's rule and, where the mode lets it, the forecast; in mode `shadow` it is Knative's rule
alone. What is not known has no sample, where Knative's own would be 0.
Source: knative/serving pkg/autoscaler/scaling/metrics.go, pkg/autoscaler/metrics/stats_scraper.go,
pkg/reconciler/autoscaling/kpa/metrics.go.
"""

from collections.abc import Iterator

import numpy as np

from autoscaler.api.metrics.labels import Labels
from autoscaler.api.metrics.text import Values, family, head
from autoscaler.core.state.revision import UNDECIDED
from autoscaler.core.state.services import BOUNDS_S
from autoscaler.core.types import BoolArray
from autoscaler.exchange.snapshot import Snapshot

IN_FLIGHT = "Average of requests in flight over the {} window, of all pods together"
ARRIVING = "Average of requests a second over the {} window, of all pods together"
SCRAPES = "kn_autoscaler_scrape_duration_seconds"
PIECE = 500  # services

_LE = (*(str(float(bound)) for bound in BOUNDS_S), "+Inf")
_HISTOGRAM = "".join(
    [f'{SCRAPES}_bucket{{{{{{0}},le="{le}"}}}} {{{i + 2}}}\n' for i, le in enumerate(_LE)]
    + [f"{SCRAPES}_sum{{{{{{0}}}}}} {{1}}\n{SCRAPES}_count{{{{{{0}}}}}} {{{len(_LE) + 1}}}\n"]
)


def of_revisions(snapshot: Snapshot, labels: Labels) -> Iterator[str]:
    """Families with a sample a revision."""
    for name, about, values, known in (*_decided(snapshot), *_counted(snapshot)):
        shown = known & labels.named & (snapshot.decision.want != UNDECIDED)
        yield family(f"kn_revision_{name}", "gauge", about, labels.knative_revision, values, shown)


_Gauge = tuple[str, str, Values, BoolArray]


def _decided(snapshot: Snapshot) -> tuple[_Gauge, ...]:
    made, columns = snapshot.decision, snapshot.columns
    # While nothing is decided, what was requested of Kubernetes last stands.
    requested = np.where(made.want >= 0, made.want, columns["observed_replicas"])
    target, spare = columns["spec_target"], columns["memory_excess_burst_capacity"]
    decided = made.desired >= 0
    concurrency, rps = decided & ~snapshot.rps, decided & snapshot.rps
    return (
        ("pods_desired", "Pods wanted, before bounds", made.desired, decided),
        ("pods_requested", "Pods asked of Kubernetes", requested, requested >= 0),
        ("capacity_excess", "Requests in flight that ready pods have room for", spare, decided),
        ("panic_mode", "1 while it panics", made.panicking, decided),
        ("concurrency_stable", IN_FLIGHT.format("stable"), made.stable, concurrency),
        ("concurrency_panic", IN_FLIGHT.format("panic"), made.panic, concurrency),
        ("concurrency_target", "Requests in flight wanted of a pod", target, concurrency),
        ("rps_stable_per_second", ARRIVING.format("stable"), made.stable, rps),
        ("rps_panic_per_second", ARRIVING.format("panic"), made.panic, rps),
        ("rps_target_per_second", "Requests a second wanted of a pod", target, rps),
    )


def _counted(snapshot: Snapshot) -> tuple[_Gauge, ...]:
    columns, all_ = snapshot.columns, np.ones(len(snapshot.revision), np.bool_)
    pending, terminating = columns["pods_pending"], columns["pods_terminating"]
    not_ready = columns["pods_unready"] + pending + terminating
    return (
        ("pods_count", "Pods ready", columns["observed_ready"], all_),
        ("pods_not_ready_count", "Pods not ready", not_ready, all_),
        ("pods_pending_count", "Pods pending", pending, all_),
        ("pods_terminating_count", "Pods on their way out", terminating, all_),
    )


def of_scrapes(snapshot: Snapshot, labels: Labels) -> Iterator[str]:
    """Durations of scrapes by service and configuration; in pieces, as it is the largest family."""
    yield head(SCRAPES, "histogram", "How long asking a revision's pods took")
    there = labels.named_service
    group, g = labels.group[there], len(labels.knative_service)
    counts, seconds = np.zeros((g, len(_LE)), np.int64), np.zeros(g)
    np.add.at(counts, group, snapshot.columns["scrapes"].T[there])
    np.add.at(seconds, group, snapshot.columns["scrapes_s"][there])
    below = counts.cumsum(axis=1)
    some = np.flatnonzero(below[:, -1])
    for begin in range(0, len(some), PIECE):
        rows = some[begin : begin + PIECE]
        yield "".join(
            [
                _HISTOGRAM.format(labels.knative_service[row], total, *bounds)
                for row, total, bounds in zip(
                    rows.tolist(), seconds[rows].tolist(), below[rows].tolist(), strict=True
                )
            ]
        )
