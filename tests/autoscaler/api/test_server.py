import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from autoscaler.api.connections import ConnectionLimits
from autoscaler.api.server import ServerSettings, server, within_descriptors
from autoscaler.errors import PermanentError
from autoscaler.limits import REST_CONNECTIONS
from autoscaler.refusals import Refusals
from tests.autoscaler.api.serving import GET, PATIENCE_S, answer, dial, serving, until

ANY_PORT = ServerSettings(host="127.0.0.1", port=0)


def test_serves_over_a_real_socket(app: FastAPI) -> None:
    with serving(app) as made, httpx.Client(base_url=made.url, timeout=PATIENCE_S) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/v1/decisions/shop/cart").json()["revisions"][0]["desired_scale"] == 4
        assert client.get("/v1/forecasts/shop/%00%ff").status_code == 404
        assert client.get("/v1/forecasts/a%2Fb/c").status_code == 404
        assert client.get("/metrics").headers["content-type"].startswith("text/plain")
        assert "server" not in client.get("/").headers


def test_a_signal_reaches_the_handler_of_the_process_and_not_the_servers(app: FastAPI) -> None:
    made = server(app, ANY_PORT, Refusals())

    async def run() -> bool:
        heard = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, heard.set)
        try:
            task = asyncio.create_task(made.serve())
            while not made.started:
                await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGTERM)
            await heard.wait()
            serves = not made.should_exit
            made.should_exit = True
            await task
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
        return serves

    assert asyncio.run(run())


def test_a_port_that_is_taken_is_refused_at_once(app: FastAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PermanentError, match=f"127.0.0.1:{port} cannot be listened on"):
            server(app, ServerSettings(host="127.0.0.1", port=port), Refusals())


def test_certificates_that_are_none_are_refused_at_once(app: FastAPI, tmp_path: Path) -> None:
    bad = tmp_path / "cert.pem"
    bad.write_text("no certificate")
    with pytest.raises(PermanentError, match=r"cert\.pem and its key cannot be used"):
        server(app, ServerSettings(host="127.0.0.1", port=0, tls_cert=bad), Refusals())


def test_the_address_is_as_it_is_bound(app: FastAPI) -> None:
    with serving(app) as made:
        assert made.url.startswith("http://127.0.0.1:")
        assert answer(made).status_code == 200


def test_an_answer_does_not_wait_for_the_clients_acknowledgement(app: FastAPI) -> None:
    with serving(app) as made, dial(made, GET) as client:
        until(client, b"}")
        (connection,) = made.connections.open
        ours = connection.transport.get_extra_info("socket")
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_connections_never_take_all_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = ConnectionLimits()
    for descriptors, most in ((128, 64), (1, 1), (1024, REST_CONNECTIONS.most), (-1, 128)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, n=descriptors: (n, n))
        assert within_descriptors(usual).connections.most == most


FEW_DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from fastapi import FastAPI
from autoscaler.api.server import ServerSettings, server
from autoscaler.refusals import Refusals
app = FastAPI()
app.get("/healthz")(lambda: "ok")
made = server(app, ServerSettings(host="127.0.0.1", port=0), Refusals())
print(made.url, flush=True)
made.run()
"""


def test_150_idle_connections_take_no_descriptor_that_others_need() -> None:
    command = [sys.executable, "-c", FEW_DESCRIPTORS]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(process.terminate)
        assert process.stdout is not None
        url = httpx.URL(process.stdout.readline().strip())
        for _ in range(150):
            stack.enter_context(socket.create_connection((url.host, url.port or 0), PATIENCE_S))
        for _ in range(3):
            assert httpx.get(url.join("/healthz"), timeout=PATIENCE_S).json() == "ok"
