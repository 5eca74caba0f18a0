"""What a person at a terminal sees while a replay runs, and the demo that shows it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.replay import Progress as Heard
from benchmarks.replay import Replay
from benchmarks.report.outcome import COLUMNS, headline, rows
from benchmarks.scores.score import PolicyScore

STEPS_A_LOOK = 20  # replayed steps between two pictures


class Screen:
    """Progress bars, and a table that lives."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """A line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[Heard]:
        """A bar for the steps that one after the other report where they are."""
        with _bar(self._console) as bar:
            task = bar.add_task("", total=1.0)

            def heard(what: str, share: float) -> None:
                bar.update(task, description=what, completed=share)

            yield heard

    def live(self, replay: Replay) -> list[PolicyScore]:
        """Run the replay with its table growing on the screen; returns the final scores."""
        bar = _bar(self._console)
        task = bar.add_task("replaying under every policy", total=1.0)
        turn = 0
        with Live(bar, console=self._console, refresh_per_second=4) as live:

            def watch(running: Replay) -> None:
                nonlocal turn
                turn += 1
                if turn % STEPS_A_LOOK == 0:
                    bar.update(task, completed=running.share_done)
                    live.update(Group(table(running, running.scores()), bar))

            scores = replay.run(watch)
            bar.update(task, completed=1.0)
            live.update(table(replay, scores))
        self.say("")
        return scores


def table(replay: Replay, scores: Sequence[PolicyScore]) -> Table:
    """The headline scores as a table."""
    requests = scores[0].total.requests
    title = f"{len(replay.demand.services)} services, {requests:,} requests, {_passed(replay)}"
    made = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in COLUMNS:
        made.add_column(column, justify="left" if column == "policy" else "right", no_wrap=True)
    for row in rows(headline(scores, replay.settings.price_s)):
        made.add_row(*row, style="bold" if "kn-ahead" in row[0] else "")
    return made


def _passed(replay: Replay) -> str:
    hours = (replay.simulation.now - replay.scored_from_s) / 3600
    return f"{hours // 24:.0f} d {hours % 24:04.1f} h replayed"


def _bar(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    return Progress(*columns, TimeElapsedColumn(), console=console)
