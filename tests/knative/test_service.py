import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from autoscaler.clock import SimulatedClock
from autoscaler.core.forecasts import ForecastBundle
from autoscaler.core.revision import KNATIVE_DEFAULTS
from knative.api import ApiError, Object
from knative.leader import Standing
from knative.network import Mesh, Network
from knative.objects import PODAUTOSCALERS, podautoscaler
from knative.service import Service, ServiceSettings
from knative.traffic import ROUTES
from tests.knative.conftest import NOW_S, FakeApi, a_bundle, a_podautoscaler, run_fast

NETWORK = "knative-serving/config-network"


def no_bundle(path: Path) -> ForecastBundle:
    return a_bundle(1.0)


def a_service(api: FakeApi | None = None) -> Service:
    return Service(api or FakeApi(), ServiceSettings(), SimulatedClock(NOW_S), no_bundle)


# --- config-network -------------------------------------------------------------------------------


def test_config_network_is_followed_live() -> None:
    service = a_service()
    service._saw_config(NETWORK, {"mesh-compatibility-mode": "enabled"})
    assert service._scraping.network == Network(mesh=Mesh.ENABLED)
    service._saw_config(NETWORK, {"enable-mesh-pod-addressability": "true"})
    assert service._scraping.network == Network(pods_addressable=True)
    service._saw_config(NETWORK, None)
    assert service._scraping.network == Network()


def test_a_wrong_config_network_keeps_the_former(caplog: pytest.LogCaptureFixture) -> None:
    service = a_service()
    service._saw_config(NETWORK, {"mesh-compatibility-mode": "enabled"})
    service._saw_config(NETWORK, {"mesh-compatibility-mode": "often"})
    assert service._scraping.network == Network(mesh=Mesh.ENABLED)
    assert "mesh-compatibility-mode is 'often'; allowed: auto, enabled, disabled" in caplog.text


# --- ticks ----------------------------------------------------------------------------------------


def test_a_fleet_that_fails_every_tick_is_made_anew(caplog: pytest.LogCaptureFixture) -> None:
    service = a_service()
    service.seat.saw_podautoscaler("shop/cart", podautoscaler(a_podautoscaler("cart")))
    service.seat.fleet.add({"shop/stray": KNATIVE_DEFAULTS}, now=NOW_S)  # of no PodAutoscaler

    async def story() -> None:
        service._leadership.attend = lambda: Standing.UNSURE  # type: ignore[method-assign]
        service._pas.synced.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(service._tick(), 12.0)

    run_fast(story())
    assert service.seat.fleet.keys == ["shop/cart"]
    assert "3 ticks failed in a row; beginning anew" in caplog.text
    assert service.seat.board.pulse.last_s is not None


# --- Routes ---------------------------------------------------------------------------------------


class Lists(FakeApi):
    """Lists what there is; nothing ever changes."""

    def __init__(
        self, lists: Mapping[str, list[Object] | int], *, routes_after_s: float = 0.0
    ) -> None:
        """lists: by path; a status where it is refused."""
        super().__init__()
        self.lists, self.asked, self.routes_after_s = lists, 0, routes_after_s

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        if path == ROUTES:
            self.asked += 1
            await asyncio.sleep(self.routes_after_s)
        items = self.lists.get(path, [])
        if isinstance(items, int):
            raise ApiError(f"GET {path}: {items}", status=items)
        return {"items": items, "metadata": {"resourceVersion": "1"}}

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Object]:
        await asyncio.Event().wait()
        yield {}


def follow(service: Service, seconds: float = 60.0) -> None:
    async def story() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(service._follow(), seconds)

    run_fast(story())


def a_route(**percents: int) -> Object:
    traffic = [
        {"revisionName": name.replace("_", "-"), "percent": p} for name, p in percents.items()
    ]
    return {
        "metadata": {"namespace": "shop", "name": "cart-service", "resourceVersion": "1"},
        "status": {"traffic": traffic},
    }


@pytest.mark.parametrize("status", [404, 403])
def test_a_cluster_without_routes_for_us_works_and_it_is_said_once(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    api = Lists({PODAUTOSCALERS: [a_podautoscaler()], ROUTES: status})
    service = a_service(api)
    follow(service)
    assert service.seat.fleet.spec.share.tolist() == [1.0]
    assert api.asked > 3  # it may be allowed later
    assert len([r for r in caplog.records if ROUTES in r.getMessage()]) == 1


@pytest.mark.parametrize(
    ("after_s", "first"), [(1.0, 0.3), (5.0, 1.0)], ids=["soon", "too late to wait for"]
)
def test_routes_are_known_before_the_first_revision_is(after_s: float, first: float) -> None:
    paths = {PODAUTOSCALERS: [a_podautoscaler()], ROUTES: [a_route(cart=30, other=70)]}
    service = a_service(Lists(paths, routes_after_s=after_s))
    shares: list[float] = []
    admit = service.seat.fleet.add

    def spy(*args: object, **said: object) -> None:
        admit(*args, **said)  # type: ignore[arg-type]
        shares.extend(service.seat.fleet.spec.share.tolist())

    service.seat.fleet.add = spy  # type: ignore[method-assign]
    follow(service)
    assert shares == [first]
    assert service.seat.fleet.spec.share.tolist() == [0.3]


def test_a_route_that_cannot_be_concerns_its_service_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = a_route(cart=120)
    right = a_route(till=25, old=75)
    right["metadata"]["name"] = "till-service"
    pas = [a_podautoscaler("cart"), a_podautoscaler("till")]
    service = a_service(Lists({PODAUTOSCALERS: pas, ROUTES: [wrong, right]}))
    follow(service)
    assert service.seat.fleet.spec.share.tolist() == [1.0, 0.25]
    assert "traffic percent is 120; allowed: whole numbers from 0 to 100" in caplog.text
    assert "shop/cart-service" in caplog.text


# --- ticks ----------------------------------------------------------------------------------------


def test_what_was_listed_is_not_walked_through_by_every_collection() -> None:
    service = a_service(Lists({PODAUTOSCALERS: [a_podautoscaler()]}))

    async def story() -> None:
        tasks = [asyncio.create_task(part) for part in (service._follow(), service._tick())]
        await asyncio.sleep(10.0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    try:
        run_fast(story())
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
