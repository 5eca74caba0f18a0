"""What runs of shops found, for people: tables, and a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from autoscaler.core.prediction.dependencies import Edges
from benchmarks.dependencies.made_shops import ShopScenario
from benchmarks.dependencies.trial import Outcome, reach
from benchmarks.report.figures import Curve
from benchmarks.report.page import Report

KPA, GRAPH, SECOND = "Knative (KPA)", "with the graph", "with the graph, second day"
COLUMNS = (
    "shop", "policy", "requests", "p50, s", "p95, s", "max, s", "cold calls", "cold, s", "pods",
    "in vain", "pod-h",
)  # fmt: skip
NOTES = (
    "Synthetic: shops, arrivals and pauses are made and seeded.",
    "p50, p95, max: from a request's first call until its last one is answered; of a single "
    "service (market), wait and work of its own requests.",
    "cold: calls that waited for a pod that was not ready when they came, and how long they did; "
    "in vain: pods that went without a request; pod-h: from creation to end.",
    "The graph is learned from days before, under Knative; the second day's also from the first "
    "day under the graph.",
    "The curve is a service that calls eight others, seldom to nearly always, as the price of a "
    "cold request is turned; used memory is the seconds of work itself.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Edges that a search found, against the reach that is true."""

    shop: str
    true: int  # pairs in reach
    edges: int  # found
    right: int  # of them in reach
    related: int  # the other way round, or both called by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that was measured."""

    outcomes: list[Outcome]
    found: list[Found]
    sweep: list[tuple[float, Outcome]]  # price in s, what came of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is run of every shop."""

    seeds: int
    rounds: int  # requests of an entry a day
    hours: int  # of a day of the market


def judge(scenario: ShopScenario, edges: Edges, name: str) -> Found:
    """Edges against what the shop's services call."""
    true = reach(scenario.shop)
    along = true.T | (true.T.astype(np.int64) @ true > 0)
    at = edges.upstream, edges.downstream
    return Found(
        shop=name,
        true=int(true.sum()),
        edges=len(edges),
        right=int(true[at].sum()),
        related=int((along & ~true)[at].sum()),
    )


def page(results: Results, size: Size) -> Report:
    """The page of HTML."""
    facts = (
        ("Workload", "made shops: synthetic, seeded"),
        ("Seeds", str(size.seeds)),
        ("Requests of an entry a day", str(size.rounds)),
        ("Hours of a day of the market", str(size.hours)),
        *(
            (f"Edges of {f.shop}", f"{f.edges} found, {f.right} of them of the {f.true} in reach")
            for f in _added(results.found)
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
        f"{o.pods_in_vain:,}",
        f"{o.pod_s / 3600:,.2f}",
    )


def table(outcomes: list[Outcome]) -> Table:
    """Of all outcomes."""
    shown = Table(*COLUMNS, title="Services that call each other (synthetic)")
    for cells in _spaced(outcomes):
        shown.add_row(*cells)
    return shown


def _spaced(outcomes: list[Outcome]) -> Iterator[tuple[str, ...]]:
    """Rows of the table; a shop's name stands once."""
    last = ""
    for o in outcomes:
        name, *rest = _cells(o)
        yield ("" if name == last else name, *rest)
        last = name


def edges_table(found: list[Found]) -> Table:
    """Of all searches."""
    shown = Table(
        "shop", "in reach", "found", "of them in reach", "along with it", "false",
        title="Edges, all seeds together",
    )  # fmt: skip
    for f in _added(found):
        cells = (f.true, f.edges, f.right, f.related, f.edges - f.right - f.related)
        shown.add_row(f.shop, *(str(n) for n in cells))
    return shown


def _added(found: list[Found]) -> Iterator[Found]:
    """One a shop, of all seeds."""
    for name in dict.fromkeys(f.shop for f in found):
        mine = [f for f in found if f.shop == name]
        yield Found(
            shop=name,
            true=sum(f.true for f in mine),
            edges=sum(f.edges for f in mine),
            right=sum(f.right for f in mine),
            related=sum(f.related for f in mine),
        )
