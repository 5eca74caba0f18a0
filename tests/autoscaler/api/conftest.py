"""A small shop on the board: one service forecast, one with a reason why not, one unknown yet."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from autoscaler.api.app import create_app
from autoscaler.board import Board
from autoscaler.clock import SimulatedClock
from autoscaler.core.decider import decide
from autoscaler.core.fleet import Fleet
from autoscaler.core.forecasts import ForecastBundle
from autoscaler.core.predictive import read_at_price
from autoscaler.core.revision import KNATIVE_DEFAULTS, Active, Mode

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
def board(bundle: ForecastBundle) -> Board:
    """The shop after two ticks: browse has data but no forecast, cart is forecast 4 pods."""
    fleet, board = Fleet(), Board()
    modes = (Mode.SHADOW, Mode.OUTWARD, Mode.FULL)
    specs = [replace(KNATIVE_DEFAULTS, mode=mode) for mode in modes]
    fleet.add({f"{s}-00001": spec for s, spec in zip(SERVICES, specs, strict=True)}, now=START_S)
    outlook = read_at_price(
        bundle, np.array([-1, 0, 1]), fleet.spec.cold_price_s, layout=fleet.layout
    )
    fleet.seen.active[2] = Active.FALSE
    for second in (3, 4):
        at = int(START_S) + second
        fleet.record(np.array([0, 1]), np.full(2, at), np.array([[70.0, 140.0]] * 2))
        decisions = decide(fleet, outlook, now=START_S + second)
        fleet.remember(decisions)
        fleet.seen.ready[1] = 2
        board.post_decisions(fleet, SERVICES, decisions)
    board.post_forecasts(bundle)
    return board


@pytest.fixture
def app(board: Board, clock: SimulatedClock) -> FastAPI:
    return create_app(board, clock)


class InProcess(httpx.BaseTransport):
    """Asks an app without a socket; a fault of the app comes as its answer 500, as in life."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=await answer.aread()
        )


def ask(app: FastAPI) -> httpx.Client:
    return httpx.Client(transport=InProcess(app), base_url="http://kn-ahead")


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with ask(app) as client:
        yield client


@pytest.fixture
def bare() -> Iterator[httpx.Client]:
    """Asks an app on whose board nothing was posted."""
    with ask(create_app(Board(), SimulatedClock())) as client:
        yield client
