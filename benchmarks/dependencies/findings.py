"""Results of the shop simulations as tables and as an HTML page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from autoscaler.core.prediction.dependencies import Edges
from benchmarks.dependencies.synthetic_shops import ShopScenario
from benchmarks.dependencies.trial import Outcome, reachability
from benchmarks.report.figures import Curve
from benchmarks.report.page import Report
from benchmarks.scores.edge_score import common_callers

KPA, GRAPH, SECOND = "Knative (KPA)", "with the graph", "with the graph, second day"
COLUMNS = (
    "shop", "policy", "requests", "p50, s", "p95, s", "max, s", "cold calls", "cold, s", "pods",
    "unused pods", "pod-h",
)  # fmt: skip
NOTES = (
    "Synthetic: shops, arrivals and pauses are drawn with a seed.",
    "p50, p95, max: from a request's first call until its last one is answered; for a single "
    "service (market), the same over its own calls of a request.",
    "cold calls: those that waited for a pod that was not ready when they arrived; cold, s: how "
    "long, summed; unused pods: gone without a request; pod-h: from creation to gone.",
    "The graph is learned from earlier days under Knative; that of the second day also from the "
    "first day with the graph.",
    "The curve is a service that calls eight others with probabilities from 0.02 to 0.9, at "
    "several prices of a cold request; used memory is seconds of work.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCounts:
    """Edges that a search found in a shop, against the true reachability."""

    shop: str
    true: int  # reachable pairs
    edges: int  # found
    correct: int  # of them reachable
    related: int  # reverse of a reachable pair, or with a common caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All measurements."""

    outcomes: list[Outcome]
    found: list[EdgeCounts]
    sweep: list[tuple[float, Outcome]]  # price in s, outcome at it


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of every shop is simulated."""

    seeds: int
    rounds: int  # requests of an entry a day
    hours: int  # of a day of the market


def count_edges(scenario: ShopScenario, edges: Edges, name: str) -> EdgeCounts:
    """Count edges against the calls of the shop's services."""
    true = reachability(scenario.shop)
    related = true.T | common_callers(true)
    at = edges.upstream, edges.downstream
    return EdgeCounts(
        shop=name,
        true=int(true.sum()),
        edges=len(edges),
        correct=int(true[at].sum()),
        related=int((related & ~true)[at].sum()),
    )


def page(results: Results, size: Size) -> Report:
    """The HTML page."""
    facts = (
        ("Workload", "synthetic shops, seeded"),
        ("Seeds", str(size.seeds)),
        ("Requests per entry and day", str(size.rounds)),
        ("Hours of a market day", str(size.hours)),
        *(
            (f"Edges of {f.shop}", f"{f.edges} found; {f.correct} of {f.true} reachable pairs")
            for f in _summed(results.found)
        ),
    )
    return Report(
        title="Services that call each other, with and without the graph",
        facts=facts,
        columns=COLUMNS,
        rows=tuple(_cells(o) for o in results.outcomes),
        curves=_curves(results),
        timelines=(),
        notes=NOTES,
    )


def _curves(results: Results) -> tuple[Curve, ...]:
    if not results.sweep:
        return ()
    prices, swept = zip(*results.sweep, strict=True)
    kpa = [o for o in results.outcomes if (o.scenario, o.policy) == (swept[0].scenario, KPA)]
    return _curve(GRAPH, swept, [f"{p:g} s" for p in prices]), _curve(KPA, kpa, [""])


def _curve(name: str, points: Sequence[Outcome], labels: Sequence[str]) -> Curve:
    return Curve(
        name=name,
        normalised_memory=np.array([o.pod_s / o.work_s for o in points]),
        cold_rate=np.array([o.cold / o.calls for o in points]),
        labels=tuple(labels),
        line=len(points) > 1,
    )


def _cells(o: Outcome) -> tuple[str, ...]:
    return (
        o.scenario,
        o.policy,
        f"{o.requests:,}",
        *(f"{seconds:.2f}" for seconds in o.end_to_end_s.values()),
        f"{o.cold:,}",
        f"{o.cold_s:,.1f}",
        f"{o.pods_started:,}",
        f"{o.pods_unused:,}",
        f"{o.pod_s / 3600:,.2f}",
    )


def table(outcomes: list[Outcome]) -> Table:
    """All outcomes as a table."""
    shown = Table(*COLUMNS, title="Services that call each other (synthetic)")
    for cells in _spaced(outcomes):
        shown.add_row(*cells)
    return shown


def _spaced(outcomes: list[Outcome]) -> Iterator[tuple[str, ...]]:
    """Rows of the table; a shop's name is shown once."""
    last = ""
    for o in outcomes:
        name, *rest = _cells(o)
        yield ("" if name == last else name, *rest)
        last = name


def edges_table(found: list[EdgeCounts]) -> Table:
    """Found edges of all searches as a table."""
    shown = Table(
        "shop", "reachable", "found", "of them reachable", "related", "false",
        title="Edges, all seeds",
        caption="related: the reverse of a reachable pair, or with a common caller",
    )  # fmt: skip
    for f in _summed(found):
        cells = (f.true, f.edges, f.correct, f.related, f.edges - f.correct - f.related)
        shown.add_row(f.shop, *(str(n) for n in cells))
    return shown


def _summed(found: list[EdgeCounts]) -> Iterator[EdgeCounts]:
    """Sums over seeds, one per shop."""
    for name in dict.fromkeys(f.shop for f in found):
        mine = [f for f in found if f.shop == name]
        yield EdgeCounts(
            shop=name,
            true=sum(f.true for f in mine),
            edges=sum(f.edges for f in mine),
            correct=sum(f.correct for f in mine),
            related=sum(f.related for f in mine),
        )
