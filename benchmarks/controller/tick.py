"""What a tick costs the controller's loop: deciding for all, finding what changed, showing it.

    python -m benchmarks.controller.tick --revisions 10000

A made cluster of revisions, three of each service, all with a forecast, under the controller as it
runs. Between ticks, activators and pods report; that is not part of a tick. Times are CPU times of
this process, so that others on the machine count little.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.advisor.declarations import Declaration
from autoscaler.advisor.dependency_graph import dependency_graph
from autoscaler.core.names import name_id
from autoscaler.core.prediction.advice import NO_PATHS, Paths
from autoscaler.core.prediction.dependencies import no_edges
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.exchange.advice import AdviceTable
from benchmarks.controller.made_cluster import MadeCluster
from knative.controller.runtime.snapshots import Snapshots
from knative.controller.state.events import AdviceSeen, StatisticsReceived, Ticked

BEGIN_S = 1_800_000_000.0
EDGES_A_SERVICE = 3320 / 3333
WARM_TICKS, TICKS = 45, 60  # warm: longer than a stable window
WINDOWS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of traffic."""

    name: str
    busy: float  # share of the revisions that are called
    edges: bool  # whether services call each other


CASES = (
    Case(name="idle", busy=0.0, edges=False),
    Case(name="5 % changing", busy=0.05, edges=False),
    Case(name="5 % changing, edges", busy=0.05, edges=True),
    Case(name="all changing, edges", busy=1.0, edges=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the ticks of a case cost."""

    case: str
    revisions: int
    paths: int
    decided_ms: float  # median, without showing it
    tick_ms: float  # median
    worst_ms: float
    plans: float  # a tick, on average
    bytes_a_revision: float  # of the columns


def measure(revisions: int, case: Case, *, ticks: int = TICKS, seed: int = 0) -> Cost:
    """Run a cluster under a case's traffic, and time the ticks."""
    rng = np.random.default_rng(seed)
    cluster = MadeCluster(revisions, BEGIN_S)
    controller = cluster.controller
    advice = _advice(cluster, case, rng)
    controller.handle(AdviceSeen(table=advice), BEGIN_S)
    busy = np.flatnonzero(rng.random(revisions) < case.busy)
    decided, whole, plans = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        snapshots = Snapshots(Path(folder))
        for now in BEGIN_S + 2.0 * np.arange(WARM_TICKS + ticks):
            for event in _reports(cluster, busy, rng, now):
                cluster.carry_out(controller.handle(event, now), now)
            begin = time.process_time()
            todo = controller.handle(Ticked(), now)
            decided.append(time.process_time() - begin)
            taken = controller.changes.take()
            snapshots.write(controller.revisions, controller.fleet, taken, {}, now)
            whole.append(time.process_time() - begin)
            cluster.carry_out(todo, now)
            plans += len(todo) if len(whole) > WARM_TICKS else 0
    return Cost(
        case=case.name,
        revisions=revisions,
        paths=len(advice.paths),
        decided_ms=float(np.median(decided[WARM_TICKS:])) * 1e3,
        tick_ms=float(np.median(whole[WARM_TICKS:])) * 1e3,
        worst_ms=max(whole[WARM_TICKS:]) * 1e3,
        plans=plans / ticks,
        bytes_a_revision=controller.fleet.nbytes / revisions,
    )


def _reports(
    cluster: MadeCluster, busy: IntArray, rng: np.random.Generator, now: float
) -> Iterator[StatisticsReceived]:
    """What activators say of two seconds."""
    keys = [cluster.keys[i] for i in busy.tolist()]
    for second in (int(now) - 1, int(now)):
        load = rng.gamma(0.5, 40.0, len(keys))
        seconds = np.full(len(keys), second)
        yield StatisticsReceived(
            keys=keys, samples=np.stack([load, load]), seconds=seconds, by_activator=True
        )


def _advice(cluster: MadeCluster, case: Case, rng: np.random.Generator) -> AdviceTable:
    fleet = cluster.controller.fleet
    edges_s = BEGIN_S + 60.0 * np.arange(WINDOWS + 1, dtype=np.float64)
    order = np.argsort(fleet.ids)
    demand = _demand(len(fleet), case, rng)
    services = sorted({pa.service for _, pa in cluster.controller.revisions.podautoscalers()})
    return AdviceTable(
        written_at_s=BEGIN_S,
        starts_s=edges_s[:-1],
        ends_s=edges_s[1:],
        revision=fleet.ids[order],
        demand=demand[order],
        service=np.array([name_id(service) for service in services], dtype=np.int64),
        paths=_paths(services, rng) if case.edges else NO_PATHS,
    )


def _demand(n: int, case: Case, rng: np.random.Generator) -> FloatArray:
    """(n, WINDOWS) requests in flight worth serving; of most nothing is expected."""
    return rng.gamma(0.5, 40.0, (n, WINDOWS)) * (rng.random((n, 1)) < case.busy)


def _paths(services: list[str], rng: np.random.Generator) -> Paths:
    """All that follows from edges between services drawn at random."""
    drawn = rng.integers(0, len(services), (round(EDGES_A_SERVICE * len(services)), 2))
    upstreams: dict[str, set[str]] = {}
    for upstream, downstream in drawn.tolist():
        upstreams.setdefault(services[downstream], set()).add(services[upstream])
    declared = {
        service: [Declaration(upstreams=", ".join(sorted(names)), mode=Mode.OUTWARD)]
        for service, names in {name: upstreams.get(name, set()) for name in services}.items()
    }
    graph = dependency_graph(no_edges(()), declared, trust_namespaces=True)
    assert graph is not None  # nobody stops it
    found, paths = graph.paths, graph.paths.without_names()
    place = np.searchsorted(services, found.services)
    return replace(paths, upstream=place[paths.upstream], downstream=place[paths.downstream])


def main(
    revisions: Annotated[int, typer.Option(min=1, help="Of the cluster.")] = 10_000,
    ticks: Annotated[int, typer.Option(min=1, help="That are timed of each case.")] = TICKS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Print what a tick costs."""
    table = Table(
        "revisions", "traffic", "paths", "ms decided", "ms a tick", "worst", "ns a revision",
        "plans a tick", "bytes a revision",
    )  # fmt: skip
    for case in CASES:
        cost = measure(revisions, case, ticks=ticks)
        if as_json:
            typer.echo(json.dumps(asdict(cost)))
        table.add_row(
            f"{cost.revisions:,}",
            cost.case,
            f"{cost.paths:,}",
            f"{cost.decided_ms:.1f}",
            f"{cost.tick_ms:.1f}",
            f"{cost.worst_ms:.1f}",
            f"{cost.tick_ms * 1e6 / cost.revisions:,.0f}",
            f"{cost.plans:,.0f}",
            f"{cost.bytes_a_revision:,.0f}",
        )
    if not as_json:
        Console().print(table)


if __name__ == "__main__":
    typer.run(main)
