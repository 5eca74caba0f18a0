"""What is ahead, on the terminal and as an HTML page."""

from pathlib import Path

import numpy as np
from rich.table import Table
from rich.text import Text

from autoscaler.cli.explain import INKS, bar
from autoscaler.cli.table import UNKNOWN, show
from autoscaler.cli.words import number, percent, plain
from autoscaler.core.types import FloatArray
from benchmarks.forecast.look_ahead import QUANTILES, Ahead
from benchmarks.report.figures import Timeline
from benchmarks.report.page import Report, Section, write_report
from benchmarks.whatif.past import Past, span

BLOCKS = "▁▂▃▄▅▆▇█"
NO_BLOCK = " "  # where nothing is known
COLUMNS, SHOWN_H = 72, 24  # of the past in the terminal
PAGE_H = 6  # of the past in the page: beside a day, the next hour would be a line
NAMES = tuple(f"P{100 * q:g}" for q in QUANTILES)
CHECKED = ("minutes ahead", "forecasts", *NAMES, "a request, forecast", "came")
NOTES = (
    "P50, P90, P99: what came was within it in so many of 100 forecasts; at the quantile itself "
    "an outcome counts by the share of its probability below (counts would overshoot else).",
    "Checked forecasts are of a model fitted before them, with the steps before each seen. The one "
    "ahead is fitted on all that was read.",
    "When in its minute a request came is drawn, seeded: synthetic.",
)


def print_ahead(ahead: Ahead, price_s: float) -> None:
    """Print the past as a line of blocks, and each window ahead as a bar."""
    past = _last(ahead, SHOWN_H)
    show(
        Text(
            f"{ahead.service}, the last {SHOWN_H} h: requests in flight at once, up to "
            f"{number(float(np.nanmax(past, initial=0.0)))}",
            style="bold",
        ),
        Text(blocks(past, COLUMNS), style="cyan"),
    )
    if ahead.reason:
        show(Text(f"\nNo forecast: {plain(ahead.reason)}."))
        return
    show(Text(f"\nAhead, by {ahead.model}", style="bold"), _windows(ahead, price_s))


def blocks(values: FloatArray, columns: int) -> str:
    """Values as so many blocks at most, each as high as the greatest in it.

    >>> blocks(np.array([0.0, 1.0, 2.0, 7.0, np.nan, np.nan]), 3)
    '▂█ '
    """
    group = -(-len(values) // columns)
    tops = np.fmax.reduceat(values, np.arange(0, len(values), group))
    most = max(float(np.nanmax(tops, initial=0.0)), 1.0)
    heights = np.nan_to_num(np.rint(tops / most * (len(BLOCKS) - 1))).astype(np.int64)
    pairs = zip(heights.tolist(), np.isnan(tops).tolist(), strict=True)
    return "".join(NO_BLOCK if unknown else BLOCKS[height] for height, unknown in pairs)


def _windows(ahead: Ahead, price_s: float) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    legend = "  ".join(f"{ink} {name}" for ink, name in zip(INKS, NAMES, strict=True))
    table.add_column(Text("MINUTES", style="dim"), justify="right", no_wrap=True)
    table.add_column(Text(legend, style="dim"), no_wrap=True)
    for head in (*NAMES, "any", f"pods at {price_s:g} s"):
        table.add_column(Text(head, style="dim"), justify="right", no_wrap=True)
    most = max(window.demand[-1] for window in ahead.windows)
    for window in ahead.windows:
        table.add_row(
            "-".join(f"{minutes:g}" for minutes in window.minutes),
            Text(bar(window.demand, most), style="cyan"),
            *map(number, window.demand),
            f"{percent(window.any)} %",
            str(window.pods),
        )
    return table


def checked(ahead: Ahead, checked_days: float) -> Section:
    """What was promised in the last days, and what came."""
    return Section(
        f"{ahead.service}: promised and came, last {span(checked_days)}",
        CHECKED,
        tuple(
            (
                "-".join(f"{minutes:g}" for minutes in window.minutes),
                f"{window.checked:,}",
                *map(_share, (*window.covered, window.any_forecast, window.any_came)),
            )
            for window in ahead.windows
        ),
    )


def _share(value: float) -> str:
    return UNKNOWN if np.isnan(value) else f"{100 * value:.1f} %"


def write_page(ahead: Ahead, past: Past, section: Section, price_s: float, path: Path) -> None:
    """Write the page. Raises PermanentError where it cannot be written."""
    said = (
        f"No forecast of {ahead.service}: {ahead.reason}."
        if ahead.reason
        else f"{ahead.service}: {_in_words(ahead)}, at a price of {price_s:g} s."
    )
    report = Report(
        title=f"What is ahead of {ahead.service}",
        said=(said,),
        facts=(("Read", " ".join(past.said())), ("Model", ahead.model or "none")),
        columns=(),
        rows=(),
        sections=(section,),
        curves=(),
        timelines=(_timeline(ahead, price_s),),
        notes=NOTES,
    )
    write_report(report, path)


def _in_words(ahead: Ahead) -> str:
    most = max(ahead.windows, key=lambda window: window.pods)
    until = f"{ahead.windows[-1].minutes[1]:g} minutes"
    ends = "-".join(f"{minutes:g}" for minutes in most.minutes)
    pods = "1 pod is" if most.pods == 1 else f"{most.pods or 'no'} pods are"
    when = f", most in minutes {ends}" if most.pods else ""
    return f"{pods} worth having in the next {until}{when}"


def _timeline(ahead: Ahead, price_s: float) -> Timeline:
    """The last hours, and what is ahead: beside each other on one axis."""
    past = _last(ahead, PAGE_H)
    steps = [
        window
        for window in ahead.windows
        for _ in range(round((window.minutes[1] - window.minutes[0]) * 60 / ahead.step_s))
    ]
    unknown = np.full(len(steps), np.nan)
    band = tuple(
        (q, np.append(ahead.band[place][-len(past) :], [w.demand[place] for w in steps]))
        for place, q in enumerate(QUANTILES)
    )
    pods = np.append(np.full(len(past), np.nan), [float(window.pods) for window in steps])
    return Timeline(
        service=ahead.service,
        start_s=ahead.now_s - len(past) * ahead.step_s,
        step_s=ahead.step_s,
        peak=np.append(past, unknown),
        band=band,
        pods=((f"kn-ahead @ {price_s:g} s", pods),),
        cold=(),
    )


def _last(ahead: Ahead, hours: float) -> FloatArray:
    return ahead.peak[-int(hours * 3600 // ahead.step_s) :]
