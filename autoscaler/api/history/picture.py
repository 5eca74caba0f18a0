"""What became of a service as SVG: demand and its forecast, pods of both policies, and changes.

Every change of pods is a mark with a number, by which its reason is found in the table of changes;
a link leads there. Marks that would overlap are one, with the numbers of all. Drawn for a screen,
and for a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from autoscaler.advisor.history import SAMPLE_S, Past
from autoscaler.api.answers import WindowAnswer
from autoscaler.api.words import TEMPLATES, number
from autoscaler.core.types import FloatArray

WIDE, NARROW = 960.0, 360.0  # px
LEAST_S = 3600.0  # s of the past that are drawn at least, where no less is asked for
LEFT, RIGHT = 38.0, 8.0  # px beside the plots
DEMAND, PODS, LANE, BETWEEN = 150.0, 110.0, 34.0, 26.0  # px of height
LETTER = 6.4  # px of a letter of a mark
TICK_STEPS_S = (300.0, 600.0, 900.0, 1800.0, 3600.0)
TICK_ROOM = 64.0  # px from one time to the next

_Point = tuple[float, float, float]  # begin and end, Unix s; value


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A change of pods."""

    number: int
    at_s: float  # Unix s
    ours: bool  # kn-ahead's; else Knative's
    up: bool  # to more pods
    billed: bool  # a bill had the last word
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn."""

    now: float  # Unix s
    span_s: float  # of the past that is drawn at most
    past: Past
    windows: Sequence[WindowAnswer]  # of the forecast in force; those ahead are drawn
    marks: Sequence[Mark]
    applied: bool  # whether kn-ahead is in force, and Knative estimated
    all_marks_s: float  # Unix s from which on every change has a mark

    @property
    def begin_s(self) -> float:
        """Unix s from which on it is drawn."""
        known_s = float(self.past.start_s.min(initial=self.now))
        return min(max(known_s, self.now - self.span_s), self.now - min(LEAST_S, self.span_s))

    @property
    def end_s(self) -> float:
        """Unix s up to which it is drawn: the forecast's end, but no more than half the past."""
        ends_s = [window.end.timestamp() for window in self.windows]
        return min(max([self.now + SAMPLE_S, *ends_s]), self.now + self.span_s / 2)

    @property
    def all_ours(self) -> bool:
        """Whether all changes are kn-ahead's, and in force."""
        return self.applied and all(mark.ours for mark in self.marks)

    @property
    def numbers(self) -> frozenset[int]:
        """Of the marks that are drawn."""
        return frozenset(mark.number for mark in self.marks if mark.at_s >= self.begin_s)

    @property
    def marks_since(self) -> datetime | None:
        """From when on every change has a mark, where that is not all of the time drawn."""
        missing = self.all_marks_s > self.begin_s
        return datetime.fromtimestamp(self.all_marks_s, UTC) if missing else None

    @property
    def since(self) -> datetime | None:
        """From when on anything is known, where that is not all of the time drawn."""
        known_s = self.past.start_s.min(initial=self.now)
        missing = known_s >= self.begin_s + SAMPLE_S
        return datetime.fromtimestamp(known_s, UTC) if missing else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Marks that are drawn as one."""

    marks: list[Mark]  # the newest last
    left: float  # px that the label takes
    right: float

    @property
    def label(self) -> str:
        numbers = [mark.number for mark in self.marks]
        return f"{numbers[0]}" if len(numbers) == 1 else f"{max(numbers)}\N{EN DASH}{min(numbers)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plane:
    """From times and values to px."""

    width: float
    begin_s: float
    end_s: float

    def x(self, at_s: float) -> float:
        """Within the plot: what is before or after is at its edge."""
        part = (at_s - self.begin_s) / (self.end_s - self.begin_s)
        return LEFT + (self.width - LEFT - RIGHT) * min(max(part, 0.0), 1.0)

    def steps(self, points: Sequence[_Point], axis: "_Axis") -> str:
        """A line of steps; where the end of one is not the begin of the next it has a gap."""
        path, end_s, level = "", np.nan, ""
        for begin_s, until_s, value in points:
            y = f"{axis.y(value):.1f}"
            if begin_s != end_s:
                path += f"M{self.x(begin_s):.1f},{y}"
            elif y != level:
                path += f"V{y}"
            path += f"H{self.x(until_s):.1f}"
            end_s, level = until_s, y
        return path

    def area(self, points: Sequence[_Point], floor: Sequence[_Point], axis: "_Axis") -> str:
        """Between two lines of the same steps."""
        path = ""
        for (begin_s, until_s, high), (_, _, low) in zip(points, floor, strict=True):
            left, right = self.x(begin_s), self.x(until_s)
            top, bottom = axis.y(high), axis.y(low)
            path += f"M{left:.1f},{top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}z"
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """Values of one plot, from zero up."""

    title: str
    top: float  # px
    height: float  # px
    most: float

    def y(self, value: float) -> float:
        """px."""
        return self.top + self.height * (1.0 - value / self.most)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """px, and a number."""
        step = _step(self.most)
        return [(self.y(v), number(v)) for v in np.arange(0.0, self.most + step / 2, step).tolist()]


def draw(chart: Chart, width: float) -> str:
    """As SVG, so many px wide."""
    plane = _Plane(width=width, begin_s=chart.begin_s, end_s=chart.end_s)
    demand, pods = _axes(chart)
    lanes = [one for one in (True, False) if any(mark.ours == one for mark in chart.marks)]
    base = pods.top + PODS
    return TEMPLATES.get_template("history.svg.j2").render(
        chart=chart,
        width=width,
        height=base + LANE * len(lanes) + 20.0,
        left=LEFT,
        right=width - RIGHT,
        now=plane.x(chart.now),
        axes=(demand, pods),
        times=_times(plane, width),
        bands=_bands(chart, plane, demand),
        lines=_lines(chart, plane, demand, pods),
        unknown=plane.x(chart.since.timestamp() if chart.since else chart.begin_s),
        lanes=[
            (base + 8.0 + LANE * i, ours, _groups(chart.marks, plane, ours=ours))
            for i, ours in enumerate(lanes)
        ],
        base=base,
        x=plane.x,
    )


def _axes(chart: Chart) -> tuple[_Axis, _Axis]:
    past = chart.past
    demand = [*(w.p99 for w in _ahead(chart)), *past.peak, *past.p99]
    pods = [*past.knative, *past.ahead, *past.ready]
    return (
        _Axis(title="Requests in flight", top=18.0, height=DEMAND, most=_most(demand)),
        _Axis(title="Pods", top=18.0 + DEMAND + BETWEEN, height=PODS, most=_most(pods)),
    )


def _most(values: Sequence[float]) -> float:
    """The end of an axis for values: a whole step, one at least."""
    most = max((v for v in values if np.isfinite(v)), default=1.0)
    step = _step(most)
    return max(float(np.ceil(most / step)) * step, 1.0)


def _step(most: float) -> float:
    """1, 2 or 5 times a power of ten, so that there are up to five steps."""
    least = max(most / 5.0, 0.2)
    power = 10.0 ** np.floor(np.log10(least))
    step: float = next(power * n for n in (1.0, 2.0, 5.0, 10.0) if power * n >= least * 0.999)
    return step if most < 1.0 else max(step, 1.0)


def _times(plane: _Plane, width: float) -> list[tuple[float, str]]:
    """px and time of day of the marks of the time axis."""
    room = (plane.end_s - plane.begin_s) * TICK_ROOM / (width - LEFT - RIGHT)
    step_s = next((step for step in TICK_STEPS_S if step >= room), TICK_STEPS_S[-1])
    first = np.ceil(plane.begin_s / step_s) * step_s
    return [
        (plane.x(at_s), f"{datetime.fromtimestamp(at_s, UTC):%H:%M}")
        for at_s in np.arange(first, plane.end_s + 1.0, step_s).tolist()
    ]


def _ahead(chart: Chart) -> list[WindowAnswer]:
    return [window for window in chart.windows if window.end.timestamp() > chart.now]


def _bands(chart: Chart, plane: _Plane, axis: _Axis) -> list[tuple[str, str]]:
    """Area and median of the forecast: as it was in force, and ahead."""
    past = chart.past
    windows = [(max(w.start.timestamp(), chart.now), w.end.timestamp(), w) for w in _ahead(chart)]
    both = (
        (_points(chart, past.p50), _points(chart, past.p99)),
        (
            [(begin_s, end_s, w.p50) for begin_s, end_s, w in windows],
            [(begin_s, end_s, w.p99) for begin_s, end_s, w in windows],
        ),
    )
    return [(plane.area(high, low, axis), plane.steps(low, axis)) for low, high in both]


def _lines(chart: Chart, plane: _Plane, demand: _Axis, pods: _Axis) -> dict[str, str]:
    past, ready = chart.past, _points(chart, chart.past.ready)
    return {
        "peak": plane.steps(_points(chart, past.peak), demand),
        "ready": plane.area(ready, [(begin_s, end_s, 0.0) for begin_s, end_s, _ in ready], pods),
        "knative": plane.steps(_points(chart, past.knative), pods),
        "ahead": plane.steps(_points(chart, past.ahead), pods),
    }


def _points(chart: Chart, values: FloatArray) -> list[_Point]:
    """What is known of a series, until now."""
    samples = zip(chart.past.start_s.tolist(), values.tolist(), strict=True)
    return [
        (at_s, min(at_s + SAMPLE_S, chart.now), value)
        for at_s, value in samples
        if np.isfinite(value) and at_s <= chart.now
    ]


def _groups(marks: Sequence[Mark], plane: _Plane, *, ours: bool) -> list[_Group]:
    """Marks of one policy within the plot, so that no label overlaps the one before."""
    inside = (m for m in marks if m.ours == ours and m.at_s >= plane.begin_s)
    groups: list[_Group] = []
    for mark in sorted(inside, key=lambda mark: mark.at_s):
        group = _group([mark], plane)
        while groups and group.left < groups[-1].right + 3.0:
            group = _group([*groups.pop().marks, *group.marks], plane)
        groups.append(group)
    return groups


def _group(marks: list[Mark], plane: _Plane) -> _Group:
    middle = (plane.x(marks[0].at_s) + plane.x(marks[-1].at_s)) / 2
    label = _Group(marks=marks, left=0.0, right=0.0).label
    half = len(label) * LETTER / 2
    return _Group(marks=marks, left=middle - half, right=middle + half)
