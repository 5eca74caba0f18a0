"""The report's plots, as SVG elements for a page.

Colours are placeholders: hex values used for nothing else, replaced in the SVG by the page's CSS
variables (`--ink`, `--series-0`, ...), so that a figure follows its light and dark scheme. Without
pyplot, which would keep every figure in memory.

Each is drawn wide for a screen, or narrow for a phone: shrunk to half its width none can be read.
"""

import io
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.report.figures import Curve, Timeline

INK, SOFT, GRID, BAND = "#0000f1", "#0000f2", "#0000f3", "#0000f4"
SERIES = tuple(f"#0000e{i}" for i in range(8))
_VARIABLE = {INK: "ink", SOFT: "soft", GRID: "line", BAND: "band"} | {
    colour: f"series-{i}" for i, colour in enumerate(SERIES)
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, and searchable
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a name is not mathematics
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": GRID,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_WIDE = 20.0  # ratio of greatest to least above which a scale is logarithmic
NARROW = 4.4  # in: of a phone
MOST_POINTS = 2000  # more steps are drawn several to a point
_DAY_S = 86_400.0


def colours(names: list[str]) -> dict[str, str]:
    """One colour per name, the same in every figure; after the eighth they repeat."""
    order = dict.fromkeys(names)
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(order)}


def draw_curves(
    curves: "tuple[Curve, ...]", colour: Mapping[str, str], *, narrow: bool = False
) -> str:
    """Cold-request rate against normalised memory, as SVG."""
    with _style("curves", narrow=narrow):
        size = (NARROW, 6.5) if narrow else (9.5, 5.5)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        for curve in curves:
            shape = {"marker": "o", "markersize": 4} if curve.line else {"marker": "D"}
            axes.plot(
                curve.normalised_memory,
                curve.cold_rate,
                color=colour[curve.name],
                linestyle="-" if curve.line else "none",
                label=curve.name,
                clip_on=False,
                **shape,
            )
        ideal = "" if narrow else " (1 is ideal)"
        axes.set_xlabel(f"Normalised memory: allocated / used{ideal}")
        axes.set_ylabel("Cold requests, % of all requests")
        _scale_rate(axes, np.concatenate([curve.cold_rate for curve in curves]))
        _scale_memory(axes, np.concatenate([curve.normalised_memory for curve in curves]))
        axes.margins(x=0.09)
        figure.legend(loc="outside upper left", ncols=1 if narrow else 4)
        figure.draw_without_rendering()
        _label_points(axes, sorted(curves, key=lambda curve: curve.line))
        return _svg(figure)


def _scale_rate(axes: Axes, rate: FloatArray) -> None:
    some = rate[np.isfinite(rate) & (rate > 0)]
    if len(some) and some.max() / some.min() > _WIDE:
        if (rate == 0).any():  # zero is shown below the least
            axes.set_yscale("symlog", linthresh=10 ** np.floor(np.log10(some.min())))
        else:
            axes.set_yscale("log")
    axes.set_ylim(bottom=0 if (rate == 0).any() or axes.get_yscale() == "linear" else None)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _scale_memory(axes: Axes, memory: FloatArray) -> None:
    some = memory[np.isfinite(memory) & (memory > 0)]
    if len(some) and some.max() / some.min() > _WIDE:
        axes.set_xscale("log", subs=[])
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _label_points(axes: Axes, curves: "list[Curve]") -> None:
    """Write each point's label beside it, where there is room; single points first."""
    taken: list[Bbox] = []
    for curve in curves:
        points = zip(curve.normalised_memory, curve.cold_rate, curve.labels, strict=True)
        for x, y, text in points:
            if not np.isfinite([x, y]).all():
                continue
            left, bottom = axes.transData.transform((x, y))
            box = Bbox.from_bounds(left + 6, bottom + 4, 6.2 * len(text), 13)
            if not any(box.overlaps(other) for other in taken):
                taken.append(box)
                axes.annotate(
                    text,
                    (x, y),
                    xytext=(5, 4),
                    textcoords="offset points",
                    color=INK if not curve.line else SOFT,
                    fontsize=8.5,
                    annotation_clip=False,
                )


def draw_timeline(timeline: Timeline, colour: Mapping[str, str], *, narrow: bool = False) -> str:
    """Demand with its forecast, pods, and cold requests over one time axis, as SVG."""
    group = steps_a_point(len(timeline.peak))
    starts = np.arange(0, len(timeline.peak), group)
    edges = np.append(starts, len(timeline.peak)) * timeline.step_s + timeline.start_s
    days = edges / _DAY_S  # (points + 1,) days since 1970, as the date axis counts
    with _style(timeline.service, narrow=narrow):
        ratios = (3.0, 2.4, 1.5) if timeline.cold else (3.0, 2.4)
        width = NARROW if narrow else 11.0
        figure = Figure(figsize=(width, 1.09 * sum(ratios)), layout="constrained")
        demand, pods, *cold = figure.subplots(len(ratios), sharex=True, height_ratios=ratios)
        lowest = cold[0] if cold else pods
        _draw_demand(demand, timeline, days, starts, ncols=2 if narrow else 5)
        for policy, count in timeline.pods:
            top = np.fmax.reduceat(count, starts)
            pods.stairs(top, days, baseline=None, color=colour[policy], label=policy, linewidth=1.3)
        _whole_numbers(pods, "Pods", ncols=1 if narrow else 5)
        for axes in cold:
            _draw_cold(axes, timeline, days, starts, colour)
        # So many have room. Of few at most, fewer at least: else there are times that none suits.
        least, most = (2, 5) if narrow else (5, None)
        locator = AutoDateLocator(minticks=least, maxticks=most)  # type: ignore[no-untyped-call]
        lowest.xaxis.set_major_locator(locator)
        formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        lowest.xaxis.set_major_formatter(formatter)
        lowest.set_xlabel("Time, UTC")
        lowest.set_xlim(days[0], days[-1])
        figure.align_ylabels()
        return _svg(figure)


def steps_a_point(n_steps: int) -> int:
    """Number of steps that one drawn point covers."""
    return -(-n_steps // MOST_POINTS)


def _draw_demand(
    axes: Axes, timeline: Timeline, days: FloatArray, starts: IntArray, *, ncols: int
) -> None:
    bands = [
        (q, np.fmax.reduceat(values, starts)) for q, values in sorted(timeline.band, key=_level)
    ]
    shade = np.linspace(0.65, 0.25, max(len(bands) - 1, 1))  # the more likely, the darker
    for alpha, ((low, lower), (high, upper)) in zip(shade, pairwise(bands), strict=False):
        axes.stairs(
            upper,
            days,
            baseline=lower,
            fill=True,
            color=BAND,
            alpha=float(alpha),
            linewidth=0,
            label=f"forecast, {100 * low:g}\N{EN DASH}{100 * high:g} %",
        )
    for q, values in bands[-1:]:  # where all quantiles are equal, the band has no area
        label = f"forecast, {100 * q:g} %"
        axes.stairs(values, days, baseline=None, color=BAND, linewidth=1.2, label=label)
    peak = np.fmax.reduceat(timeline.peak, starts)
    axes.stairs(peak, days, baseline=None, color=INK, linewidth=0.8, label="demand")
    _whole_numbers(axes, "Requests in flight at once", ncols)


def _draw_cold(
    axes: Axes,
    timeline: Timeline,
    days: FloatArray,
    starts: IntArray,
    colour: Mapping[str, str],
) -> None:
    """One row per policy, with a tick where requests were cold, taller for more."""
    sums = {policy: np.add.reduceat(count, starts) for policy, count in timeline.cold}
    most = max((float(np.nanmax(s)) for s in sums.values()), default=0.0)
    for row, (policy, total) in enumerate(sums.items()):
        where = np.flatnonzero(total > 0)
        height = 0.15 + 0.45 * np.sqrt(total[where] / max(most, 1.0))
        axes.annotate(
            f"{policy}: {np.nansum(total):,.0f}",
            (days[0], 0.64 - row),
            xytext=(4, 0),
            textcoords="offset points",
            color=colour[policy],
            fontsize=8.5,
        )
        # One line with NaN between ticks: a line per tick would be a path each.
        x = np.repeat(days[where], 3)
        y = np.stack([np.full(len(where), -row), height - row, np.full(len(where), np.nan)], axis=1)
        axes.plot(x, y.ravel(), color=colour[policy], linewidth=1.1, clip_on=False)
    axes.set_yticks([])
    axes.set_ylim(0.9 - max(len(sums), 1), 1)
    axes.set_ylabel("Cold requests")


def _level(band: tuple[float, FloatArray]) -> float:
    return band[0]


def _whole_numbers(axes: Axes, label: str, ncols: int) -> None:
    """An axis of whole numbers from zero, with the legend above."""
    axes.set_ylabel(label)
    axes.use_sticky_edges = False  # keeps the highest line off the frame
    axes.autoscale_view()
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=ncols, borderaxespad=0.2, columnspacing=1.4
    )


def _style(salt: str, *, narrow: bool) -> AbstractContextManager[None]:
    """Our style; the salt makes ids unique to a figure, and the same in every run."""
    return mpl.rc_context(_STYLE | {"svg.hashsalt": f"{salt}, narrow" if narrow else salt})


def _svg(figure: Figure) -> str:
    """The figure as an SVG element for a page: named colours, no prologue, short numbers."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # ids such as "axes_1" would repeat in the page
    text = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), text)
    text = re.sub(r"(<svg [^>]*?) width=\"[^\"]*\"", r"\1", text)
    text = re.sub(r"(<svg [^>]*?) height=\"[^\"]*\"", r"\1", text)
    return re.sub("#0000[ef].", lambda hex_: f"var(--{_VARIABLE[hex_[0]]})", text)
