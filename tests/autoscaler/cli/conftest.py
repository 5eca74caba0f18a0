"""The small shop of the API's tests, served over a real socket, and how it is asked."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from autoscaler.advisor.read_model import ReadModel
from autoscaler.cli.main import app as command_line
from tests.autoscaler.api.conftest import (  # noqa: F401  # fixtures
    app,
    bundle,
    clock,
    controller,
    model,
    refusals,
)
from tests.autoscaler.api.graph.edges import edges
from tests.autoscaler.api.serving import serving

Asked = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_settings_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KN_AHEAD_URL", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def url(app: FastAPI, model: ReadModel) -> Iterator[str]:  # noqa: F811
    """Of the shop; browse calls cart, cart calls purchase, which has neither pods nor forecast."""
    model.put_edges(edges(("shop/browse", "shop/cart"), ("shop/cart", "shop/purchase")))
    with serving(app) as server:
        yield server.url


@pytest.fixture
def ask(url: str, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Runs a command line that asks the shop."""
    monkeypatch.setenv("KN_AHEAD_URL", url)
    return run


def run(*args: str) -> Result:
    return CliRunner().invoke(command_line, list(args))
