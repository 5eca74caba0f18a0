"""The Kubernetes API as we speak it, with servers that do not keep to it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from autoscaler.errors import AutoscalerError
from autoscaler.limits import LIST_BYTES
from knative.client.api import (
    JSON_PATCH,
    KEEPALIVE_IDLE_S,
    MERGE_PATCH,
    MESSAGE_LENGTH,
    Api,
    ApiError,
    Object,
)

PATH = "/apis/apps/v1/deployments"
SOCKETS = Path("/proc/net/tcp")
PATIENCE_S = 20.0  # until a test gives up; none waits so long
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def with_api(
    answer: Answer,
    ask: Callable[[Api], Awaitable[Object]],
    method: str = "GET",
    *,
    configuration: Configuration | None = None,
    answer_s: float = PATIENCE_S,
) -> Object:
    """What is made of an answer."""
    app = web.Application()
    app.router.add_route(method, PATH, answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = configuration or Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    api = Api(configuration, answer_s=answer_s)
    try:
        return await asyncio.wait_for(ask(api), PATIENCE_S)
    finally:
        await api.close()
        await runner.cleanup()


def refusal(status: int, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "not now"}, status=status, headers=headers)

    return answer


def page(text: str | bytes, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = text if isinstance(text, bytes) else text.encode()
        return web.Response(body=body, content_type="application/json", headers=headers)

    return answer


def flow(piece: bytes, *, status: int = 200, every_s: float = 0.0) -> Answer:
    """An answer that never ends."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        response.enable_chunked_encoding()
        await response.prepare(request)
        while True:
            await response.write(piece)
            await asyncio.sleep(every_s)

    return answer


def refusal_of(text: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=500)

    return answer


async def get(api: Api) -> Object:
    return await api.get(PATH)


async def echo(request: web.Request) -> web.StreamResponse:
    return web.json_response(
        {"kind": request.content_type, "method": request.method, "body": await request.json()}
    )


@pytest.mark.parametrize(
    ("kind", "body"),
    [(MERGE_PATCH, {"spec": {"mode": "Proxy"}}), (JSON_PATCH, [{"op": "add", "value": 0}])],
)
def test_a_patch_goes_out_as_it_is_with_its_kind(kind: str, body: Any) -> None:
    got = asyncio.run(with_api(echo, lambda api: api.patch(PATH, body, kind), "PATCH"))
    assert got == {"kind": kind, "method": "PATCH", "body": body}


def test_an_object_is_created_as_it_is() -> None:
    body = {"metadata": {"name": "cart"}, "spec": {"numActivators": 0}}
    got = asyncio.run(with_api(echo, lambda api: api.create(PATH, body), "POST"))
    assert got == {"kind": "application/json", "method": "POST", "body": body}


def test_a_refusal_carries_its_status_and_when_to_try_again() -> None:
    answer = refusal(429, **{"Retry-After": "7"})
    with pytest.raises(ApiError, match="429 not now") as refused:
        asyncio.run(with_api(answer, lambda api: api.get(PATH)))
    assert (refused.value.status, refused.value.retry_after_s) == (429, 7.0)


def test_a_server_that_is_not_there_is_status_zero() -> None:
    async def ask() -> None:
        configuration = Configuration()
        configuration.host = "http://127.0.0.1:1"
        api = Api(configuration)
        try:
            await api.get(PATH)
        finally:
            await api.close()

    with pytest.raises(AutoscalerError) as refused:
        asyncio.run(ask())
    assert isinstance(refused.value, ApiError)
    assert refused.value.status == 0


# --- when a request cannot be made ----------------------------------------------------------------


def test_a_token_that_cannot_be_read_is_a_failed_request_like_any_other(tmp_path: Path) -> None:
    token, certificate = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("secret")
    certificate.write_text("any")
    place = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    loader = InClusterConfigLoader(str(token), str(certificate), environ=place)  # type: ignore[no-untyped-call]
    configuration = Configuration()
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    configuration.ssl_ca_cert = None
    loader.token_expires_at -= timedelta(hours=1)
    token.unlink()
    with pytest.raises(ApiError, match="No such file"):
        asyncio.run(with_api(page("{}"), lambda api: api.get(PATH), configuration=configuration))


def test_a_body_that_cannot_be_written_is_a_failed_request_like_any_other() -> None:
    with pytest.raises(ApiError):
        asyncio.run(with_api(echo, lambda api: api.patch(PATH, {"at": object()}), "PATCH"))


# --- answers without measure ----------------------------------------------------------------------

ABSURD: dict[str, Answer] = {
    "endless": flow(b"x" * 2**16),
    "endless and slow": flow(b"x", every_s=0.01),
    "silent": flow(b"", every_s=0.01),
    "nested 200,000 deep": page("[" * 200_000 + "]" * 200_000),
    "nested and not closed": page('{"a":' * 100_000),
    "NaN": page('{"a": NaN}'),
    "no UTF-8": page(b'{"a": "\xff"}'),
    "packed": page(gzip.compress(b"{}"), **{"Content-Encoding": "gzip"}),
    "a bomb": page(gzip.compress(b"x" * 50_000_000), **{"Content-Encoding": "gzip"}),
    "an endless refusal": flow(b"x" * 2**16, status=500),
    "a slow refusal": flow(b"x", status=500, every_s=0.01),
    "a refusal nested deeply": refusal_of("[" * 100_000),
}


@pytest.mark.parametrize("answer", ABSURD.values(), ids=ABSURD.keys())
def test_an_absurd_answer_is_an_error_of_its_request(answer: Answer) -> None:
    with pytest.raises(ApiError):
        asyncio.run(with_api(answer, lambda api: api.get(PATH), answer_s=1.0))


def test_an_integer_of_absurd_length_costs_no_time() -> None:
    answer = page(f'{{"a": {"9" * 1_000_000}, "b": 7}}')
    got = asyncio.run(with_api(answer, lambda api: api.get(PATH)))
    assert got == {"a": float("inf"), "b": 7}


def test_of_an_answer_that_is_too_large_so_much_is_said() -> None:
    answer = page('{"a": "' + "x" * int(LIST_BYTES.most) + '"}')
    with pytest.raises(ApiError, match="more than 4194304 bytes"):
        asyncio.run(with_api(answer, lambda api: api.get(PATH)))


def test_a_refusal_of_many_words_is_cut() -> None:
    with pytest.raises(ApiError) as refused:
        asyncio.run(with_api(refusal_of('{"message": "' + "x" * 10_000 + '"}'), get))
    assert len(str(refused.value)) < MESSAGE_LENGTH + 100


def test_nothing_packed_is_asked_for() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers["Accept-Encoding"])
        return web.json_response({})

    asyncio.run(with_api(answer, get))
    assert asked == ["identity"]


# --- watches --------------------------------------------------------------------------------------


@pytest.mark.skipif(not SOCKETS.exists(), reason="needs Linux")
def test_a_server_that_vanished_during_a_watch_would_be_noticed() -> None:
    """The kernel says of each socket which timer runs: 02 = until the other side is probed."""
    timers: list[tuple[str, float]] = []
    configuration = Configuration()

    async def ask(api: Api) -> Object:
        port = int(configuration.host.rpartition(":")[2])
        async with api.watch(PATH, {}) as events:
            await anext(events)
            for line in SOCKETS.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[2].endswith(f":{port:04X}") and fields[3] == "01":
                    timer, _, left = fields[5].partition(":")
                    timers.append((timer, int(left, 16) / 100))
        return {}

    event = b'{"type": "BOOKMARK", "object": {}}\n'
    asyncio.run(with_api(flow(event, every_s=0.2), ask, configuration=configuration))
    assert [timer for timer, _ in timers] == ["02"]
    assert timers[0][1] <= KEEPALIVE_IDLE_S


# --- what the environment says --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "reached"), [("http://api.example", True), ("http://api.bypassed.example", False)]
)
def test_a_proxy_that_the_environment_names_is_asked_unless_it_excepts_the_server(
    server: str, reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = Configuration()  # of the proxy

    async def ask(_: Api) -> Object:
        monkeypatch.setenv("http_proxy", configuration.host)
        monkeypatch.setenv("no_proxy", ".bypassed.example")
        beyond = Configuration()
        beyond.host = server
        api = Api(beyond, answer_s=PATIENCE_S)
        try:
            return await api.get(PATH)
        except ApiError:
            return {}
        finally:
            await api.close()

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"host": request.host})

    expected = {"host": "api.example"} if reached else {}
    assert asyncio.run(with_api(answer, ask, configuration=configuration)) == expected


def test_credentials_that_lie_in_a_netrc_file_are_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    configuration = Configuration(api_key={"BearerToken": "Bearer ours"})

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"by": request.headers.get("Authorization")})

    found = asyncio.run(with_api(answer, lambda api: api.get(PATH), configuration=configuration))
    assert found == {"by": "Bearer ours"}
