"""The app that is served from the beginning, and what stands behind it at present."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from threading import Thread

from fastapi import FastAPI, Response
from starlette.types import Receive, Scope, Send

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.api.pages import Front
from autoscaler.api.server import ServerSettings, server
from autoscaler.clock import Clock, SimulatedClock
from autoscaler.errors import PermanentError
from autoscaler.health import Health
from autoscaler.refusals import Refusals
from benchmarks.demo.cached import Cached
from benchmarks.demo.status import Status

REFRESH_S = 2.0  # two minutes of the shop


class FrontDoor:
    """Serves the API of the read model that was shown last, and the report once it is there."""

    def __init__(self, report: Path) -> None:
        """``report``: where it will be."""
        self._report = report
        self.status, self.refusals = Status(), Refusals()
        self.url = ""  # once it is served
        self.app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        self.app.add_api_route("/report", self._show_report, include_in_schema=False)
        self.app.mount("/", self._pass_on)
        self.show(ReadModel(Health()), SimulatedClock())

    def show(self, model: ReadModel, clock: Clock) -> None:
        """Serve this from now on."""
        front = Front(notice=self.status.html, refresh_s=REFRESH_S)
        self._inner = create_app(model, clock, self.refusals, front=front)

    def show_cached(self, cached: Cached) -> None:
        """Serve a former result, and say that it is one."""
        self.status.cached = cached.origin, cached.figures
        self.show(cached.model, cached.clock)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._inner(scope, receive, send)

    def _show_report(self) -> Response:
        try:
            return Response(self._report.read_bytes(), media_type="text/html")
        except OSError:
            text = "The report is written when the replay is over."
            return Response(text, HTTPStatus.NOT_FOUND, media_type="text/plain")


@contextmanager
def serving(door: FrontDoor, host: str, port: int) -> Iterator[None]:
    """Serve in a thread of its own. Raises PermanentError for a port in use."""
    try:
        api = server(door.app, ServerSettings(host=host, port=port), door.refusals)
    except PermanentError as error:
        raise PermanentError(f"{error}, such as --port {port % 65_535 + 1}") from error
    thread = Thread(target=api.run, name="api")
    thread.start()
    door.url = api.url
    try:
        yield
    finally:
        api.should_exit = True
        thread.join()
