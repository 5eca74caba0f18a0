"""Services that call each other, under Knative and with the dependency graph of the learner.

    python -m benchmarks.dependencies.chains [--json FILE] [--report FILE.html]

Shops and arrivals are synthetic and seeded. The graph is not given: the learner's own search finds
it in earlier days under Knative, drawn with other seeds.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from autoscaler.cli.options import one_line_errors
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from benchmarks.dependencies.findings import (
    GRAPH,
    KPA,
    SECOND,
    Results,
    Size,
    count_edges,
    edges_table,
    page,
    table,
)
from benchmarks.dependencies.synthetic_shops import (
    ShopScenario,
    chains,
    fan,
    market,
    saga,
    unrelated,
)
from benchmarks.dependencies.trial import Day, false_edges, learn, outcome, simulate
from benchmarks.report.page import write_report
from learner.dependencies.starts.evidence import Evidence

PRICES = (1.0, 10.0, 30.0, 100.0, 200.0, 600.0, 3000.0)
SHOPS = {
    "chains": 4,
    "saga": 3,
    "market": 3,
    "unrelated": 3,
    "fan": 2 + len(PRICES),
}  # days simulated a seed
WIDTH = 130  # characters; narrower, the tables lose their numbers
FALSE = 0.3  # confidence of a false edge
app = typer.Typer(add_completion=False, help=__doc__)
OnDay = Callable[[], None]


@app.command()
def main(
    shop: Annotated[list[str] | None, typer.Option(help=f"{', '.join(SHOPS)}; all.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds, from 0 on.", min=1)] = 3,
    rounds: Annotated[int, typer.Option(help="Requests per entry and day.", min=20)] = 40,
    hours: Annotated[int, typer.Option(help="Hours of a market day.", min=1)] = 3,
    to_json: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page here.")] = None,
) -> None:
    """Simulate shops with and without the graph."""
    screen = Console(width=max(Console().width, WIDTH))
    size = Size(seeds=seeds, rounds=rounds, hours=hours)
    with one_line_errors():
        chosen = _chosen(shop or list(SHOPS))
        with Progress(console=screen) as progress:
            task = progress.add_task("Days", total=seeds * sum(SHOPS[name] for name in chosen))
            results = measure(chosen, size, lambda: progress.advance(task))
        screen.print(table(results.outcomes))
        screen.print(edges_table(results.found))
        if to_json:
            with whole_file(to_json) as file:
                found = {"size": asdict(size)} | asdict(results)
                file.write(json.dumps(found, indent=1).encode())
        if report:
            write_report(page(results, size), report)


def _chosen(names: list[str]) -> list[str]:
    wrong = [name for name in names if name not in SHOPS]
    if wrong:
        raise PermanentError(f"shop is {wrong[0]!r}; allowed: {', '.join(SHOPS)}")
    return names


def measure(shops: Sequence[str], size: Size, on_day: OnDay) -> Results:
    """Simulate shops. on_day is called after every simulated day."""
    results, seeds = Results(outcomes=[], found=[], sweep=[]), range(size.seeds)
    for shop in shops:
        match shop:
            case "chains":
                _chains(results, chains(size.rounds), seeds, on_day)
            case "saga":
                _saga(results, saga(size.rounds), seeds, on_day)
            case "market":
                _market(results, market(size.hours), seeds, on_day)
            case "unrelated":
                _unrelated(results, unrelated(size.rounds), seeds, on_day)
            case "fan":
                _sweep(results, fan(size.rounds), seeds, on_day)
    return results


def _chains(results: Results, scenario: ShopScenario, seeds: range, on_day: OnDay) -> None:
    known = [_learned(results, scenario, seed, on_day) for seed in seeds]
    kpa = [_day(scenario, None, 1, seed, on_day) for seed in seeds]
    first = [_day(scenario, edges, 1, seed, on_day) for seed, (edges, _) in enumerate(known)]
    again = [learn(day, evidence)[0] for day, (_, evidence) in zip(first, known, strict=True)]
    results.found.extend(
        count_edges(scenario, edges, f"{scenario.name}, second day") for edges in again
    )
    second = [_day(scenario, edges, 2, seed, on_day) for seed, edges in enumerate(again)]
    ends = (*scenario.entries[1:], len(scenario.shop.services))
    for begin, end in zip(scenario.entries, ends, strict=True):
        mine, name = range(begin, end), f"chain of {end - begin}"
        for policy, days in ((KPA, kpa), (GRAPH, first), (SECOND, second)):
            results.outcomes.append(outcome(days, name, policy, mine))


def _saga(results: Results, scenario: ShopScenario, seeds: range, on_day: OnDay) -> None:
    known = [_learned(results, scenario, seed, on_day)[0] for seed in seeds]
    for policy, graphs in ((KPA, [None] * len(seeds)), (GRAPH, known)):
        days = [_day(scenario, edges, 1, seed, on_day) for seed, edges in enumerate(graphs)]
        results.outcomes.append(outcome(days, scenario.name, policy))


def _market(results: Results, scenario: ShopScenario, seeds: range, on_day: OnDay) -> None:
    known = [_learned(results, scenario, seed, on_day)[0] for seed in seeds]
    kpa = [_day(scenario, None, 1, seed, on_day) for seed in seeds]
    ours = [_day(scenario, edges, 1, seed, on_day) for seed, edges in enumerate(known)]
    for i, name in enumerate(scenario.shop.names):
        for policy, days in ((KPA, kpa), (GRAPH, ours)):
            results.outcomes.append(outcome(days, name, policy, (i,)))


def _unrelated(results: Results, scenario: ShopScenario, seeds: range, on_day: OnDay) -> None:
    wrong = false_edges(scenario.shop, confidence=FALSE)
    for seed in seeds:
        _learned(results, scenario, seed, on_day)
    for policy, edges in ((KPA, None), (f"with false edges ({FALSE})", wrong)):
        days = [_day(scenario, edges, 1, seed, on_day) for seed in seeds]
        results.outcomes.append(outcome(days, scenario.name, policy))


def _sweep(results: Results, scenario: ShopScenario, seeds: range, on_day: OnDay) -> None:
    known = [_learned(results, scenario, seed, on_day)[0] for seed in seeds]
    kpa = [_day(scenario, None, 1, seed, on_day) for seed in seeds]
    results.outcomes.append(outcome(kpa, scenario.name, KPA))
    for price_s in PRICES:
        days = [_day(scenario, e, 1, seed, on_day, price_s) for seed, e in enumerate(known)]
        found = outcome(days, scenario.name, f"{GRAPH} @ {price_s:g} s")
        results.outcomes.append(found)
        results.sweep.append((price_s, found))


def _learned(
    results: Results, scenario: ShopScenario, seed: int, on_day: OnDay
) -> tuple[Edges, Evidence]:
    """Simulate a day under Knative; the edges and evidence learned from it."""
    edges, evidence = learn(_day(scenario, None, 0, seed, on_day))
    results.found.append(count_edges(scenario, edges, scenario.name))
    return edges, evidence


def _day(
    scenario: ShopScenario,
    edges: Edges | None,
    day: int,
    seed: int,
    on_day: OnDay,
    price_s: float = 600.0,
) -> Day:
    done = simulate(scenario, edges, day=day, seed=seed, price_s=price_s)
    on_day()
    return done


if __name__ == "__main__":
    app()
