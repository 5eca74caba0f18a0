"""However many ask, what is made of a snapshot is made once."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api import dependencies, pages, readings
from autoscaler.api.metrics.page import Metrics
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.api.known_edges import edges


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each expensive thing is made."""
    made: Counter[str] = Counter()

    def counted(owner: Any, name: str) -> None:
        makes = getattr(owner, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            made[name] += 1
            return makes(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    counted(readings, "services")
    counted(readings, "decisions")
    counted(pages, "svg")
    counted(pages, "_documentation")
    counted(dependencies, "alphabetical")
    counted(Metrics, "packed")
    return made


def ask(app: FastAPI, *paths: str, times: int = 20) -> list[str]:
    """Ask for each path so many times, all at once."""

    async def asking() -> list[str]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://kn-ahead") as client:
            answers = await asyncio.gather(*(client.get(path) for path in paths * times))
        assert {answer.status_code for answer in answers} == {200}
        return [answer.text for answer in answers]

    return asyncio.run(asking())


def test_a_page_is_made_once_a_snapshot_for_all_who_ask(
    app: FastAPI, controller: Controller, made: Counter[str]
) -> None:
    for rounds in (1, 2):
        ask(app, "/metrics", "/v1/services", "/v1/decisions/shop/cart")
        assert made == {"packed": rounds, "services": rounds, "decisions": rounds}
        controller.shows(5)


def test_the_picture_is_drawn_anew_only_when_edges_are_others(
    app: FastAPI, controller: Controller, model: ReadModel, made: Counter[str]
) -> None:
    model.put_edges(edges())
    for second in (5, 6, 7):
        ask(app, "/", "/v1/dependencies", times=3)
        controller.shows(second)
    assert (made["svg"], made["alphabetical"]) == (1, 2)  # the picture has an order of its own
    model.put_edges(edges())
    ask(app, "/", times=3)
    assert (made["svg"], made["alphabetical"]) == (2, 4)


def test_the_documentation_is_made_once(app: FastAPI, made: Counter[str]) -> None:
    assert len(set(ask(app, "/docs", times=5))) == 1
    assert made["_documentation"] == 1
