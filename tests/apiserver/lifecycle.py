"""The lifecycle of a few revisions with all writes recorded; each test checks one rule."""

from dataclasses import dataclass
from typing import Any

from tests.apiserver.activator import Activator
from tests.apiserver.objects import PREFIX, Objects
from tests.apiserver.plane import Audited, ControlPlane, wait_until
from tests.apiserver.processes import Advisor, Controller
from tests.apiserver.standins import World
from tests.apiserver.versions import Versions

SPACE = "life"
CART, STEADY, SLOW, ALONE = "cart-00001", "steady-00001", "slow-00001", "alone-00001"
NAMES = (CART, STEADY, SLOW, ALONE)

Object = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Life:
    """What was seen of it."""

    versions: Versions
    quiet: list[Audited]  # what was written for STEADY while nothing changed
    still: bool  # whether STEADY's objects stayed the same meanwhile
    unanswered: tuple[int, int]  # CART's pods and probes while the activator did not answer
    callers: list[tuple[str, int]]  # whence the probes for CART came
    asked_for_alone: int  # probes
    woken_s: float  # from the poke to the write of the scale
    audited: list[Audited]
    logs: str  # of controller and advisor

    def statuses(self, name: str) -> list[Object]:
        """Every version of a PodAutoscaler that has a status."""
        return [o for o in self.versions.of("pa", name) if o.get("status")]


@dataclass(frozen=True, kw_only=True)
class Liver:
    """Lives it."""

    cluster: Objects
    world: World
    controller: Controller
    advisor: Advisor
    activator: Activator
    versions: Versions
    plane: ControlPlane

    def live(self) -> Life:
        """Made, ready, idle, at zero, woken; beside it a steady, a slow and a lonely one."""
        key = f"{SPACE}/{CART}"
        self._make()
        quiet, still = self._idle(key)
        unanswered = self.cluster.replicas(CART), len(self.world.services.callers(key))
        callers, woken_s = self._wake(key)
        return Life(
            versions=self.versions,
            quiet=quiet,
            still=still,
            unanswered=unanswered,
            callers=callers,
            asked_for_alone=len(self.world.services.callers(f"{SPACE}/{ALONE}")),
            woken_s=woken_s,
            audited=self.plane.audited(),
            logs=self.controller.log + self.advisor.log,
        )

    def _make(self) -> None:
        cluster, services = self.cluster, self.world.services
        services.slow_s, services.answers = 0.7, False
        self.world.kubelet.start_up_s[f"{SPACE}/{SLOW}"] = 4.0
        self.world.loads[f"{SPACE}/{STEADY}"].in_flight = 5.0
        # Two pods are wanted from the beginning, and one is there: a reason to write at once.
        least = {f"{PREFIX}/min-scale": "2", f"{PREFIX}/metric": "rps"}
        cluster.revision(STEADY, labels={"team": "shop"}, annotations=least)
        cluster.revision(CART)
        cluster.revision(SLOW)
        cluster.revision(ALONE, annotations={f"{PREFIX}/target-burst-capacity": "-1"})
        wait_until(lambda: all(map(cluster.initialized, NAMES)), 60, "initialized")
        services.slow_s = 0.0
        wait_until(self._settled, 60, "settled")
        # What was seen between ticks has its say at the next one, and then in the audit log.
        self.controller.wait_for_ticks(2)

    def _settled(self) -> bool:
        ready = self.cluster.condition(STEADY, "Ready")["status"] == "True"
        return ready and self.cluster.actual(STEADY) == 2

    def _idle(self, key: str) -> tuple[list[Audited], bool]:
        cluster, services = self.cluster, self.world.services
        former = (cluster.pa(STEADY), cluster.sks(STEADY))
        told = len(self.plane.audited())
        wait_until(lambda: cluster.condition(CART, "Active")["status"] == "False", 40, "inactive")
        wait_until(lambda: len(services.callers(key)) >= 3, 40, "three probes")
        cluster.wait_for_pods(ALONE, 0)
        steady = f"{SPACE}/{STEADY}"
        quiet = [r for r in self.plane.audited()[told:] if r.writes and r.key == steady]
        return quiet, former == (cluster.pa(STEADY), cluster.sks(STEADY))

    def _wake(self, key: str) -> tuple[list[tuple[str, int]], float]:
        cluster, services = self.cluster, self.world.services
        cluster.patch_pa(STEADY, {"metadata": {"labels": {"team": "cellar", "late": "yes"}}})
        cluster.annotate(STEADY, target_burst_capacity="0")
        services.answers = True
        cluster.wait_for_pods(CART, 0)
        callers = services.callers(key)
        # A status that tells of no pod says that the controller has seen it too.
        wait_until(lambda: cluster.actual(CART) == 0, 40, "no pod is ready")
        self.world.run(self.activator.poke(key))
        woken_s = cluster.wait_for_pods(CART, 1)
        wait_until(lambda: cluster.is_active(CART), 40, "active again")
        wait_until(lambda: cluster.serves(STEADY)[0] == "Serve", 40, "served")
        self._ask()
        return callers, woken_s

    def _ask(self) -> None:
        """Whoever reads what is decided needs a right, which the advisor asks for."""
        assert self.advisor.get(f"/v1/decisions/{SPACE}/cart")["status"] == 401
        self.advisor.token = self.plane.token
        assert self.advisor.get(f"/v1/decisions/{SPACE}/cart")["revisions"]
        events = self.cluster.core.list_namespaced_event
        wait_until(lambda: bool(events(SPACE).items), 40, "an event")
