from typing import Any

import pytest

from autoscaler.clock import SimulatedClock
from knative.scrape import PodStat, Scraper, Target
from knative.service import Service, ServiceSettings
from knative.silence import SILENT_S, Silence
from tests.knative.conftest import NOW_S, Cluster, FakeApi, a_bundle, run_fast


def a_silence() -> tuple[Silence, list[str]]:
    silence, said = Silence(), list[str]()
    silence.ailing = said.append
    return silence, said


def test_silence_is_told_once_it_has_lasted() -> None:
    silence, said = a_silence()
    silence.missed("shop/cart", 100.0)
    silence.missed("shop/till", 100.0 + SILENT_S - 0.1)
    assert said == []
    silence.missed("shop/cart", 100.0 + SILENT_S)
    assert "shop/cart" in said[0]


@pytest.mark.parametrize("every", [1, 4])
def test_one_pod_that_answers_now_and_then_is_no_silence(every: int) -> None:
    silence, said = a_silence()
    for second in range(60):
        if second % every == 0:
            silence.heard()
        silence.missed("shop/cart", float(second))
    assert not any(said)


class Mute(Scraper):
    """Nobody answers until told to."""

    def __init__(self) -> None:
        self.stat: PodStat | None = None

    async def scrape(self, target: Target, *, now: float) -> PodStat | None:
        return self.stat


def test_a_service_whose_scrapes_all_fail_is_degraded_until_one_succeeds() -> None:
    service = Service(
        FakeApi(), ServiceSettings(), SimulatedClock(NOW_S), lambda path: a_bundle(1.0)
    )
    cluster, mute = Cluster(), Mute()
    cluster.seat = service.seat
    key = cluster.has_revision()
    faults = service.seat.board.faults
    silence = service._scraping.silence

    async def scrape(**_: Any) -> None:
        await service._scraping.scrape(key, mute)

    assert faults.by_part["scrape"] is None
    silence.missed(key, -SILENT_S)
    run_fast(scrape())
    assert "no pod of any revision answers" in str(faults.by_part["scrape"])
    mute.stat = PodStat(concurrency=1.0, requests=1.0)
    run_fast(scrape())
    assert faults.by_part["scrape"] is None
