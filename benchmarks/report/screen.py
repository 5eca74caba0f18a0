"""Progress and scores of a replay on the terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.replay import OnProgress, Replay
from benchmarks.report.outcome import COLUMNS, headline, rows
from benchmarks.report.page import Section
from benchmarks.scores.score import PolicyScore

STEPS_A_REFRESH = 20  # replayed steps from one update of the table to the next


class Screen:
    """Progress bars, and a table that is updated while the replay runs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def print(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def print_table(self, section: Section) -> None:
        """Print a further table of a report."""
        shown = _table(section.title, section.columns, section.words)
        for row in section.rows:
            shown.add_row(*row)
        self._console.print(shown)

    @contextmanager
    def progress(self) -> Iterator[OnProgress]:
        """A bar that shows the stage and its share done, as they are reported."""
        with _bar(self._console) as bar:
            task = bar.add_task("", total=1.0)

            def show(stage: str, share: float) -> None:
                bar.update(task, description=stage, completed=share)

            yield show

    def run(self, replay: Replay, *, processes: int = 1) -> list[PolicyScore]:
        """Run the replay while showing its scores; returns the final ones. As `Replay.run`."""
        bar = _bar(self._console)
        task = bar.add_task("replaying under every policy", total=1.0)
        turn = 0
        with Live(bar, console=self._console, refresh_per_second=4) as live:

            def show_step(running: Replay) -> None:
                nonlocal turn
                turn += 1
                if turn % STEPS_A_REFRESH == 0:
                    bar.update(task, completed=running.share_done)
                    live.update(Group(table(running, running.scores()), bar))

            scores = replay.run(show_step, processes=processes)
            bar.update(task, completed=1.0)
            live.update(table(replay, scores))
        self.print("")
        return scores


def table(replay: Replay, scores: Sequence[PolicyScore]) -> Table:
    """The headline scores as a table."""
    services, requests = len(replay.demand.services), scores[0].total.requests
    title = f"{services} services, {requests:,} requests, {_simulated_time(replay)}"
    shown = _table(title, COLUMNS)
    for row in rows(headline(scores, replay.settings.price_s)):
        shown.add_row(*row, style="bold" if "kn-ahead" in row[0] else "")
    return shown


def _table(title: str, columns: Sequence[str], words: Sequence[int] = (0,)) -> Table:
    """Without rows. words: columns of words; all others are numbers."""
    shown = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        shown.add_column(column, justify="left" if place in words else "right", no_wrap=True)
    return shown


def _simulated_time(replay: Replay) -> str:
    hours = (replay.simulation.now - replay.scored_from_s) / 3600
    return f"{hours // 24:.0f} d {hours % 24:04.1f} h replayed"


def _bar(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    return Progress(*columns, TimeElapsedColumn(), console=console)
