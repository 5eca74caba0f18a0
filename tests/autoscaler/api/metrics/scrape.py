"""A scrape, as Prometheus makes it."""

from collections.abc import Iterator

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.clock import SimulatedClock
from autoscaler.refusals import Refusals
from tests.autoscaler.api.conftest import ask


def scraped(client: httpx.Client) -> Iterator[Sample]:
    """All samples of a page."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    for family in text_string_to_metric_families(answer.text):
        yield from family.samples


def samples(client: httpx.Client, **labels: str) -> dict[str, float]:
    """Samples with these labels, by name."""
    return {s.name: s.value for s in scraped(client) if labels.items() <= s.labels.items()}


def of(model: ReadModel, now: float = 0.0, refusals: Refusals | None = None) -> httpx.Client:
    """Asks an app over a read model."""
    return ask(create_app(model, SimulatedClock(now), refusals or Refusals()))
