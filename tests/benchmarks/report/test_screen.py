"""What long work shows: a bar on a terminal, lines elsewhere."""

import io
import re
from threading import Event

import pytest
from rich.console import Console

from autoscaler.clock import SimulatedClock
from benchmarks.report.progress import Progress, ProgressLines
from benchmarks.report.screen import Screen
from tests.benchmarks.finished import SCREEN, Finished


@pytest.mark.parametrize("terminal", [True, False], ids=["on a terminal", "in a file"])
def test_progress_that_never_said_that_it_was_done_ends_at_100_percent(terminal: bool) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=80)
    with Screen(console).progress() as show:
        show("forecasting", 0.92)
    assert re.findall(r"(\d+)%", written.getvalue())[-1] == "100"
    assert "forecasting" in written.getvalue()


def test_a_replay_in_a_file_ends_with_a_line_of_its_figures(finished: Finished) -> None:
    cold = {score.policy: score.total.cold_requests for score in finished[1]}
    (line,) = re.findall(r"replaying: 100%, .*", SCREEN.getvalue())
    assert line.endswith(
        f"cold: {cold['Knative (KPA)']:,} (Knative), {cold['kn-ahead full @ 600 s']:,} (kn-ahead)"
    )
    assert len(line) <= 80


def test_a_line_is_written_every_few_seconds_even_where_the_work_says_nothing() -> None:
    lines: list[str] = []
    enough, clock = Event(), SimulatedClock(110.0)

    def write(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            enough.set()

    with ProgressLines(write, every_s=0.001, clock=clock) as progress:
        progress.put(Progress(stage="fitting", share=0.0, begun_s=100.0))
        assert enough.wait(timeout=20.0)
    assert set(lines) == {"fitting, 10 s"}


def test_a_line_says_how_long_the_stage_will_still_take() -> None:
    progress = Progress(stage="replaying", share=0.25, begun_s=100.0, figures="cold: 3")
    assert progress.sentence(130.0) == "replaying: 25%, 30 s, about 90 s left; cold: 3"
    assert Progress(stage="", share=0.009, begun_s=100.0).left_s(130.0) is None


def test_where_nothing_was_to_be_done_nothing_is_said() -> None:
    written = io.StringIO()
    with Screen(Console(file=written)).progress():
        pass
    assert written.getvalue() == ""
