"""A real Prometheus, filled with made traffic as Knative 1.23 exports it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.whatif.exporters import GENERATIONS
from benchmarks.whatif.exposition import START_S, backfill_requests
from benchmarks.whatif.made_fleet import made_fleet
from tests.conftest import prometheus_server


def end_of(days: float) -> str:
    """ISO time at which so many days of traffic end."""
    return datetime.fromtimestamp(START_S + days * 86_400, UTC).isoformat()


@contextmanager
def made_prometheus(folder: Path, services: int, days: float) -> Iterator[str]:
    """Its address, until the end of the block."""
    names, made = made_fleet(services, days)
    moved = replace(made, arrival_s=made.arrival_s + START_S)
    backfill_requests(names, moved, GENERATIONS["1.23"], folder / "data")
    with prometheus_server(folder) as url:
        yield url
