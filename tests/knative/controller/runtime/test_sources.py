"""Objects of every kind become events: all that a revision needs before the revision itself."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from autoscaler.limits import NAMESPACE_REVISIONS, Limit
from knative.client.answers import Page
from knative.client.api import ApiError, Object
from knative.controller.runtime.sources import ROUTES_WAIT_S, Sources
from knative.controller.state.events import Event
from knative.mirror.objects import DEPLOYMENTS, PODAUTOSCALERS, PODS, SERVERLESSSERVICES
from knative.mirror.reporters import Reporter
from knative.mirror.routes import ROUTES
from tests.knative.api_server import FakeApi
from tests.knative.controller.world import KEY, World
from tests.knative.fast_loop import run_fast
from tests.knative.objects import (
    SYSTEM,
    a_configmap,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_route,
    a_serverlessservice,
    path_of,
    to,
)


class Lists(FakeApi):
    """Lists some kinds late, or refuses to."""

    def __init__(self, *objects: Object) -> None:
        super().__init__()
        self.put(*objects)
        self.late_s: dict[str, float] = {}
        self.refused: dict[str, int] = {}
        self.asked: Counter[str] = Counter()

    async def page(self, path: str, query: Mapping[str, str], limit: int) -> Page:
        self.asked[path] += 1
        await asyncio.sleep(self.late_s.get(path, 0.0))
        if path in self.refused:
            raise ApiError(f"GET {path}: {self.refused[path]}", status=self.refused[path])
        return await super().page(path, query, limit)


class RecordedSources:
    """Sources, and all that they report, in order."""

    def __init__(self, api: FakeApi, handle: Callable[[Event], None] | None = None) -> None:
        self.api = api
        self.events: list[Any] = []
        self.config: list[tuple[str, Mapping[str, str] | None]] = []
        self.reporters: dict[str, Reporter | None] = {}
        self.reports: list[tuple[str, str]] = []
        self.refusals: Counter[str] = Counter()
        names = ("config-autoscaler", "config-network")
        self.sources = Sources(
            SYSTEM,
            handle=handle or self.events.append,
            config={name: self._config(name) for name in names},
            reporters=self.reporters.__setitem__,
            report=lambda kind, fault: self.reports.append((kind, fault)),
            refuse=self._refuse,
        )

    def _config(self, name: str) -> Callable[[Mapping[str, str] | None], None]:
        return lambda data: self.config.append((name, data))

    def _refuse(self, limit: Limit, who: str) -> None:
        self.refusals[limit.name] += 1

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def faults(self, kind: str) -> list[str]:
        return [fault for about, fault in self.reports if about == kind and fault]

    def follow(self, *deeds: Callable[[], object], seconds: float = 60.0) -> "RecordedSources":
        """Follow for so long; then each deed, and a while."""

        async def story() -> None:
            task = asyncio.create_task(self.sources.follow(self.api))
            await asyncio.sleep(seconds)
            for deed in deeds:
                deed()
                await asyncio.sleep(1.0)
            assert not task.done()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        run_fast(story())
        return self


REVISION = (
    a_podautoscaler(),
    a_serverlessservice(),
    a_deployment(),
    a_pod(),
    a_route(to("cart", 30), spec=[], name="cart-service"),
)


def test_every_kind_is_told_when_it_is_there_changes_and_goes() -> None:
    sources = RecordedSources(Lists(*REVISION))
    first = {"RouteSeen", "ServerlessServiceSeen", "DeploymentSeen", "PodSeen"}
    sources.follow(
        lambda: sources.api.put(a_deployment(pods=7)),
        lambda: sources.api.remove(path_of("Pod", "cart-1")),
        lambda: sources.api.remove(path_of("PodAutoscaler")),
    )
    assert set(sources.kinds[:4]) == first
    assert sources.kinds[4:] == [
        "PodAutoscalerSeen",
        "DeploymentSeen",
        "PodSeen",
        "PodAutoscalerSeen",
    ]
    *_, scaled, pod, pa = sources.events
    assert (scaled.object.replicas, pod.object, pa.object) == (7, None, None)


@pytest.mark.parametrize(
    "kind", ["ServerlessService", "Deployment", "Pod", "ConfigMap"], ids=str.lower
)
def test_a_revision_is_told_once_all_that_it_needs_was_listed(kind: str) -> None:
    api = Lists(*REVISION, a_configmap("config-autoscaler", min_scale="1"))
    path = path_of(kind, namespace=SYSTEM if kind == "ConfigMap" else "")
    late = path.rpartition("/")[0].replace("/namespaces//", "/")
    api.late_s[late] = 30.0
    assert RecordedSources(api).follow(seconds=29.0).kinds.count("PodAutoscalerSeen") == 0
    assert RecordedSources(api).follow(seconds=31.0).kinds.count("PodAutoscalerSeen") == 1


def test_it_is_admitted_with_its_pods_and_its_share() -> None:
    world, first = World(), list[tuple[int, float]]()

    def tell(event: Event) -> None:
        world.handle(event)
        if KEY in world.fleet and not first:
            first.append((world.column("observed", "ready"), world.column("spec", "share")))

    api = Lists(*REVISION)
    api.late_s = {ROUTES: 1.0}
    RecordedSources(api, tell).follow()
    assert first == [(1, 0.3)]


# --- Routes ---------------------------------------------------------------------------------------


def test_nobody_waits_long_for_routes() -> None:
    api = Lists(*REVISION)
    api.late_s = {ROUTES: 10.0}
    sources = RecordedSources(api).follow(seconds=ROUTES_WAIT_S + 1.0)
    assert sources.kinds[-1] == "PodAutoscalerSeen"
    assert "RouteSeen" not in sources.kinds
    assert RecordedSources(api).follow().kinds[-1] == "RouteSeen"


@pytest.mark.parametrize("status", [404, 403])
def test_a_cluster_without_routes_for_us_works_and_it_is_said_once(status: int) -> None:
    api = Lists(*REVISION)
    api.refused[ROUTES] = status
    sources = RecordedSources(api).follow()
    assert "PodAutoscalerSeen" in sources.kinds
    assert sources.faults("routes") == [f"GET {ROUTES}: {status}"]
    assert api.asked[ROUTES] > 3  # it may be allowed later


def test_a_route_that_cannot_be_concerns_its_service_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    right = a_route(to("till", 25), to("old", 75), name="till")
    sources = RecordedSources(Lists(a_route(to("cart", 120)), right)).follow()
    (event,) = sources.events
    assert event.key == "shop/till"
    assert "traffic percent is 120; allowed: whole numbers from 0 to 100" in caplog.text


# --- what is the process's own --------------------------------------------------------------------


def test_config_is_told_by_name_and_of_no_other_name() -> None:
    api = Lists(a_configmap("config-autoscaler", min_scale="1"), a_configmap("config-other", a="b"))
    sources = RecordedSources(api).follow(
        lambda: api.put(a_configmap("config-network", mesh="auto")),
        lambda: api.remove(path_of("ConfigMap", "config-autoscaler", SYSTEM)),
    )
    assert sources.config == [
        ("config-autoscaler", {"min-scale": "1"}),
        ("config-network", {"mesh": "auto"}),
        ("config-autoscaler", None),
    ]


def test_pods_that_may_report_are_told_with_their_address() -> None:
    activator: dict[str, Any] = a_pod("activator-1", address="10.0.0.9")
    activator["metadata"]["namespace"] = SYSTEM
    api = Lists(activator)
    sources = RecordedSources(api).follow(seconds=5.0)
    told = Reporter(addresses=("10.0.0.9",), connects=False)
    assert sources.reporters == {f"{SYSTEM}/activator-1": told}
    sources.follow(lambda: api.remove(path_of("Pod", "activator-1", SYSTEM)), seconds=5.0)
    assert sources.reporters == {f"{SYSTEM}/activator-1": None}


# --- health ---------------------------------------------------------------------------------------

KINDS = {
    "podautoscalers": PODAUTOSCALERS,
    "serverlessservices": SERVERLESSSERVICES,
    "deployments": DEPLOYMENTS,
    "pods": PODS,
    "routes": ROUTES,
    "configmaps": f"/api/v1/namespaces/{SYSTEM}/configmaps",
    "reporters": f"/api/v1/namespaces/{SYSTEM}/pods",
}


@pytest.mark.parametrize(("kind", "path"), KINDS.items(), ids=KINDS.keys())
def test_every_kind_says_for_itself_how_it_is(kind: str, path: str) -> None:
    api = Lists(*REVISION)
    api.refused[path] = 500
    sources = RecordedSources(api).follow(api.refused.clear, seconds=20.0)
    assert sources.faults(kind) == [f"GET {path}: 500"]
    assert {about for about, fault in sources.reports if fault} == {kind}


def test_what_is_too_much_of_one_namespace_is_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = Limit(NAMESPACE_REVISIONS.name, 3, NAMESPACE_REVISIONS.unit, NAMESPACE_REVISIONS.why)
    monkeypatch.setattr("knative.mirror.quota.NAMESPACE_REVISIONS", few)
    sources = RecordedSources(Lists(*(a_podautoscaler(f"cart-{i}") for i in range(5)))).follow(
        seconds=1.0
    )
    assert sources.kinds.count("PodAutoscalerSeen") == 3
    assert sources.refusals == {NAMESPACE_REVISIONS.name: 2}
