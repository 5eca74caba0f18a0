"""The report: results of a benchmark as one self-contained HTML file, or as Markdown.

Figures are SVG inside the page; their colours are the page's CSS variables, so that they follow its
light and dark scheme. Labels are for readers who do not know the project.
"""

import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from autoscaler.files import whole_file
from benchmarks.report.figures import Curve, Timeline
from benchmarks.report.plots import colours, draw_curves, draw_timeline, steps_a_point


@dataclass(frozen=True, slots=True)
class Section:
    """A further table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # preformatted; the first column names what a row is about
    words: tuple[int, ...] = (0,)  # columns of words; all others are numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The content of the page, in order."""

    title: str
    said: tuple[str, ...] = ()  # what a reader should remember, the most important first
    facts: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # preformatted; the first column names the policy
    sections: tuple[Section, ...] = ()
    curves: tuple[Curve, ...]
    more_curves: tuple[tuple[str, tuple[Curve, ...]], ...] = ()  # further figures, with a title
    timelines: tuple[Timeline, ...]
    notes: tuple[str, ...]


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=select_autoescape(("html.j2",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


_TEMPLATES.filters["cell"] = lambda text: text.replace("|", "\\|")  # of a Markdown table


def write_report(report: Report, path: Path) -> None:
    """Write it, whole or not at all: the page, or its texts and tables where ``path`` ends on .md.

    Raises PermanentError where it cannot be written.
    """
    page = _markdown(report) if path.suffix == ".md" else _html(report)
    with whole_file(path) as file:
        file.write(page.encode())


def _markdown(report: Report) -> str:
    text = _TEMPLATES.get_template("report.md.j2").render(report=report)
    return re.sub(r"\n{3,}", "\n\n", text)


def _html(report: Report) -> str:
    colour = colours(_policies(report))
    # The figures are our own SVG: matplotlib has escaped their texts.
    both = ("wide", False), ("narrow", True)
    figures = [
        [(kind, Markup(draw_curves(some, colour, narrow=narrow))) for kind, narrow in both]  # noqa: S704
        for some in (report.curves, *(some for _, some in report.more_curves))
        if some
    ]
    timelines = [
        (
            t.service,
            _points(t),
            bool(t.cold),
            [(kind, Markup(draw_timeline(t, colour, narrow=narrow))) for kind, narrow in both],  # noqa: S704
        )
        for t in report.timelines
    ]
    return _TEMPLATES.get_template("report.html.j2").render(
        report=report,
        curves=figures.pop(0) if report.curves else (),
        more_curves=[
            (title, drawn) for (title, _), drawn in zip(report.more_curves, figures, strict=True)
        ],
        timelines=timelines,
    )


def _policies(report: Report) -> list[str]:
    """Every policy's name, in order of appearance."""
    drawn = [policy for t in report.timelines for policy, _ in (*t.pods, *t.cold)]
    curves = chain(report.curves, *(some for _, some in report.more_curves))
    return [*(curve.name for curve in curves), *drawn]


def _points(timeline: Timeline) -> str:
    """A sentence about the steps of a drawn point, if it covers more than one."""
    steps = steps_a_point(len(timeline.peak))
    if steps == 1:
        return ""
    seconds = steps * timeline.step_s
    return f" Each point shows the greatest within {seconds:g} s, each tick the sum."
