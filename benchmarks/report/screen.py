"""Progress and scores of a replay on the terminal, or as lines where there is none."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Table

from autoscaler.clock import SystemClock
from benchmarks.policies.policies import FULL, KPA, priced
from benchmarks.replay import OnProgress, Replay
from benchmarks.report.outcome import COLUMNS, headline, rows
from benchmarks.report.page import Section
from benchmarks.report.progress import Progress, ProgressLines
from benchmarks.scores.score import PolicyScore

REFRESH_S = 1.0  # from one update of the table to the next, at least
REST = 20.0  # times as long as an update took: of large fleets it takes a second and more
REPLAYING = "replaying"

Put = Callable[[Progress], None]


class Watcher(Protocol):
    """Follows what the screen shows, to show it elsewhere as well."""

    def progress(self, progress: Progress) -> None:
        """The work has come so far."""
        ...

    def scores(self, replay: Replay, scores: Sequence[PolicyScore]) -> None:
        """The replay has these scores so far."""
        ...


class Screen:
    """Progress bars, and a table that is updated while the replay runs."""

    def __init__(self, console: Console, watcher: Watcher | None = None) -> None:
        self._console, self._watcher, self._clock = console, watcher, SystemClock()

    def print(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def say(self, sentence: str) -> None:
        """Print a sentence, broken between words where a line is full."""
        self._console.print(sentence, highlight=False)

    def print_table(self, section: Section) -> None:
        """Print a further table of a report."""
        shown = _table(section.title, section.columns, section.words)
        for row in section.rows:
            shown.add_row(*row)
        self._console.print(shown)

    @contextmanager
    def progress(self) -> Iterator[OnProgress]:
        """A bar that shows the stage and its share done, as they are reported; full at the end."""
        stage, begun_s = "", self._clock.now()
        with self._bar() as put:

            def show(name: str, share: float, /) -> None:
                nonlocal stage, begun_s
                if name != stage:
                    stage, begun_s = name, self._clock.now()
                put(Progress(stage=stage, share=share, begun_s=begun_s))

            yield show
            if stage:  # else nothing was to be done
                show(stage, 1.0)

    def run(
        self, replay: Replay, *, processes: int = 1, span_s: float = np.inf
    ) -> list[PolicyScore]:
        """Run the replay while showing its scores; returns the final ones. As `Replay.run`."""
        begun_s = next_s = self._clock.now()
        scores: list[PolicyScore] = []
        with self._bar(lambda: table(replay, scores)) as put:
            put(Progress(stage=REPLAYING, share=0.0, begun_s=begun_s))

            def show_step(running: Replay) -> None:
                nonlocal next_s, scores
                now = self._clock.now()
                if now >= next_s:
                    scores = running.scores()
                    self._show(running, scores, running.share_done, begun_s, put)
                    shown_s = self._clock.now()
                    next_s = shown_s + max(REFRESH_S, REST * (shown_s - now))

            scores = replay.run(show_step, processes=processes, span_s=span_s)
            self._show(replay, scores, 1.0, begun_s, put)
        self._console.print(table(replay, scores))
        return scores

    def _show(
        self,
        replay: Replay,
        scores: Sequence[PolicyScore],
        share: float,
        begun_s: float,
        put: Put,
    ) -> None:
        figures = _figures(scores, replay.settings.price_s)
        if self._watcher:
            self._watcher.scores(replay, scores)
        put(Progress(stage=REPLAYING, share=share, begun_s=begun_s, figures=figures))

    @contextmanager
    def _bar(self, above: Callable[[], Table] | None = None) -> Iterator[Put]:
        """Shows progress. above: makes the table over the bar, once there are figures."""
        shown = self._on_terminal(above) if self._console.is_terminal else self._in_lines()
        with shown as put:

            def put_and_tell(progress: Progress) -> None:
                put(progress)
                if self._watcher:
                    self._watcher.progress(progress)

            yield put_and_tell

    @contextmanager
    def _in_lines(self) -> Iterator[Put]:
        with ProgressLines(self.print) as lines:
            yield lines.put

    @contextmanager
    def _on_terminal(self, above: Callable[[], Table] | None) -> Iterator[Put]:
        bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        task = bar.add_task("", total=None)
        with Live(bar, console=self._console, refresh_per_second=4, transient=bool(above)) as live:

            def put(progress: Progress) -> None:
                # Without a total the bar pulses: the stage does not say how far it is.
                total = 1.0 if progress.share > 0 else None
                bar.update(task, description=progress.stage, completed=progress.share, total=total)
                if above and progress.figures:
                    live.update(Group(above(), bar))

            yield put


def table(replay: Replay, scores: Sequence[PolicyScore]) -> Table:
    """The headline scores as a table."""
    services, requests = len(replay.demand.services), scores[0].total.requests
    title = f"{services} services, {requests:,} requests, {replayed(replay)} replayed"
    shown = _table(title, COLUMNS)
    for row in rows(headline(scores, replay.settings.price_s)):
        shown.add_row(*row, style="bold" if "kn-ahead" in row[0] else "")
    return shown


def replayed(replay: Replay) -> str:
    """How much of the future was simulated, as "1 d 23.8 h"."""
    hours = (replay.simulation.now - replay.scored_from_s) / 3600
    return f"{hours // 24:.0f} d {hours % 24:04.1f} h"


def _table(title: str, columns: Sequence[str], words: Sequence[int] = (0,)) -> Table:
    """Without rows. words: columns of words; all others are numbers."""
    shown = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        shown.add_column(column, justify="left" if place in words else "right", no_wrap=True)
    return shown


def _figures(scores: Sequence[PolicyScore], price_s: float) -> str:
    """Cold requests under Knative and under kn-ahead, in a few words."""
    cold = {each.policy: each.total.cold_requests for each in scores}
    return f"cold: {cold[KPA]:,} (Knative), {cold[priced(FULL, price_s)]:,} (kn-ahead)"
