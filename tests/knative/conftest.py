"""A small cluster that lives in memory, and an event loop in which waiting takes no time."""

import asyncio
import copy
import gc
import selectors
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from autoscaler.clock import SimulatedClock
from autoscaler.core.forecasts import ForecastBundle
from knative.activators import ActivatorStat
from knative.actor import Actor
from knative.api import JSON_PATCH, MERGE_PATCH, Api, ApiError, Object
from knative.config import ClusterConfig
from knative.objects import (
    AUTOSCALING,
    CLASS,
    NETWORKING,
    REVISION_LABEL,
    SERVICE_LABEL,
    UID_LABEL,
    kubernetes_time,
    pod,
    podautoscaler,
    replicas,
    serverlessservice,
)
from knative.seat import Seat

T = TypeVar("T")
NOW_S = 1_700_000_000.0  # Unix s, an even second
LONG_AGO = kubernetes_time(NOW_S - 1000)
KPA = "kpa.autoscaling.knative.dev"
NAMESPACE = "shop"


# --- objects as the API server has them -----------------------------------------------------------


def a_condition(kind: str, status: str, since: str = LONG_AGO, **said: str) -> Object:
    return {"type": kind, "status": status, "lastTransitionTime": since, **said}


def an_old_status(active: str = "True", *, since: str = LONG_AGO, **fields: Any) -> Object:
    """The status of a revision that was served before we came."""
    idle = {"reason": "NoTraffic", "message": "The target is not receiving traffic."}
    reason = idle if active == "False" else {}
    return {
        "conditions": [
            a_condition("Active", active, since, **reason),
            a_condition("Ready", active, since, **reason),
            a_condition("SKSReady", "True"),
            a_condition("ScaleTargetInitialized", "True"),
        ],
        "observedGeneration": 1,
        "serviceName": "cart",
        "metricsServiceName": "cart-private",
        "desiredScale": 1,
        "actualScale": 1,
    } | fields


def a_podautoscaler(
    name: str = "cart",
    *,
    kind: str | None = KPA,
    annotations: dict[str, str] | None = None,
    status: Object | None = None,
    **spec: Any,
) -> Object:
    """A PodAutoscaler as the revision controller makes it. kind: its class; None = none."""
    said = dict(annotations or {})
    if kind is not None:
        said[CLASS] = kind
    return {
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "uid": f"uid-of-{name}",
            "generation": 1,
            "labels": {
                REVISION_LABEL: name,
                SERVICE_LABEL: f"{name}-service",
                UID_LABEL: f"revision-uid-of-{name}",
                "app": name,
            },
            "annotations": said,
        },
        "spec": {
            "containerConcurrency": 0,
            "protocolType": "http1",
            "reachability": "Reachable",
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": f"{name}-deployment",
            },
        }
        | spec,
        "status": status or {},
    }


def a_serverlessservice(
    name: str = "cart", *, mode: str = "Proxy", owner: str = "", ready: bool = True
) -> Object:
    """A ServerlessService that its controller has set up."""
    proxied = "True" if mode == "Proxy" else "False"
    return {
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "generation": 1,
            "ownerReferences": [{"uid": owner or f"uid-of-{name}", "controller": True}],
        },
        "spec": {
            "mode": mode,
            "numActivators": 4,
            "objectRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": f"{name}-deployment",
            },
            "protocolType": "http1",
        },
        "status": {
            "serviceName": name,
            "privateServiceName": f"{name}-private",
            "observedGeneration": 1,
            "conditions": [
                a_condition("Ready", "True" if ready else "Unknown"),
                a_condition("ActivatorEndpointsPopulated", proxied),
            ],
        },
    }


def a_deployment(name: str = "cart", pods: int | None = 1) -> Object:
    return {
        "metadata": {"namespace": NAMESPACE, "name": f"{name}-deployment"},
        "spec": {} if pods is None else {"replicas": pods},
    }


def a_pod(
    name: str = "cart-1",
    revision: str = "cart",
    *,
    ready: bool = True,
    created_s: float = NOW_S - 500,
    ready_s: float = NOW_S - 490,
    phase: str = "Running",
    address: str = "10.0.0.1",
    **metadata: str,
) -> Object:
    return {
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "labels": {REVISION_LABEL: revision},
            "creationTimestamp": kubernetes_time(created_s),
            **metadata,
        },
        "status": {
            "phase": phase,
            "podIP": address,
            "startTime": kubernetes_time(created_s),
            "conditions": [
                a_condition("Ready", "True" if ready else "False", kubernetes_time(ready_s))
            ],
        },
    }


def path_of(what: str, name: str = "cart") -> str:
    """Where an object is written: podautoscaler, serverlessservice, deployment."""
    group = {
        "podautoscaler": AUTOSCALING,
        "serverlessservice": NETWORKING,
        "deployment": "/apis/apps/v1",
    }[what]
    own = f"{name}-deployment" if what == "deployment" else name
    return f"{group}/namespaces/{NAMESPACE}/{what}s/{own}"


def a_bundle(demand: float, service: str = "shop/cart-service") -> ForecastBundle:
    """Sure of so many requests in flight for the next ten minutes."""
    return ForecastBundle(
        services=(service,),
        made_at_s=NOW_S - 60,
        fitted_at_s=NOW_S - 60,
        window_edges_s=np.array([0.0, 660.0]),
        demand_edges=np.array([[0.0, demand]]),
        exceedance=np.ones((1, 1, 1), dtype=np.float32),
        model=("seasonal",),
        reason=("",),
    )


# --- the cluster ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """A write, as it reached the API server."""

    verb: str
    path: str
    body: Any
    kind: str = ""


class FakeApi(Api):
    """Objects by path; writes change them, in memory."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.objects: dict[str, Object] = {}
        self.refusals: dict[str, list[int]] = {}  # path -> statuses of the next writes there
        self.silent: set[str] = set()  # paths that never answer
        self.slow: dict[str, float] = {}  # path -> s that a write there takes
        self.terse = False  # whether answers are empty, as of a proxy in between

    async def create(self, path: str, body: Object) -> Object:
        await self._arrive(Call("create", path, copy.deepcopy(body)))
        self.objects[f"{path}/{body['metadata']['name']}"] = copy.deepcopy(body)
        return copy.deepcopy(body)

    async def patch(self, path: str, body: Any, kind: str = MERGE_PATCH) -> Object:
        await self._arrive(Call("patch", path, copy.deepcopy(body), kind))
        found = self.objects.get(path.removesuffix("/status").removesuffix("/scale"))
        if found is None:
            raise ApiError(f"PATCH {path}: 404", status=404)
        if kind == JSON_PATCH:
            found["spec"]["replicas"] = body[0]["value"]
        else:
            for part, values in copy.deepcopy(body).items():
                found[part] = found.get(part, {}) | values
        return {} if self.terse else copy.deepcopy(found)

    async def _arrive(self, call: Call) -> None:
        self.calls.append(call)
        await asyncio.sleep(self.slow.get(call.path, 0.0))
        if call.path in self.silent:
            await asyncio.Event().wait()
        if self.refusals.get(call.path):
            status = self.refusals[call.path].pop(0)
            raise ApiError(f"{call.verb} {call.path}: {status}", status=status)

    def bodies(self, path: str) -> list[Any]:
        """What was written at a path, in order."""
        return [call.body for call in self.calls if call.path == path]


@dataclass
class Cluster:
    """A seat and an actor over a fake API server."""

    config: ClusterConfig = field(default_factory=ClusterConfig)
    answers: bool = True  # whether the activator answers our probe

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(NOW_S)
        self.api = FakeApi()
        self.seat = Seat(self.clock, self.config)
        self.actor = Actor(self.api, self.seat, self.clock, self._probe)
        self.probed: list[str] = []

    async def _probe(self, service: str) -> bool:
        self.probed.append(service)
        return self.answers

    def has(self, *objects: Object) -> None:
        """Objects are there; pods are seen by the seat, the rest at the next look."""
        for o in objects:
            name, kind = o["metadata"]["name"], _kind(o)
            if kind == "pod":
                self.seat.saw_pod(f"{NAMESPACE}/{name}", pod(o))
            else:
                self.api.objects[path_of(kind, name.removesuffix("-deployment"))] = o
        self.look()

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
        for i in range(ready):
            self.has(a_pod(f"{name}-{i}", name))
        status = an_old_status(active, serviceName=name, metricsServiceName=f"{name}-private")
        self.has(
            a_serverlessservice(name, mode=mode),
            a_deployment(name, ready if asked is None else asked),
            a_podautoscaler(name, annotations=annotations, status=status, **spec),
        )
        return f"{NAMESPACE}/{name}"

    def look(self) -> None:
        """Tell the seat how every object stands: what the caches do in life."""
        seat = self.seat
        for path, o in sorted(self.api.objects.items(), key=lambda it: "podauto" in it[0]):
            key = f"{o['metadata']['namespace']}/{o['metadata']['name']}"
            if "serverlessservices" in path:
                seat.saw_serverlessservice(key, serverlessservice(copy.deepcopy(o)))
            elif "deployments" in path:
                seat.saw_deployment(key, replicas(o))
            else:
                seat.saw_podautoscaler(key, podautoscaler(copy.deepcopy(o)))

    def hears(self, *keys: str, concurrency: float, seconds: int = 1) -> list[str]:
        """Activators report so much of each for so long; returns what has to be decided at once."""
        poked = []
        for second in range(seconds):
            at = int(self.clock.now()) - seconds + 1 + second
            stats = [ActivatorStat(key, concurrency, concurrency, at) for key in keys]
            poked = self.seat.statistics.record(stats)
        return poked

    async def tick(self, *keys: str) -> None:
        """Decide, act until all is done or failed, and look."""
        decisions = self.seat.decide(keys or None)
        await self.act(self.seat.to_act_for(decisions))

    async def act(self, keys: Sequence[str] | set[str]) -> None:
        self.actor.act(keys)
        await asyncio.sleep(0.5)  # shorter than a back-off
        self.look()

    async def settle(self) -> None:
        """Tick until nothing is written any more, the world standing still."""
        before = -1
        while before != len(self.api.calls):
            before = len(self.api.calls)
            await self.tick()


def _kind(o: Object) -> str:
    if "podIP" in o.get("status", {}):
        return "pod"
    if "scaleTargetRef" in o["spec"]:
        return "podautoscaler"
    return "serverlessservice" if "mode" in o["spec"] else "deployment"


# --- an event loop without waiting ----------------------------------------------------------------


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting, time jumps."""

    jumped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("every task waits for something that will never come")
        if not events and timeout:
            self.jumped_s += timeout
        return events


class _FastLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return super().time() + self._jumping.jumped_s


def run_fast(story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in which sleeping takes no time; no sockets. No task may fail unseen."""
    unseen: list[str] = []
    with asyncio.Runner(loop_factory=_FastLoop) as runner:
        runner.get_loop().set_exception_handler(lambda _, said: unseen.append(repr(said)))
        result = runner.run(asyncio.wait_for(story, 1e6))
        gc.collect()
    assert not unseen
    return result
