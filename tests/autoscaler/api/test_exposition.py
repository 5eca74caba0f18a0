from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from autoscaler.api.exposition import END, pieces
from autoscaler.board import Board
from autoscaler.clock import SimulatedClock
from autoscaler.telemetry import BoardCollector

Encode = Callable[[CollectorRegistry], bytes]
ENCODERS: list[Encode] = [generate_latest, generate_openmetrics]


def registry_of(board: Board | None, clock: SimulatedClock) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    if board:
        registry.register(BoardCollector(board, clock))
    return registry


@pytest.mark.parametrize("encode", ENCODERS)
def test_the_pieces_are_the_page(board: Board, clock: SimulatedClock, encode: Encode) -> None:
    registry = registry_of(board, clock)
    page = list(pieces(registry, encode))
    assert b"".join(page) == encode(registry)
    assert len(page) > len(list(registry.collect()))


@pytest.mark.parametrize("encode", ENCODERS)
def test_a_page_without_families_is_one(clock: SimulatedClock, encode: Encode) -> None:
    registry = registry_of(None, clock)
    assert b"".join(pieces(registry, encode)) == encode(registry)


def test_a_page_of_openmetrics_ends_once(board: Board, clock: SimulatedClock) -> None:
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    page = b"".join(pieces(registry_of(board, clock), encode))
    assert page.endswith(END)
    assert page.count(END) == 1
    families = text_string_to_metric_families(page.decode())  # type: ignore[no-untyped-call]
    assert "kn_ahead_services" in [family.name for family in families]
