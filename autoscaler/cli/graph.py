"""`kn-ahead graph`: selection of edges, and their table in a terminal."""

from collections.abc import Mapping

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autoscaler.api.dependencies import in_order, listed
from autoscaler.api.dependency_answers import DependencyAnswer
from autoscaler.api.words import number, percent, seconds
from autoscaler.cli.words import plain
from autoscaler.core.prediction.dependencies import Edges, Pair
from autoscaler.core.types import BoolArray, IntArray
from autoscaler.errors import PermanentError

MOST_ARROWS = 600  # that can be read in one picture
NAME_WIDTH = 22  # up to which names are in one line
NONE_YET = (
    "No dependency is known yet: the learner finds them when services have called each other for "
    "some days, and the annotation kn-ahead.dev/upstreams names them at once."
)


def shown(edges: Edges, *, direct: bool, least: float, service: str) -> Edges:
    """The edges to show, in alphabetical order; both ways where services come together.

    direct: direct edges only. least: confidence; above 0, edges of unknown confidence are left out.
    service: only edges on paths to it or from it; "" = all. Raises PermanentError for a service
    without an edge.
    """
    chosen = edges.direct.copy() if direct else np.ones(len(edges), dtype=np.bool_)
    if least > 0:
        chosen &= edges.confidence >= least  # NaN compares False
    selected = edges.where(edges.both_ways(chosen))
    if service:
        _check(edges, service)
        selected = selected.where(_around(selected, selected.services.index(service)))
    return in_order(selected)


def picture(edges: Edges, *, of: Edges, withdrawn: Mapping[Pair, str]) -> RenderableType:
    """Edges as a table, with a summary. of: all known edges.

    withdrawn: those that are, and why they are not acted on.
    """
    if not len(edges):
        return Text(summary(edges, of=of) if len(of) else NONE_YET)
    table = Table(box=None, pad_edge=False, header_style="dim")
    widest = _widest(edges)
    for name in ("Upstream", "", "Downstream"):
        least = min(NAME_WIDTH, widest) if name else 3
        # Where one may wrap, rich takes it for narrower than its least width, and cuts the last.
        table.add_column(name, overflow="fold", min_width=least, no_wrap=widest <= NAME_WIDTH)
    for name in ("Lag", "Gain", "Probability", "Confidence"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Origin")
    answers = listed(edges, withdrawn)
    befores = [None, *(one.upstream for one in answers)]
    for before, one in zip(befores, answers, strict=False):
        table.add_row(
            Text("" if one.upstream == before else one.upstream, style="bold"),
            Text(_line(one), style="cyan"),
            Text(one.downstream),
            "together" if one.together else seconds(one.lag_s),
            number(one.gain),
            percent(one.probability),
            percent(one.confidence),
            f"{one.origin}, withdrawn" if one.withdrawn else one.origin,
        )
    reasons = [
        Text(plain(f"{one.upstream} to {one.downstream} is not acted on: {why}"))
        for one in answers
        if (why := withdrawn.get((one.upstream, one.downstream)))
    ]
    return Group(table, Text(""), *reasons, Text(summary(edges, of=of), style="dim"))


def _line(one: DependencyAnswer) -> str:
    dash = "┈" if one.withdrawn else "─" if one.direct else "╌"
    return 2 * dash + (dash if one.together else "▶")


def _widest(edges: Edges) -> int:
    ends = np.union1d(edges.upstream, edges.downstream).tolist()
    return max(len(edges.services[i]) for i in ends)


def summary(edges: Edges, *, of: Edges) -> str:
    """How many edges are shown, of how many."""
    ends = np.union1d(edges.upstream, edges.downstream)
    n, known = int(edges.shown.sum()), int(of.shown.sum())
    much = f"{_many(n, 'dependency', 'dependencies')} between {len(ends)} services"
    if n == known:
        return f"{much}."
    indirect = int((of.shown & ~of.direct).sum())
    more = f", {indirect:,} of them not direct: --all shows those" if indirect else ""
    return f"{much} shown, of {known:,} known{more}."


def hint(edges: Edges) -> str:
    """Advice for a picture with too many arrows to read; "" = it has not."""
    n = int(edges.shown.sum())
    if n <= MOST_ARROWS:
        return ""
    return (
        f"{n:,} arrows in one picture are hard to follow: --service NAME or --least 0.9 draw fewer."
    )


def _many(n: int, one: str, several: str) -> str:
    return f"{n:,} {one if n == 1 else several}"


def _check(edges: Edges, service: str) -> None:
    ends = np.union1d(edges.upstream, edges.downstream).tolist()
    names = sorted(edges.services[i] for i in ends)
    if service not in names:
        some = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        raise PermanentError(
            f"service {service!r} has no dependency; "
            f"allowed: namespace/service, one of {len(names)}: {some}"
        )


def _around(edges: Edges, at: int) -> BoolArray:
    """(m,) whether an edge lies on a path to a service or from it."""
    n = len(edges.services)
    before = _reached(n, at, edges.downstream, edges.upstream)
    after = _reached(n, at, edges.upstream, edges.downstream)
    return np.asarray(before[edges.downstream] | after[edges.upstream])


def _reached(n: int, at: int, tail: IntArray, head: IntArray) -> BoolArray:
    """(n,) services that can be reached from one along edges, itself included."""
    reached = np.zeros(n, dtype=np.bool_)
    reached[at] = True
    while True:
        further = head[reached[tail]]
        if reached[further].all():
            return reached
        reached[further] = True
