"""Serves the bundle over HTTP, so that learner and autoscaler need not share a disk."""

import os
import threading
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Header, Response

NAME = "forecasts.npz"


def create_shelf(bundle: Path) -> FastAPI:
    """The API over a bundle's path: 404 while there is none, 304 to whoever has this one."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    def healthz() -> Response:
        return Response()

    @app.get(f"/{NAME}")
    def forecasts(if_none_match: Annotated[str, Header()] = "") -> Response:
        try:
            # What is open stays this one, though another takes its name meanwhile.
            with bundle.open("rb") as file:
                stat = os.fstat(file.fileno())
                tag = f'"{stat.st_ino:x}-{stat.st_mtime_ns:x}-{stat.st_size:x}"'
                if tag == if_none_match:
                    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
                body = file.read()
        except FileNotFoundError:
            return Response("nothing published yet", status_code=HTTPStatus.NOT_FOUND)
        return Response(body, headers={"ETag": tag}, media_type="application/octet-stream")

    return app


def serve_in_background(bundle: Path, host: str, port: int) -> uvicorn.Server:
    """Serve until the process ends, or the server is told to by ``should_exit``."""
    config = uvicorn.Config(create_shelf(bundle), host=host, port=port, log_level="warning")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, name="shelf", daemon=True).start()
    return server
