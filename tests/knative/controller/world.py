"""A controller in a world of a few revisions: what it observes, what it is told, what it wants."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.clock import SimulatedClock
from autoscaler.core.names import name_id
from autoscaler.core.prediction.advice import NO_PATHS, Paths
from autoscaler.core.state.decision import OneDecision, row_of
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import Active
from autoscaler.exchange.advice import LAYOUT, AdviceTable, checked
from knative.client.api import Object
from knative.controller.state import events as seen
from knative.controller.state.controller import Controller
from knative.controller.state.events import Event
from knative.controller.state.instructions import Instruction, Plan, Write
from knative.leadership.elector import Leadership
from knative.mirror.objects import deployment, pod, podautoscaler, serverlessservice
from knative.mirror.routes import route
from tests.knative.objects import (
    NAMESPACE,
    NOW_S,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
    an_old_status,
)

KEY = f"{NAMESPACE}/cart"
OUTWARD = {"kn-ahead.dev/mode": "outward"}


class World:
    """Tells a controller what it would observe in life; it leads from the beginning."""

    def __init__(self, config: Mapping[str, str] | None = None, *, plain: bool = False) -> None:
        """config: config-autoscaler's data."""
        self.clock = SimulatedClock(NOW_S)
        self.controller = Controller(plain=plain)
        self.handle(seen.LeadershipChanged(leadership=Leadership.LEADING, leader=""))
        if config:
            self.configured(**config)

    def handle(self, event: Event) -> list[Instruction]:
        return self.controller.handle(event, self.clock.now())

    # --- what it observes --------------------------------------------------------------------

    def sees(self, *objects: Object) -> None:
        """Objects are there, as they are now."""
        for o in objects:
            key = f"{o['metadata']['namespace']}/{o['metadata']['name']}"
            self.handle(event_of(o["kind"], key, copy.deepcopy(o)))

    def loses(self, kind: str, key: str = KEY) -> None:
        """An object went."""
        self.handle(event_of(kind, key, None))

    def has_revision(
        self,
        name: str = "cart",
        *,
        active: str = "True",
        ready: int = 1,
        asked: int | None = None,
        mode: str = "Proxy",
        annotations: dict[str, str] | None = None,
        **spec: Any,
    ) -> str:
        """A revision that has been at work for long; returns its key."""
        status = an_old_status(active, serviceName=name, metricsServiceName=f"{name}-private")
        self.sees(
            *(a_pod(f"{name}-{i}", name) for i in range(ready)),
            a_serverlessservice(name, mode=mode),
            a_deployment(name, ready if asked is None else asked),
            a_podautoscaler(name, annotations=annotations, status=status, **spec),
        )
        return f"{NAMESPACE}/{name}"

    def configured(self, **data: str) -> None:
        """config-autoscaler is so; keys with _ for -."""
        said = {key.replace("_", "-"): value for key, value in data.items()}
        self.handle(seen.ConfigSeen(name="config-autoscaler", data=said))

    # --- what it is told ---------------------------------------------------------------------

    def receives(
        self, *keys: str, concurrency: float, seconds: int = 1, by_activator: bool = True
    ) -> list[Instruction]:
        """So much of each for so many seconds up to now; what is asked for upon the last."""
        done: list[Instruction] = []
        for ago_s in reversed(range(seconds)):
            done = self.handle(
                statistics(
                    dict.fromkeys(keys, concurrency),
                    second=int(self.clock.now()) - ago_s,
                    by_activator=by_activator,
                )
            )
        return done

    def advised(self, demand: Mapping[str, float] | None, **more: Any) -> None:
        """So many requests in flight are worth serving of revisions; None = no advice."""
        table = None if demand is None else an_advice(demand, **more)
        self.handle(seen.AdviceSeen(table=table))

    def tick(self, seconds: float = 0.0) -> list[Instruction]:
        """So many seconds pass, then a tick."""
        self.clock.advance(seconds)
        return self.handle(seen.Ticked())

    # --- what it wants -----------------------------------------------------------------------

    @property
    def fleet(self) -> Fleet:
        return self.controller.fleet

    def column(self, columns: str, name: str, key: str = KEY) -> Any:
        """One number of a revision, such as of `observed`."""
        values = getattr(getattr(self.fleet, columns), name)
        return values[self.fleet.row(key)].item()

    def decided(self, key: str = KEY) -> OneDecision:
        """The last decision for a revision."""
        return row_of(self.fleet.decision, self.fleet.row(key))

    def want(self, key: str = KEY) -> int:
        """Pods that a tick at this moment wants."""
        self.tick()
        return self.decided(key).want

    def active(self, key: str = KEY) -> Active:
        return Active(self.column("observed", "active", key))

    def fault(self, part: str = "writes") -> str:
        """Why a part does not do its work; "" = it does."""
        fault = self.controller.health.by_part.get(part)
        return fault.why if fault else ""


def event_of(kind: str, key: str, o: Object | None) -> Event:
    """What a cache tells of an object."""
    match kind:
        case "PodAutoscaler":
            return seen.PodAutoscalerSeen(key=key, object=podautoscaler(o) if o else None)
        case "ServerlessService":
            return seen.ServerlessServiceSeen(key=key, object=serverlessservice(o) if o else None)
        case "Deployment":
            return seen.DeploymentSeen(key=key, object=deployment(o) if o else None)
        case "Pod":
            return seen.PodSeen(key=key, object=pod(o) if o else None)
    return seen.RouteSeen(key=key, object=route(o) if o else None)


def statistics(
    loads: Mapping[str, float], *, second: int = 0, by_activator: bool = True
) -> seen.StatisticsReceived:
    """Statistics of one second: as many requests as are in flight."""
    load = np.array(list(loads.values()), dtype=np.float64)
    return seen.StatisticsReceived(
        keys=list(loads),
        samples=np.stack([load, load]),
        seconds=np.full(len(load), second),
        by_activator=by_activator,
    )


NO_PRICES: Mapping[str, float] = {}


def an_advice(
    demand: Mapping[str, float],
    *,
    starts_s: float = NOW_S - 60,
    ends_s: float = NOW_S + 600,
    services: tuple[str, ...] = (),
    paths: Paths = NO_PATHS,
    prices_s: Mapping[str, float] = NO_PRICES,
) -> AdviceTable:
    """Advice of one window, as the controller reads it. paths: between indices of services."""
    worth = np.array(list(demand.values()), dtype=np.float64).reshape(-1, 1)
    written = AdviceTable(
        written_at_s=NOW_S,
        starts_s=np.array([starts_s]),
        ends_s=np.array([ends_s]),
        revision=ids(demand),
        price_s=np.array([prices_s.get(name, np.nan) for name in demand]),
        worth_starting=worth,
        worth_keeping=worth,
        called=np.minimum(worth, 1.0),
        service=ids(services),
        paths=paths,
    )
    path = Path("advice")
    return checked(LAYOUT.unpack(LAYOUT.pack(written.arrays()), path), path)


def ids(names: Any) -> Any:
    return np.array([name_id(name) for name in names], dtype=np.int64)


def plans(done: list[Instruction]) -> list[Plan]:
    """The plans among instructions."""
    return [instruction for instruction in done if isinstance(instruction, Plan)]


def writes(done: list[Instruction], key: str = KEY) -> list[Write]:
    """What is to be written for a revision, in order."""
    return [write for plan in plans(done) if plan.key == key for write in plan.writes]
