"""How far the run is, and what it has found, as the notice above the page's decisions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autoscaler.clock import Clock, SystemClock
from benchmarks.report.progress import Progress

SPEED = 60.0  # of the live shop's clock, s a second
COLUMNS = ("policy", "cold", "pod-h")
Rows = tuple[tuple[str, ...], ...]

_TEMPLATE = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("banner.html.j2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Scores of a replay, for people."""

    title: str
    rows: Rows  # as `COLUMNS` names them


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a cached result is from."""

    command: str
    made_at: str


class Live(Protocol):
    """The shop that goes on."""

    @property
    def now(self) -> float:
        """Unix s, its own."""
        ...

    @property
    def end_s(self) -> float:
        """Unix s at which its days are over."""
        ...


@dataclass(slots=True, kw_only=True)
class Status:
    """What the notice says. The run sets one attribute at a time; the page reads in its thread."""

    progress: Progress | None = None
    figures: Figures | None = None
    verdict: Sequence[str] = ()
    next_steps: Sequence[tuple[str, str]] = ()
    cached: tuple[Origin, Figures] | None = None  # None = what is shown is this run's own
    live: Live | None = None
    clock: Clock = field(default_factory=SystemClock)

    def html(self) -> str:
        """The notice."""
        now, progress, live = self.clock.now(), self.progress, self.live
        origin, former = self.cached or (None, None)
        doing = progress.sentence(now) if progress else "starting"
        return _TEMPLATE.render(
            origin=origin,
            clock=f"{datetime.fromtimestamp(live.now, UTC):%Y-%m-%d %H:%M} UTC" if live else "",
            over=live is not None and live.now >= live.end_s,
            speed=SPEED,
            verdict=self.verdict,
            next=self.next_steps,
            doing=f"{doing[0].upper()}{doing[1:]}.",
            share=progress.share if progress else 0.0,
            columns=COLUMNS,
            figures=self.figures or former,
        )
