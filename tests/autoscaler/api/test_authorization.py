"""Who may ask: a fake authorizer says."""

from collections.abc import Callable

import httpx
import pytest

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.clock import SimulatedClock
from autoscaler.refusals import Refusals
from tests.autoscaler.api.conftest import ask

PATHS = [
    "/metrics",
    "/v1/services",
    "/v1/decisions/shop/cart",
    "/v1/forecasts/shop/cart",
    "/v1/dependencies",
    "/",
    "/docs",
    "/openapi.json",
    "/unknown",
]


class Authorizer:
    """Knows two tokens; one of them may read metrics alone."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, token: str, path: str) -> bool | None:
        self.asked.append((token, path))
        allowed: dict[str, Callable[[str], bool]] = {
            "admin": lambda _: True,
            "prometheus": lambda path: path == "/metrics",
        }
        return allowed[token](path) if token in allowed else None


@pytest.fixture
def authorizer() -> Authorizer:
    return Authorizer()


@pytest.fixture
def guarded(model: ReadModel, clock: SimulatedClock, authorizer: Authorizer) -> httpx.Client:
    return ask(create_app(model, clock, Refusals(), authorizer))


def with_token(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert ("www-authenticate" in answer.headers) == (status == 401)
    return str(answer.json()["detail"])


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_shown_without_a_token(guarded: httpx.Client, path: str) -> None:
    answer = guarded.get(path)
    assert "no token" in refused(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_no_token(guarded: httpx.Client, authorizer: Authorizer, path: str) -> None:
    assert guarded.get(path).status_code == 200
    assert guarded.get(path, headers=with_token("nobody")).status_code == 200
    assert authorizer.asked == []


@pytest.mark.parametrize("path", ["//healthz", "/healthz/", "/healthz/../metrics", "/HEALTHZ"])
def test_what_only_looks_like_a_probe_needs_one(guarded: httpx.Client, path: str) -> None:
    refused(guarded.get(path), 401)


def test_an_unknown_token_is_told_so(guarded: httpx.Client) -> None:
    assert "not known" in refused(guarded.get("/metrics", headers=with_token("nobody")), 401)


def test_a_token_that_may_not_read_a_path_is_told_so(guarded: httpx.Client) -> None:
    own = with_token("prometheus")
    assert guarded.get("/metrics", headers=own).status_code == 200
    assert "'/v1/services'" in refused(guarded.get("/v1/services", headers=own), 403)


def test_the_authorizer_hears_token_and_path(guarded: httpx.Client, authorizer: Authorizer) -> None:
    answer = guarded.get("/v1/services", params={"limit": 1}, headers=with_token("admin"))
    assert (answer.status_code, len(answer.json()["services"])) == (200, 1)
    assert authorizer.asked == [("admin", "/v1/services")]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic YTpi", "admin"])
def test_other_credentials_are_no_token(
    guarded: httpx.Client, authorizer: Authorizer, header: str
) -> None:
    refused(guarded.get("/metrics", headers={"Authorization": header}), 401)
    assert authorizer.asked == []


def test_where_nobody_can_tell_nothing_is_shown(model: ReadModel, clock: SimulatedClock) -> None:
    async def away(token: str, path: str) -> bool | None:
        raise ConnectionError("secret")

    with ask(create_app(model, clock, Refusals(), away)) as client:
        answer = client.get("/metrics", headers=with_token("admin"))
    assert "secret" not in refused(answer, 503)
    assert answer.headers["retry-after"] == "5"


def test_without_an_authorizer_everybody_may_ask(client: httpx.Client) -> None:
    assert client.get("/metrics").status_code == 200
