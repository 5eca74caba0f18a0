"""Serves the bundle over HTTP or HTTPS, so that learner and autoscaler need not share a disk."""

import os
import threading
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Header, Response
from prometheus_client import CONTENT_TYPE_LATEST

from autoscaler.api.server import ServerSettings, server
from learner.publishing.metrics import metrics_of
from learner.status import LearnerStatus

NAME = "forecasts.npz"


class BundleServer:
    """Serves a bundle from a thread."""

    def __init__(self, bundle: Path, settings: ServerSettings, status: LearnerStatus) -> None:
        """Listens at once. Raises PermanentError for a port that is taken, or bad certificates."""
        self._server = server(create_bundle_server(bundle, status), settings, status.refusals)
        self.url = f"{self._server.url}/{NAME}"
        self._thread = threading.Thread(target=self._server.run, name="bundle-server", daemon=True)

    def start(self) -> None:
        """Serve until the process ends, or `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.should_exit = True
        self._thread.join()


def create_bundle_server(bundle: Path, status: LearnerStatus) -> FastAPI:
    """The API over a bundle's path: 404 while there is none, 304 to a client that has this one.

    Also ``/metrics``, and ``/healthz`` for a liveness probe: see `learner.status`.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    def healthz() -> Response:
        failure = status.liveness_failure()
        code = HTTPStatus.SERVICE_UNAVAILABLE if failure else HTTPStatus.OK
        return Response(failure, status_code=code)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(metrics_of(status), media_type=CONTENT_TYPE_LATEST)

    @app.get(f"/{NAME}")
    def forecasts(if_none_match: Annotated[str, Header()] = "") -> Response:
        try:
            # An open file stays the same one, if another takes its name meanwhile.
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
