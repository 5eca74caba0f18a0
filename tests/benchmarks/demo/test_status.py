"""The notice above the page's decisions: cached, under way, done."""

import re
from dataclasses import dataclass

import pytest

from autoscaler.clock import SimulatedClock
from benchmarks.demo.status import Figures, Origin, Status
from benchmarks.report.progress import Progress

CACHED = Origin(command="python -m benchmarks.demo.make_cached", made_at="2026-03-02 09:00 UTC")
FORMER = Figures(title="2 days replayed", rows=(("Knative (KPA)", "2,057", "249.3"),))
OWN = Figures(title="3 hours replayed", rows=(("Knative (KPA)", "128", "15.5"),))


@dataclass
class Clocked:
    now: float = 1_772_442_000.0  # 2026-03-02T09:00:00Z
    end_s: float = 1_772_528_400.0


@pytest.fixture
def status() -> Status:
    return Status(clock=SimulatedClock(100.0))


def said(status: Status) -> str:
    return " ".join(re.sub("<[^>]*>", " ", status.html()).split())


def test_a_cached_result_is_named_as_one_with_its_command(status: Status) -> None:
    status.cached = CACHED, FORMER
    text = said(status)
    assert text.startswith(
        "What you see is cached : a former result of this demo, made by python -m"
    )
    assert "2026-03-02 09:00 UTC" in text
    assert "2,057" in text


def test_it_says_what_is_done_and_for_how_long_still(status: Status) -> None:
    status.progress = Progress(stage="replaying", share=0.25, begun_s=70.0)
    assert "Replaying: 25%, 30 s, about 90 s left." in said(status)
    assert '<progress value="0.25"' in status.html()


def test_figures_of_this_run_take_the_place_of_cached_ones(status: Status) -> None:
    status.cached, status.figures = (CACHED, FORMER), OWN
    assert "128" in said(status)
    assert "2,057" not in said(status)


def test_the_live_shop_says_its_time_and_speed_and_that_it_is_over(status: Status) -> None:
    status.live = Clocked()
    assert "Its clock stands at 2026-03-02 09:00 UTC and runs at 60 times real speed" in said(
        status
    )
    assert "are over" not in said(status)
    status.live = Clocked(now=Clocked().end_s)
    assert "its days are over" in said(status)


def test_a_verdict_takes_the_place_of_progress(status: Status) -> None:
    status.progress = Progress(stage="replaying", share=1.0, begun_s=70.0)
    status.verdict, status.next_steps = ("Fewer & <cheaper>.",), (("Ask", "kn-ahead whatif"),)
    assert "Fewer &amp; &lt;cheaper&gt;." in status.html()
    assert "Ask: kn-ahead whatif" in said(status)
    assert "<progress" not in status.html()
