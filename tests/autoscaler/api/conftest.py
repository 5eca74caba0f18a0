"""A small shop: one service forecast, one with a reason why not, one unknown to the learner."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.clock import SimulatedClock
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.prediction.predictive import PodCosts, read_at_price
from autoscaler.core.state.fleet import ALL
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active, Mode
from autoscaler.health import Health
from autoscaler.refusals import Refusals
from tests.autoscaler.advisor.controller import Controller

START_S = 1_772_442_000.0  # 2026-03-02T09:00:00Z
SERVICES = ("shop/browse", "shop/cart", "jobs/nightly")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START_S + 10.0)


@pytest.fixture
def bundle() -> ForecastBundle:
    """Windows of 60 and 120 s; cart: up to 400 in flight; nightly: too short."""
    falling = [[0.98, 0.6, 0.2, 0.1], [0.99, 0.7, 0.3, 0.2]]
    return ForecastBundle(
        services=("shop/cart", "jobs/nightly"),
        made_at_s=START_S,
        fitted_at_s=START_S - 3600.0,
        window_edges_s=np.array([0.0, 60.0, 180.0]),
        demand_edges=np.tile([0.0, 100.0, 200.0, 300.0, 400.0], (2, 1)),
        exceedance=np.array([falling, np.full((2, 4), np.nan)]),
        model=("pooled", ""),
        reason=("", "too short: 40 steps of history; 120 needed"),
    )


@pytest.fixture
def controller(bundle: ForecastBundle, tmp_path: Path) -> Controller:
    """The shop after two ticks: browse has data but no forecast, cart is forecast 4 pods."""
    controller = Controller(tmp_path, begin_s=START_S)
    for service, mode in zip(SERVICES, (Mode.SHADOW, Mode.OUTWARD, Mode.FULL), strict=True):
        spec = replace(KNATIVE_DEFAULTS, mode=mode, lead_s=0.0, drain_s=0.0)
        controller.has(f"{service}-00001", spec=spec)
    fleet = controller.fleet
    costs = PodCosts.of(fleet, ALL, fleet.spec)
    controller.advised(read_at_price(bundle, np.array([-1, 0, 1]), costs, layout=fleet.layout))
    fleet.observed.active[2] = Active.FALSE
    for second in (3, 4):
        loads = np.array([[70.0, 140.0]] * 2)
        fleet.record(np.array([0, 1]), np.full(2, int(START_S) + second), loads)
        controller.ticks(second)
        fleet.observed.ready[1] = 2
    controller.shows(4)
    controller.model.put_forecasts(bundle)
    return controller


@pytest.fixture
def model(controller: Controller) -> ReadModel:
    return controller.model


@pytest.fixture
def refusals() -> Refusals:
    return Refusals()


@pytest.fixture
def app(model: ReadModel, clock: SimulatedClock, refusals: Refusals) -> FastAPI:
    return create_app(model, clock, refusals)


class InProcess(httpx.BaseTransport):
    """Asks an app without a socket; a fault of the app comes as its answer 500, as in life."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        body = b"".join([piece async for piece in answer.aiter_raw()])
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)


def ask(app: FastAPI) -> httpx.Client:
    return httpx.Client(transport=InProcess(app), base_url="http://kn-ahead")


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with ask(app) as client:
        yield client


@pytest.fixture
def bare() -> Iterator[httpx.Client]:
    """Asks an app into whose read model nothing was put."""
    with ask(create_app(ReadModel(Health()), SimulatedClock(), Refusals())) as client:
        yield client
