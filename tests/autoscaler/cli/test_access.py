"""A guarded API is asked with a token, by every command that asks one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.cli.main import app as command_line
from autoscaler.clock import SimulatedClock
from autoscaler.refusals import Refusals
from tests.autoscaler.api.graph.edges import edges
from tests.autoscaler.api.serving import serving
from tests.autoscaler.cli.conftest import run

COMMANDS = [["get", "services"], ["explain", "shop/cart"], ["graph"]]


async def authorize(token: str, _path: str) -> bool | None:
    """Knows one token."""
    return True if token == "secret" else None


@pytest.fixture
def guarded(model: ReadModel, clock: SimulatedClock) -> Iterator[str]:
    model.put_edges(edges(("shop/browse", "shop/cart"), ("shop/cart", "shop/purchase")))
    with serving(create_app(model, clock, Refusals(), authorize)) as server:
        yield server.url


@pytest.fixture
def token(tmp_path: Path) -> str:
    """A file that holds it."""
    file = tmp_path / "token"
    file.write_text("secret\n")
    return str(file)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_who_has_a_token_is_answered(guarded: str, token: str, command: list[str]) -> None:
    for more in (["--token-file", token], ["--header", "Authorization: Bearer secret"]):
        result = run(*command, "--url", guarded, *more)
        assert result.exit_code == 0, result.stderr
        assert "shop" in result.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_who_has_none_is_told_how_to_send_one(guarded: str, command: list[str]) -> None:
    result = run(*command, "--url", guarded)
    assert result.exit_code == 2
    assert "answers 401: " in result.stderr
    assert "neither Authorization nor X-Scope-OrgID was sent (--token-file, --header)" in (
        result.stderr
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_token_that_cannot_be_read_is_one_line(guarded: str, command: list[str]) -> None:
    result = run(*command, "--url", guarded, "--token-file", "/none/token")
    assert result.exit_code == 2
    assert result.stderr == "kn-ahead: /none/token cannot be read: No such file or directory\n"


def test_services_are_completed_with_a_token(guarded: str, token: str) -> None:
    words = f"kn-ahead explain --url {guarded} --token-file {token} shop/c"
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    asked |= {"_KN_AHEAD_COMPLETE": "complete_bash"}
    result = CliRunner().invoke(command_line, [], prog_name="kn-ahead", env=asked)
    assert result.stdout.split() == ["shop/cart"]
