"""Metrics of our own: the board in Prometheus's words, read anew at every scrape.

What is not known (no decision, no forecast) has no sample: a -1 would be summed by somebody.
"""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from autoscaler.board import Board, Decided
from autoscaler.clock import Clock
from autoscaler.meter import PEAK_S, Metered

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
        yield from _demand(self._board.demand)
        bundle = self._board.forecasts
        if bundle is not None:
            age_s = self._clock.now() - bundle.made_at_s
            yield GaugeMetricFamily(
                "kn_ahead_forecast_age_seconds",
                "Age of the newest demand that the forecasts have seen",
                value=age_s,
            )


def _demand(metered: Mapping[str, Metered]) -> Iterator[Metric]:
    labels = LABELS[:2]
    requests = CounterMetricFamily("kn_ahead_requests", "Requests that arrived", labels=labels)
    peak = GaugeMetricFamily(
        "kn_ahead_peak_in_flight",
        f"Greatest one-second average of requests in flight, of the last {PEAK_S} s",
        labels=labels,
    )
    for name, demand in list(metered.items()):
        namespace, _, service = name.partition("/")
        requests.add_metric((namespace, service), demand.requests)
        peak.add_metric((namespace, service), demand.peak)
    yield from (requests, peak)


def _by_revision(all_decided: list[Decided]) -> Iterator[Metric]:
    desired = GaugeMetricFamily("kn_ahead_desired_pods", "Pods wanted, after bounds", labels=LABELS)
    kpa = GaugeMetricFamily(
        "kn_ahead_kpa_pods", "Pods that Knative's own rule asks for", labels=LABELS
    )
    predicted = GaugeMetricFamily(
        "kn_ahead_predicted_pods", "Pods that the forecast asks for", labels=LABELS
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
        ):
            if pods >= 0:
                family.add_metric(labels, pods)
        ready.add_metric(labels, decided.ready)
        reason.add_metric((*labels, decided.reason.name), 1)
    yield from (desired, kpa, predicted, ready, reason)
