"""The dependency graph as SVG, alone or in an HTML page, that loads no external resource.

An arrow is the thicker the greater its gain, dashed if it is not direct, dotted if it is withdrawn,
fainter the lower its confidence; its label is the lag. An arrow that leads back, as in a cycle,
bends below the others. Services that are called together have a line without a tip between them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from autoscaler.api.dependencies import in_order, listed
from autoscaler.api.dependency_answers import DependencyAnswer
from autoscaler.api.graph.layout import layout
from autoscaler.api.words import TEMPLATES, in_words, seconds
from autoscaler.core.prediction.dependencies import Edges, Pair
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file

LINE = 44.0  # px from one service to the next below it
HEIGHT = 28.0  # px of a box
BETWEEN = 110.0  # px from one column to the next
LETTER = 7.3  # px of a letter in a box
PADDING = 18.0  # px of a box beside its letters
MARGIN = 20.0  # px
MOST_LABELS = 150  # arrows; with more, no lags are written beside them
LABELS_AT = (0.5, 0.3, 0.7)  # along an arrow, in turns, so that few labels overlap
SUFFIXES = (".svg", ".html")


_Point = tuple[float, float]  # px
_Curve = tuple[_Point, _Point, _Point, _Point]  # a cubic


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """A service; px."""

    name: str
    x: float  # left
    y: float  # middle
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrow:
    """An edge; px."""

    path: str
    x: float  # of its label
    y: float
    label: str
    description: str
    width: float
    opacity: float
    dashes: str  # as SVG has them; "" = none
    together: bool


def svg(edges: Edges, withdrawn: Collection[Pair] = ()) -> str:
    """The picture of one or more edges; services without an edge are left out."""
    edges, answers = _connected(edges, withdrawn)
    places = layout(len(edges.services), edges.upstream, edges.downstream)
    left, width = _columns(edges.services, places.column)
    boxes = [
        _Box(name=name, x=float(left[column]), y=_y(line), width=len(name) * LETTER + PADDING)
        for name, column, line in zip(edges.services, places.column, places.line, strict=True)
    ]
    lowest = max(*(box.y for box in boxes), *(_y(line) for b in places.bends for _, line in b))
    lags = len(edges) <= MOST_LABELS
    ends = zip(edges.upstream.tolist(), edges.downstream.tolist(), places.bends, strict=True)
    arrows = [
        _arrow(
            edge,
            _way(
                boxes[up], boxes[down], [(left[c], left[c] + width[c], _y(at)) for c, at in bends]
            ),
            along=LABELS_AT[i % 3] if lags else None,
        )
        for i, (edge, (up, down, bends)) in enumerate(zip(answers, ends, strict=True))
    ]
    return TEMPLATES.get_template("graph.svg.j2").render(
        boxes=boxes,
        arrows=arrows,
        height_of_box=HEIGHT,
        width=max(box.x + box.width for box in boxes) + 2 * MARGIN,
        height=lowest + LINE + MARGIN,  # an arrow back hangs lower
    )


def write_picture(
    edges: Edges, path: Path, *, about: str, withdrawn: Collection[Pair] = ()
) -> None:
    """Write the picture to a file, as SVG or HTML by its suffix; about: a sentence for the page.

    Raises PermanentError for another suffix, and if the file cannot be written.
    """
    check_suffix(path)
    picture = svg(edges, withdrawn)
    if path.suffix == ".html":
        picture = TEMPLATES.get_template("graph.html.j2").render(
            picture=picture, about=about, dependencies=listed(in_order(edges), withdrawn)
        )
    with whole_file(path) as file:
        file.write(picture.encode())


def check_suffix(path: Path) -> None:
    """Raise PermanentError for a suffix other than .svg and .html."""
    if path.suffix not in SUFFIXES:
        raise PermanentError(f"picture {str(path)!r}; allowed: a name that ends in .svg or .html")


def _connected(edges: Edges, withdrawn: Collection[Pair]) -> tuple[Edges, list[DependencyAnswer]]:
    """The edges to show over the services that they connect, and as answers.

    Sorted, since the layout depends on the order.
    """
    ends = np.union1d(edges.upstream, edges.downstream).tolist()
    edges = in_order(edges.onto(tuple(sorted(edges.services[i] for i in ends))))
    return edges.where(edges.shown), listed(edges, withdrawn)


def _columns(names: tuple[str, ...], column: IntArray) -> tuple[FloatArray, FloatArray]:
    """(columns,) px from the left, and px wide: as the widest box that stands there."""
    width = np.zeros(int(column.max()) + 1)
    np.maximum.at(width, column, np.array([len(name) * LETTER + PADDING for name in names]))
    return MARGIN + np.concatenate([[0.0], np.cumsum(width + BETWEEN)[:-1]]), width


def _y(line: float) -> float:
    return MARGIN + HEIGHT / 2 + float(line) * LINE


def _arrow(edge: DependencyAnswer, way: list[_Curve], *, along: float | None) -> _Arrow:
    confidence = 1.0 if edge.confidence is None else edge.confidence
    x, y = _place(way, along or 0.5)
    (start, *_), *_ = way
    return _Arrow(
        path="M{:.1f},{:.1f}".format(*start) + "".join(map(_drawn, way)),
        x=round(x, 1),
        y=round(y - 4, 1),
        label=_label(edge) if along else "",
        description=in_words(edge),
        width=round(1.0 + 1.2 * float(np.log2(1.0 + min(edge.gain or 0.0, 30.0))), 2),
        opacity=round(0.3 + 0.7 * confidence, 2),
        dashes="1 5" if edge.withdrawn else "" if edge.direct else "6 4",
        together=edge.together,
    )


def _label(edge: DependencyAnswer) -> str:
    if edge.together:
        return "together"
    return "" if edge.lag_s is None else seconds(edge.lag_s)


def _place(way: list[_Curve], t: float) -> _Point:
    """Place of a label: above the first level line, or at t, 0 to 1 along the only curve."""
    if len(way) > 1:
        (*_, (x, y)), ((to_x, _), *_) = way[0], way[1]
        return (x + to_x) / 2, y
    weights = np.array([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])  # Bernstein
    x, y = (weights @ np.array(way[0])).tolist()
    return x, y


def _drawn(curve: _Curve) -> str:
    """A line to where the curve begins, and the curve."""
    (x, y), *bends = curve
    return f"L{x:.1f},{y:.1f}C" + " ".join(f"{a:.1f},{b:.1f}" for a, b in bends)


def _way(up: _Box, down: _Box, bends: list[tuple[float, float, float]]) -> list[_Curve]:
    """Curves from one box to another, level through what is in between: left, right and y."""
    if up.x < down.x:  # to the right
        level = [(up.x, up.x + up.width, up.y - 3), *bends, (down.x, down.x, down.y - 3)]
        return [_curve(x, y, to_x, to_y) for (_, x, y), (to_x, _, to_y) in pairwise(level)]
    if up.x > down.x:  # back
        level = [(up.x, up.x, up.y + 7), *bends, (down.x, down.x + down.width, down.y + 7)]
        low = 0.0 if bends else LINE * 0.6
        return [_curve(x, y, to_x, to_y, low) for (x, _, y), (_, to_x, to_y) in pairwise(level)]
    x, to_x = up.x + up.width, down.x + down.width  # above or below
    far = max(x, to_x) + 60
    return [((x, up.y), (far, up.y), (far, down.y), (to_x, down.y))]


def _curve(x: float, y: float, to_x: float, to_y: float, low: float = 0.0) -> _Curve:
    """A cubic that begins and ends level; low: px that it hangs down in between."""
    bend = float(np.clip((to_x - x) / 2, -160.0, 160.0))
    return (x, y), (x + bend, y + low), (to_x - bend, to_y + low), (to_x, to_y)
