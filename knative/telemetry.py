"""Knative's own gauges, so that dashboards made for its autoscaler go on showing what they showed.

Names, labels and meaning are Knative's. `kn_revision_pods_desired` is what is wanted before bounds:
Knative's rule and, where the mode lets it, the forecast; in mode `shadow` it is Knative's rule
alone. What is not known has no sample, where Knative's own would say 0.

The loop posts a tick whole, and a scrape, in a thread of its own, reads what was posted last.
Source: knative/serving pkg/autoscaler/scaling/metrics.go, pkg/autoscaler/metrics/stats_scraper.go,
pkg/reconciler/autoscaling/kpa/metrics.go.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from autoscaler.core.decision import Decisions
from autoscaler.core.fleet import Fleet
from autoscaler.core.revision import Metric
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from knative.objects import SERVICE_LABEL, PodAutoscaler
from knative.pods import PENDING, READY, TERMINATING, UNREADY, Pods
from knative.startup import StartUps

CONFIGURATION_LABEL = "serving.knative.dev/configuration"
SERVICE_LABELS = ("k8s_namespace_name", "kn_service_name", "kn_configuration_name")
IN_FLIGHT = "Average of requests in flight over the {} window, of all pods together"
ARRIVING = "Average of requests a second over the {} window, of all pods together"
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

Labels = dict[str, str]
Series = tuple[str, ...]
Column = FloatArray | IntArray | BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """One tick of the whole fleet, with the columns copied that the fleet goes on to change."""

    keys: Sequence[str]  # row -> "namespace/revision"
    decisions: Decisions
    rps: BoolArray  # (n,) whether requests per second are what is averaged
    target: FloatArray  # (n,)
    replicas: IntArray  # (n,) pods that the scale target asks for; -1 = not known


class Gauges(Collector):
    """What a scrape reads; the loop writes."""

    def __init__(self, pods: Pods, start_ups: StartUps) -> None:
        self._pods, self._start_ups = pods, start_ups
        self._labels: dict[str, Labels] = {}  # by "namespace/revision"
        self._revisions: Counter[Series] = Counter()  # of each service and configuration
        self._scrapes: dict[Series, Durations] = {}  # likewise
        self._keys: tuple[int, Sequence[str]] = (-1, ())  # layout of the fleet, and its rows
        self._ticked: Ticked | None = None

    def know(self, key: str, pa: PodAutoscaler) -> None:
        """A revision came or changed."""
        labels = labels_of(pa)
        if self._labels.get(key) != labels:
            self.forget(key)
            self._labels[key] = labels
            self._revisions[_series(labels)] += 1

    def forget(self, key: str) -> None:
        """A revision went."""
        labels = self._labels.pop(key, None)
        if labels:
            series = _series(labels)
            self._revisions[series] -= 1
            if not self._revisions[series]:
                del self._revisions[series]
                self._scrapes.pop(series, None)

    def post(self, fleet: Fleet, decisions: Decisions) -> None:
        """Keep a tick of the whole fleet; one of some rows is shown with the next."""
        if len(decisions.rows) < len(fleet):
            return
        if self._keys[0] != fleet.layout:
            self._keys = (fleet.layout, tuple(fleet.keys))
        self._ticked = Ticked(
            keys=self._keys[1],
            decisions=decisions,
            rps=fleet.spec.metric == Metric.RPS,
            target=fleet.spec.target.copy(),
            replicas=fleet.seen.replicas.copy(),
        )

    def withdraw(self) -> None:
        """Take the last tick down: somebody else decides."""
        self._ticked = None

    def scraped(self, key: str, seconds: float) -> None:
        """Scraping a revision took so long."""
        labels = self._labels.get(key)
        if labels:
            self._scrapes.setdefault(_series(labels), Durations()).add(seconds)

    def collect(self) -> Iterator[Family]:
        """One family at a time; called by the registry."""
        if self._ticked:
            yield from self._decided(self._ticked)
            yield from self._counted(self._ticked.keys)
        yield self._scraping()
        yield self._starting()

    def _decided(self, t: Ticked) -> Iterator[Family]:
        said = t.decisions
        # What was asked of Kubernetes stands while nothing new is decided.
        asked = np.where(said.want >= 0, said.want, t.replicas)
        decided, spare = said.desired >= 0, said.memory.excess_burst_capacity
        concurrency, rps = decided & ~t.rps, decided & t.rps
        gauges: tuple[tuple[str, str, Column, BoolArray], ...] = (
            ("pods_desired", "Pods wanted, before bounds", said.desired, decided),
            ("pods_requested", "Pods asked of Kubernetes", asked, asked >= 0),
            ("capacity_excess", "Requests in flight that ready pods have room for", spare, decided),
            ("panic_mode", "1 while it panics", said.panicking, decided),
            ("concurrency_stable", IN_FLIGHT.format("stable"), said.stable, concurrency),
            ("concurrency_panic", IN_FLIGHT.format("panic"), said.panic, concurrency),
            ("concurrency_target", "Requests in flight wanted of a pod", t.target, concurrency),
            ("rps_stable_per_second", ARRIVING.format("stable"), said.stable, rps),
            ("rps_panic_per_second", ARRIVING.format("panic"), said.panic, rps),
            ("rps_target_per_second", "Requests a second wanted of a pod", t.target, rps),
        )
        labels = [self._labels.get(key) for key in t.keys]
        for name, what, column, known in gauges:
            yield _family(name, what, labels, column.tolist(), known.tolist())

    def _counted(self, keys: Sequence[str]) -> Iterator[Family]:
        counts = [self._pods.counts(key) for key in keys]
        labels = [self._labels.get(key) for key in keys]
        gauges = (
            ("pods_count", "Pods ready", (READY,)),
            ("pods_not_ready_count", "Pods not ready", (UNREADY, PENDING, TERMINATING)),
            ("pods_pending_count", "Pods pending", (PENDING,)),
            ("pods_terminating_count", "Pods on their way out", (TERMINATING,)),
        )
        for name, what, states in gauges:
            values = [sum(count.get(state, 0) for state in states) for count in counts]
            yield _family(name, what, labels, values, [True] * len(values))

    def _scraping(self) -> Family:
        family = HistogramMetricFamily(
            "kn_autoscaler_scrape_duration_seconds",
            "How long asking a revision's pods took",
            labels=SERVICE_LABELS,
        )
        for series, durations in list(self._scrapes.items()):
            family.add_metric(series, durations.buckets(), durations.seconds)
        return family

    def _starting(self) -> Family:
        family = SummaryMetricFamily(
            "kn_ahead_start_up_seconds",
            "How long pods took until they were scheduled, from then until all containers ran, "
            "and from then until they were ready",
            labels=("namespace", "service", "part"),
        )
        for service, part, starts, seconds in self._start_ups.by_part():
            namespace, _, name = service.partition("/")
            family.add_metric((namespace, name, part), starts, seconds)
        return family


class Durations:
    """A histogram of one service's scrapes."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """One scrape."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Scrapes up to each bound."""
        bounds = [*(str(float(bound)) for bound in BOUNDS_S), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True))


def labels_of(pa: PodAutoscaler) -> Labels:
    """By what Knative's gauges name a revision; its service may be empty."""
    said = pa.labels
    values = (pa.namespace, said.get(SERVICE_LABEL, ""), said.get(CONFIGURATION_LABEL, ""))
    return dict(zip(SERVICE_LABELS, values, strict=True)) | {"kn_revision_name": pa.name}


def _series(labels: Labels) -> Series:
    return tuple(labels[name] for name in SERVICE_LABELS)


def _family(
    name: str,
    what: str,
    labels: Sequence[Labels | None],
    values: Sequence[float],
    known: Sequence[bool],
) -> Family:
    """A gauge with a sample of each revision that is known; None = it went since."""
    family = GaugeMetricFamily(f"kn_revision_{name}", what)
    rows = zip(labels, values, known, strict=True)
    family.samples = [Sample(family.name, ls, float(v)) for ls, v, there in rows if there and ls]
    return family
