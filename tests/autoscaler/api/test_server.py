import socket
from collections.abc import Iterator
from threading import Thread

import httpx
import pytest
import uvicorn
from fastapi import FastAPI


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))  # connections queue from here on
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


def test_serves_over_a_real_socket(address: str) -> None:
    with httpx.Client(base_url=address, timeout=30.0) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/v1/decisions/shop/cart").json()["revisions"][0]["desired_scale"] == 4
        assert client.get("/v1/forecasts/shop/%00%ff").status_code == 404
        assert client.get("/v1/forecasts/a%2Fb/c").status_code == 404
        assert client.get("/metrics").headers["content-type"].startswith("text/plain")
