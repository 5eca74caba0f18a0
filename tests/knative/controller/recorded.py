"""A world of which all is recorded, for tests of recordings."""

from pathlib import Path
from typing import Any

from knative.controller.runtime.recording import Recorder
from knative.controller.state import events as seen
from knative.controller.state.events import Event
from knative.controller.state.instructions import Instruction
from knative.leadership.elector import Leadership
from tests.knative.controller.world import KEY, OUTWARD, World
from tests.knative.objects import NOW_S, a_deployment, a_pod, a_route, to


class Recorded(World):
    """A world of which all is recorded, as it happens."""

    def __init__(self, path: Path, *, plain: bool = False) -> None:
        self.recorder = Recorder(path, plain=plain, now=NOW_S)
        super().__init__(plain=plain)

    def handle(self, event: Event) -> list[Instruction]:
        done = super().handle(event)
        self.recorder.record(event, done, self.clock.now())
        return done


def deeds(world: World) -> dict[str, Any]:
    """What may happen to two revisions."""
    failed = seen.PlanFailed(key=KEY, uid="uid-of-cart", why="busy", wait_s=3.0)
    return {
        "tick": world.tick,
        "settle": lambda: world.handle(seen.ObjectsChanged()),
        "cart is called": lambda: world.receives(KEY, concurrency=150.0),
        "both are called": lambda: world.receives(KEY, "shop/till", concurrency=3.0, seconds=2),
        "pods report": lambda: world.receives(KEY, concurrency=0.0, by_activator=False),
        "a pod": lambda: world.sees(a_pod("cart-7")),
        "a pod goes": lambda: world.loses("Pod", "shop/cart-7"),
        "cart goes": lambda: world.loses("PodAutoscaler"),
        "cart comes": lambda: world.has_revision("cart", annotations=OUTWARD, ready=0),
        "pods are asked for": lambda: world.sees(a_deployment(pods=4)),
        "a route": lambda: world.sees(a_route(to("cart", 30), to("till", 70))),
        "advice": lambda: world.advised({KEY: 400.0, "shop/till": 90.0}),
        "no advice": lambda: world.advised(None),
        "config": lambda: world.configured(min_scale="1"),
        "the activator answers": lambda: world.handle(seen.ActivatorAnswered(key=KEY)),
        "a plan failed": lambda: world.handle(failed),
        "a plan is done": lambda: world.handle(seen.PlanDone(key=KEY, uid="uid-of-cart")),
        "unsure": lambda: world.handle(stands(Leadership.UNSURE)),
        "follows": lambda: world.handle(stands(Leadership.FOLLOWING)),
        "leads": lambda: world.handle(stands(Leadership.LEADING)),
        "begins anew": lambda: world.handle(seen.TicksFailed()),
    }


def stands(leadership: Leadership) -> seen.LeadershipChanged:
    return seen.LeadershipChanged(leadership=leadership, leader="b_10.0.0.2")


NAMES = sorted(deeds(World()))


def happens(world: World, names: list[str]) -> None:
    world.has_revision("till", active="False", ready=0)
    world.has_revision("cart", annotations=OUTWARD)
    for name in names:
        deeds(world)[name]()
        world.clock.advance(0.7)
