"""The learner's metrics, from its status at every scrape."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from learner.status import LearnerStatus


class StatusCollector:
    """Collects the metrics of a learner's status."""

    def __init__(self, status: LearnerStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """One family at a time; called by the registry."""
        refused = CounterMetricFamily(
            "kn_ahead_refused", "What limits on input have refused", labels=["limit"]
        )
        for limit, n in list(self._status.refusals.counts.items()):
            refused.add_metric([limit], n)
        yield refused
        yield GaugeMetricFamily(
            "kn_ahead_quarantined_services",
            "Services of which something in the past, or all of a forecast, is not used",
            value=len(self._status.quarantined),
        )
        yield from self._outcomes()
        if self._status.published_s is not None:
            yield GaugeMetricFamily(
                "kn_ahead_last_published_timestamp_seconds",
                "When forecasts were published last",
                value=self._status.published_s,
            )

    def _outcomes(self) -> Iterator[Metric]:
        """How reliable forecasts were: ``came`` over ``outcomes`` is about ``probability``."""
        labels = ["probability", "window"]
        number = GaugeMetricFamily(
            "kn_ahead_forecast_outcomes",
            "Forecasts whose window is over, by its end (s ahead) and their greatest probability;"
            " what is half a day old counts half",
            labels=labels,
        )
        came = GaugeMetricFamily(
            "kn_ahead_forecast_came",
            "Of these forecasts, those after which the pod level was needed",
            labels=labels,
        )
        for each in self._status.outcomes:
            values = [f"{each.probability_to:g}", f"{each.window_end_s:g}"]
            number.add_metric(values, each.number)
            came.add_metric(values, each.came)
        yield from (number, came)


def metrics_of(status: LearnerStatus) -> bytes:
    """All metrics in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(status))
    return generate_latest(registry)
