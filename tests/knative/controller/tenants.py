"""Services of two namespaces over the whole path: controller, snapshots, advisor, advice.

Each service lives a life of its own: what it is annotated with, called, forecast, and how many pods
it has. What comes of it is told by service, so that lives can be changed and all else compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.advisor.advising import advice_of, declared
from autoscaler.advisor.declarations import downstream_namespaces, upstream_names
from autoscaler.advisor.dependency_graph import dependency_graph
from autoscaler.annotations import DOWNSTREAM_NAMESPACES, UPSTREAMS
from autoscaler.bundle.file import load_bundle, save_bundle
from autoscaler.core.prediction.dependencies import Edges, no_edges
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.exchange.advice import NAME
from autoscaler.exchange.snapshot import NAMES, TICK, read_names, read_tick
from knative.client.api import Object
from knative.controller.runtime.advice_file import AdviceFile
from knative.controller.runtime.snapshots import Snapshots
from knative.controller.state import events as seen
from knative.controller.state.instructions import AskActivator, Instruction, Plan
from knative.mirror.objects import SERVICE_LABEL
from tests.knative.controller.world import World, event_of, statistics
from tests.knative.objects import (
    NOW_S,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
    an_old_status,
)

CELLS = 4  # of each curve


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a service meets until the next tick."""

    load: float | None = None  # requests in flight; None = nobody reports
    pods: int = 0  # ready
    there: bool = True


@dataclass(frozen=True, kw_only=True)
class Life:
    """All that is a service's own."""

    annotations: Mapping[str, str]
    demand: Sequence[float] = (1.0, 2.0, 3.0, 4.0)  # of its curve's cells, requests in flight
    exceedance: Sequence[float] = (0.0, 0.0, 0.0, 0.0)
    turns: Sequence[Turn] = ()
    concurrency: int = 10  # requests in flight that a pod takes


Lives = Mapping[str, Life]  # by "namespace/service"
Pair = tuple[str, str]  # upstream, downstream


class Tenants(World):
    """A world of services that live their lives, advised by the real advisor's computation."""

    def __init__(self, folder: Path, lives: Lives, edges: Edges | None = None) -> None:
        super().__init__()
        self._folder, self._lives = folder, lives
        self._advice, self._snapshots = AdviceFile(folder), Snapshots(folder)
        self._there: dict[str, bool] = {}
        self.done: dict[str, list[str]] = {service: [] for service in lives}
        save_bundle(bundle_of(lives, edges), folder / "forecasts")
        self._bundle = load_bundle(folder / "forecasts")

    def handle(self, event: seen.Event) -> list[Instruction]:
        done = super().handle(event)
        for one in done:
            if isinstance(one, Plan | AskActivator):
                self.done[one.key].append(repr(one))
        return done

    def live(self, turn: int, seconds: float) -> None:
        """All services live through a turn: some seconds, a look at advice, a tick."""
        now = {service: life.turns[turn] for service, life in self._lives.items()}
        for service, its in now.items():
            self._place(service, its)
        self.handle(seen.ObjectsChanged())
        self._advise()
        self.clock.advance(seconds - 0.7)
        loads = {service: its.load for service, its in now.items() if its.load is not None}
        self.handle(statistics(loads))
        self.clock.advance(0.7)
        self.tick()
        for service, its in now.items():
            if its.there:
                self.done[service].append(repr(self.decided(service)))

    def _place(self, service: str, its: Turn) -> None:
        """Objects of a service are as they are now."""
        namespace, _, name = service.partition("/")
        if its.there and not self._there.get(service):
            status = an_old_status("False", serviceName=name, metricsServiceName=f"{name}-private")
            life = self._lives[service]
            pa = a_podautoscaler(
                name,
                annotations=dict(life.annotations),
                status=status,
                containerConcurrency=life.concurrency,
            )
            pa["metadata"]["labels"][SERVICE_LABEL] = name
            for o in (a_serverlessservice(name), pa):
                self._tell(o, namespace)
        elif not its.there:
            self.handle(event_of("PodAutoscaler", service, None))
        self._there[service] = its.there
        self._tell(a_deployment(name, its.pods), namespace)
        for i in range(4):
            pod = a_pod(f"{name}-{i}", name)
            if i < its.pods:
                self._tell(pod, namespace)
            else:
                self.handle(event_of("Pod", f"{service}-{i}", None))

    def _tell(self, o: Object, namespace: str) -> None:
        o["metadata"]["namespace"] = namespace
        self.handle(event_of(o["kind"], f"{namespace}/{o['metadata']['name']}", o))

    def _advise(self) -> None:
        """What the advisor makes of a snapshot, back to the controller; all by way of files."""
        controller, folder = self.controller, self._folder
        changes, now = controller.changes.take(), self.clock.now()
        self._snapshots.write(controller.revisions, controller.fleet, changes, {}, now)
        assert self._snapshots.fault == ""
        names = {named.id: named for named in read_names(folder / NAMES)}
        snapshot = read_tick(folder / TICK)
        graph = dependency_graph(
            self._bundle.edges, declared(snapshot, names), trust_namespaces=False
        )
        assert graph
        advice_of(snapshot, names, self._bundle, graph.paths).write(folder / NAME)
        self._advice.poll()
        self.handle(seen.AdviceSeen(table=self._advice.table))


def bundle_of(lives: Lives, edges: Edges | None) -> ForecastBundle:
    """Every service's curve for the next ten minutes."""
    n = len(lives)
    return ForecastBundle(
        services=tuple(lives),
        made_at_s=NOW_S - 60,
        fitted_at_s=NOW_S - 60,
        window_edges_s=np.array([0.0, 660.0]),
        demand_edges=np.array([[0.0, *life.demand] for life in lives.values()]),
        exceedance=np.array([[life.exceedance] for life in lives.values()]),
        model=("made",) * n,
        reason=("",) * n,
        edges=edges or no_edges(()),
    )


def run(
    folder: Path, lives: Lives, seconds: Sequence[float], edges: Edges | None = None
) -> Tenants:
    """All lives from their beginning to their end."""
    folder.mkdir(exist_ok=True)
    tenants = Tenants(folder, lives, edges)
    for turn, passed_s in enumerate(seconds):
        tenants.live(turn, passed_s)
    return tenants


def downstream_of(changed: set[str], lives: Lives, learned: Iterable[Pair] = ()) -> set[str]:
    """Whom services reach along edges that both sides know, and those services themselves.

    learned: edges within a namespace, which need nobody's word.
    """
    named = {
        (up, down)
        for down, life in lives.items()
        for up in upstream_names(down, [life.annotations.get(UPSTREAMS, "")]).names
        if _home(up) == _home(down) or _consents(lives, up, _home(down))
    }
    reached = set(changed)
    while True:
        more = {down for up, down in named.union(learned) if up in reached}
        if more <= reached:
            return reached
        reached |= more


def _consents(lives: Lives, upstream: str, namespace: str) -> bool:
    life = lives.get(upstream)
    text = life.annotations.get(DOWNSTREAM_NAMESPACES, "") if life else ""
    return bool({namespace, "*"} & set(downstream_namespaces(upstream, [text]).names))


def _home(service: str) -> str:
    return service.partition("/")[0]
