"""Metrics of our own: the board in Prometheus's words, read anew at every scrape.

What is not known (no decision, no forecast) has no sample: a -1 would be summed by somebody.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric

from autoscaler.api.dependencies import counts
from autoscaler.board import Board, Decided
from autoscaler.clock import Clock
from autoscaler.core.demand_meter import PEAK_S, Metered
from autoscaler.core.dependencies import Edges
from autoscaler.core.surge import IDLE_S
from autoscaler.pulse import BUCKETS_S, Pulse

LABELS = ("namespace", "service", "revision")

METRICS_EXAMPLE = """\
# HELP kn_ahead_desired_pods Pods wanted, after bounds
# TYPE kn_ahead_desired_pods gauge
kn_ahead_desired_pods{namespace="shop",revision="cart-00003",service="cart"} 4.0
"""


class BoardCollector:
    """Tells a registry what hangs on the board."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """One family at a time; called by the registry."""
        yield from _by_revision(list(self._board.all_decided()))
        yield GaugeMetricFamily(
            "kn_ahead_services", "Services known", value=len(self._board.services)
        )
        yield _dependencies(self._board.edges)
        yield from _demand(self._board.demand)
        yield from _own_health(self._board)
        bundle = self._board.forecasts
        if bundle is not None:
            age_s = self._clock.now() - bundle.made_at_s
            yield GaugeMetricFamily(
                "kn_ahead_forecast_age_seconds",
                "Age of the newest demand that the forecasts have seen",
                value=age_s,
            )


def _dependencies(edges: Edges) -> Metric:
    family = GaugeMetricFamily(
        "kn_ahead_dependencies", "Edges between services, by who says so", labels=["origin"]
    )
    for origin, many in counts(edges).items():
        family.add_metric([origin], many)
    return family


def _own_health(board: Board) -> Iterator[Metric]:
    yield from _pulse(board.pulse)
    degraded = GaugeMetricFamily(
        "kn_ahead_degraded", "1 while a part does not do its work", labels=["part"]
    )
    for part, fault in board.faults.by_part.items():
        degraded.add_metric([part], float(fault is not None))
    changes = CounterMetricFamily(
        "kn_ahead_changes",
        "Decisions that wanted another number of pods than the one before",
        labels=(*LABELS[:2], "reason"),
    )
    for (name, reason), n in list(board.changed.items()):
        namespace, _, service = name.partition("/")
        changes.add_metric((namespace, service, reason.name), n)
    events = CounterMetricFamily(
        "kn_ahead_events", "Kubernetes Events, by what became of them", labels=["outcome"]
    )
    for outcome, n in board.events.items():
        events.add_metric([outcome], n)
    yield from (degraded, changes, events)


def _pulse(pulse: Pulse) -> Iterator[Metric]:
    if pulse.last_s is None:
        return
    yield GaugeMetricFamily(
        "kn_ahead_last_tick_timestamp_seconds", "When the last tick ended", value=pulse.last_s
    )
    below = list(accumulate(pulse.counts))
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    yield HistogramMetricFamily(
        "kn_ahead_tick_seconds",
        "How long a tick takes",
        buckets=list(zip(bounds, below, strict=True)),
        sum_value=pulse.sum_s,
    )


def _demand(metered: Mapping[str, Metered]) -> Iterator[Metric]:
    labels = LABELS[:2]
    requests = CounterMetricFamily("kn_ahead_requests", "Requests that arrived", labels=labels)
    peak = GaugeMetricFamily(
        "kn_ahead_peak_in_flight",
        f"Greatest one-second average of requests in flight, of the last {PEAK_S} s",
        labels=labels,
    )
    cold = CounterMetricFamily(
        "kn_ahead_cold_requests", "Requests that arrived while no pod was ready", labels=labels
    )
    in_flight = GaugeMetricFamily(
        "kn_ahead_in_flight", f"Mean of requests in flight over the last {PEAK_S} s", labels=labels
    )
    begun = GaugeMetricFamily(
        "kn_ahead_last_start_timestamp_seconds",
        f"When a request came after {IDLE_S:g} s or more without one, the last time",
        labels=labels,
    )
    called = GaugeMetricFamily(
        "kn_ahead_last_call_timestamp_seconds", "When a request came, the last time", labels=labels
    )
    for name, demand in metered.items():
        namespace, _, service = name.partition("/")
        requests.add_metric((namespace, service), demand.requests)
        cold.add_metric((namespace, service), demand.cold)
        in_flight.add_metric((namespace, service), demand.in_flight)
        peak.add_metric((namespace, service), demand.peak)
        if demand.called_s > 0:  # NaN compares False
            begun.add_metric((namespace, service), demand.begun_s)
            called.add_metric((namespace, service), demand.called_s)
    yield from (requests, cold, in_flight, peak, begun, called)


def _by_revision(all_decided: list[Decided]) -> Iterator[Metric]:
    desired = GaugeMetricFamily("kn_ahead_desired_pods", "Pods wanted, after bounds", labels=LABELS)
    kpa = GaugeMetricFamily(
        "kn_ahead_kpa_pods", "Pods that Knative's own rule asks for", labels=LABELS
    )
    predicted = GaugeMetricFamily(
        "kn_ahead_predicted_pods", "Pods that the forecast asks for", labels=LABELS
    )
    surged = GaugeMetricFamily(
        "kn_ahead_surge_pods", "Pods that calls to upstreams ask for", labels=LABELS
    )
    ready = GaugeMetricFamily("kn_ahead_ready_pods", "Pods ready", labels=LABELS)
    reason = GaugeMetricFamily(
        "kn_ahead_decision_reason",
        "1 for the rule that had the last word",
        labels=(*LABELS, "reason"),
    )
    for decided in all_decided:
        namespace, _, service = decided.service.partition("/")
        labels = (namespace, service, decided.revision.partition("/")[2])
        for family, pods in (
            (desired, decided.want),
            (kpa, decided.kpa),
            (predicted, decided.predicted),
            (surged, decided.surged),
        ):
            if pods >= 0:
                family.add_metric(labels, pods)
        ready.add_metric(labels, decided.ready)
        reason.add_metric((*labels, decided.reason.name), 1)
    yield from (desired, kpa, predicted, surged, ready, reason)
