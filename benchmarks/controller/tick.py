"""CPU time of a tick: deciding for all revisions, finding changes, writing the snapshot.

    python -m benchmarks.controller.tick --revisions 10000

A fake cluster of revisions, three per service, all with a forecast, under the real controller.
Between ticks activators report; that is not part of a tick, but what the twin takes for it is
shown, beside what it takes in the tick. Times are CPU times of this process, which other processes
of the machine affect little.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from autoscaler.advisor.declarations import Declaration
from autoscaler.advisor.dependency_graph import dependency_graph
from autoscaler.core.names import name_id
from autoscaler.core.prediction.advice import NO_PATHS, Paths
from autoscaler.core.prediction.dependencies import no_edges
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.exchange.advice import AdviceTable
from benchmarks.controller.fake_cluster import FakeCluster
from benchmarks.controller.random_bundle import EDGES_A_SERVICE
from benchmarks.controller.recorded_figures import Figure, Record, comparison, save
from knative.controller.runtime.snapshots import Snapshots
from knative.controller.state.controller import Controller
from knative.controller.state.events import AdviceSeen, StatisticsReceived, Ticked

BEGIN_S = 1_800_000_000.0
WARM_TICKS, TICKS = 45, 60  # warm: longer than a stable window
WINDOWS = 5
IDLE_MS, EDGES_MS, TWIN_MS = 8.0, 20.0, 3.0  # bounds of a tick at 10,000 revisions
TWIN_BYTES = 6400.0  # bound of a revision's: 64 MB for 10,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A workload."""

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
    decided_ms: float  # median, without the snapshot
    tick_ms: float  # median
    worst_ms: float
    twin_ms: float  # median, of the tick, that the twin takes
    twin_reports_ms: float  # median, for the reports between two ticks
    twin_bytes: float  # a revision
    plans: float  # per tick, on average
    bytes_a_revision: float  # of the fleet's columns

    @property
    def workload(self) -> str:
        """What was measured, under which these figures are recorded."""
        return f"tick, {self.revisions:,} revisions, {self.case}"

    def figures(self) -> list[Figure]:
        """All figures with their bounds."""
        return [
            Figure("paths", self.paths),
            Figure("decision, CPU ms", self.decided_ms),
            Figure("tick, CPU ms", self.tick_ms, EDGES_MS if self.paths else IDLE_MS),
            Figure("worst tick, CPU ms", self.worst_ms),
            Figure("of it for the twin, CPU ms", self.twin_ms, TWIN_MS),
            # Of the two a busy machine makes both slower.
            Figure("twin of the decision, %", 100.0 * self.twin_ms / self.decided_ms),
            Figure("twin between two ticks, CPU ms", self.twin_reports_ms),
            Figure("bytes of the twin per revision", self.twin_bytes, TWIN_BYTES),
            Figure("plans per tick", self.plans),
            Figure("bytes per revision", self.bytes_a_revision),
        ]


class _TimedController(Controller):
    """A controller that says how long its twins took."""

    twin_s = 0.0  # CPU s, since they were taken

    def _count(self, count: Callable[[float], None], now: float) -> None:
        begin = time.process_time()
        super()._count(count, now)
        self.twin_s += time.process_time() - begin

    def take(self) -> float:
        """CPU s since this was asked for last."""
        taken, self.twin_s = self.twin_s, 0.0
        return taken


def measure(revisions: int, case: Case, *, ticks: int = TICKS, seed: int = 0) -> Cost:
    """Run a fake cluster under a workload, and time the ticks."""
    rng = np.random.default_rng(seed)
    controller = _TimedController()
    cluster = FakeCluster(revisions, BEGIN_S, lambda: controller)
    advice = _advice(cluster, case, rng)
    controller.handle(AdviceSeen(table=advice), BEGIN_S)
    busy = np.flatnonzero(rng.random(revisions) < case.busy)
    decided, whole, twin, reported, plans = [], [], [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        snapshots = Snapshots(Path(folder))
        for now in BEGIN_S + 2.0 * np.arange(WARM_TICKS + ticks):
            for event in _reports(cluster, busy, rng, now):
                cluster.carry_out(controller.handle(event, now), now)
            reported.append(controller.take())
            begin = time.process_time()
            todo = controller.handle(Ticked(), now)
            decided.append(time.process_time() - begin)
            taken = controller.changes.take()
            snapshots.write(controller.revisions, controller.fleet, taken, {}, now)
            whole.append(time.process_time() - begin)
            twin.append(controller.take())
            cluster.carry_out(todo, now)
            plans += len(todo) if len(whole) > WARM_TICKS else 0
    return Cost(
        case=case.name,
        revisions=revisions,
        paths=len(advice.paths),
        decided_ms=_median_ms(decided),
        tick_ms=_median_ms(whole),
        worst_ms=max(whole[WARM_TICKS:]) * 1e3,
        twin_ms=_median_ms(twin),
        twin_reports_ms=_median_ms(reported),
        twin_bytes=controller.fleet.twins.nbytes / revisions,
        plans=plans / ticks,
        bytes_a_revision=controller.fleet.nbytes / revisions,
    )


def _median_ms(seconds: list[float]) -> float:
    return float(np.median(seconds[WARM_TICKS:])) * 1e3


def _reports(
    cluster: FakeCluster, busy: IntArray, rng: np.random.Generator, now: float
) -> Iterator[StatisticsReceived]:
    """The activators' statistics of two seconds."""
    keys = [cluster.keys[i] for i in busy.tolist()]
    for second in (int(now) - 1, int(now)):
        load = rng.gamma(0.5, 40.0, len(keys))
        seconds = np.full(len(keys), second)
        yield StatisticsReceived(
            keys=keys, samples=np.stack([load, load]), seconds=seconds, by_activator=True
        )


def _advice(cluster: FakeCluster, case: Case, rng: np.random.Generator) -> AdviceTable:
    fleet = cluster.controller.fleet
    edges_s = BEGIN_S + 60.0 * np.arange(WINDOWS + 1, dtype=np.float64)
    order = np.argsort(fleet.ids)
    demand = _demand(len(fleet), case, rng)[order]
    services = sorted({pa.service for _, pa in cluster.controller.revisions.podautoscalers()})
    return AdviceTable(
        written_at_s=BEGIN_S,
        starts_s=edges_s[:-1],
        ends_s=edges_s[1:],
        revision=fleet.ids[order],
        price_s=np.full(len(order), np.nan),
        worth_starting=demand,
        worth_keeping=1.5 * demand,
        called=np.minimum(demand, 1.0),
        service=np.array([name_id(service) for service in services], dtype=np.int64),
        paths=_paths(services, rng) if case.edges else NO_PATHS,
    )


def _demand(n: int, case: Case, rng: np.random.Generator) -> FloatArray:
    """(n, WINDOWS) requests in flight worth starting for; 0 for revisions that are not busy."""
    return rng.gamma(0.5, 40.0, (n, WINDOWS)) * (rng.random((n, 1)) < case.busy)


def _paths(services: list[str], rng: np.random.Generator) -> Paths:
    """All paths along random edges between services."""
    drawn = rng.integers(0, len(services), (round(EDGES_A_SERVICE * len(services)), 2))
    upstreams: dict[str, set[str]] = {}
    for upstream, downstream in drawn.tolist():
        upstreams.setdefault(services[downstream], set()).add(services[upstream])
    declared = {
        service: [Declaration(upstreams=", ".join(sorted(names)), mode=Mode.OUTWARD)]
        for service, names in {name: upstreams.get(name, set()) for name in services}.items()
    }
    graph = dependency_graph(no_edges(()), declared, trust_namespaces=True)
    assert graph is not None  # never cancelled here
    found, paths = graph.paths, graph.paths.without_names()
    place = np.searchsorted(services, found.services)
    return replace(paths, upstream=place[paths.upstream], downstream=place[paths.downstream])


def main(
    revisions: Annotated[int, typer.Option(min=1, help="Of the cluster.")] = 10_000,
    ticks: Annotated[int, typer.Option(min=1, help="That are timed of each case.")] = TICKS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    record: Record = False,
) -> None:
    """Print the cost of a tick beside the recorded one and its bound."""
    for case in CASES:
        cost = measure(revisions, case, ticks=ticks)
        if as_json:
            typer.echo(json.dumps(asdict(cost)))
        else:
            Console().print(comparison(cost.workload, cost.figures()))
        if record:
            save(cost.workload, cost.figures())


if __name__ == "__main__":
    typer.run(main)
