"""The advisor as a process: what the core does, and what it has to do with a cluster.

It may be killed at any time. Without a cluster, or without rights in it, it advises and shows all
the same; only Events are not written then.
"""

import asyncio
import logging
import os
import resource
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoscaler.advisor.advisor import Advisor, AdvisorSettings
from autoscaler.advisor.bundles import LoadBundle
from autoscaler.advisor.fetch import keep_fetching
from autoscaler.advisor.read_model import Change, ReadModel
from autoscaler.api.app import create_app
from autoscaler.api.authorization import Authorize
from autoscaler.api.server import ServerSettings, server
from autoscaler.clock import Clock, SystemClock
from autoscaler.errors import AutoscalerError, PermanentError
from autoscaler.health import FORECASTS, Health
from autoscaler.limits import MIB
from autoscaler.refusals import Refusals
from knative.advisor.events import Events, Note, Regarding, note_of
from knative.advisor.review import Reviewer
from knative.client.api import Api

CLEAN, BROKEN = 0, 1  # exit codes
NICENESS = 10  # the controller's work goes first, where both want the same core

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisorProcessSettings:
    """What the advisor reads, and where it serves."""

    advisor: AdvisorSettings
    """Files."""

    server: ServerSettings
    """The API."""

    bundle_url: str = ""
    """Where the learner serves the bundle, to be copied to its path; "" = it writes there."""

    ca_file: Path | None = None
    """Who vouches for that address; None = those that the system trusts."""

    authorize: bool = False
    """Whether whoever asks needs a token with the right to read the path."""

    memory_mib: int = 0
    """MiB that the process may take before it fails to get more; 0 = no limit of its own."""

    own_pod: Regarding | None = None
    """The pod that we run in, which Events tell that forecasts are gone; None = none."""


async def advise(settings: AdvisorProcessSettings, load_bundle: LoadBundle) -> int:
    """Run until told to stop; returns the exit code. load_bundle: reads what the learner wrote."""
    _be_modest(settings.memory_mib)
    api = await _connect()
    try:
        return await _Process(settings, load_bundle, api, SystemClock()).run()
    finally:
        if api:
            await api.close()


def _be_modest(memory_mib: int) -> None:
    """Leave the core to the controller, and fail by ourselves before the memory limit kills us."""
    os.nice(NICENESS)
    if memory_mib:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory_mib * MIB, hard))


async def _connect() -> Api | None:
    try:
        return await Api.connect()
    except AutoscalerError as error:
        log.warning("no Events are written: %s", error)
        return None


class _Process:
    """All parts, each in a task of its own."""

    def __init__(
        self,
        settings: AdvisorProcessSettings,
        load_bundle: LoadBundle,
        api: Api | None,
        clock: Clock,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._health, self._refusals = Health(self._turned), Refusals()
        self._model = ReadModel(self._health)
        self._events = Events(api, clock, partial(self._say, "events")) if api else None
        if self._events:
            self._model.events = self._events.outcomes
        self._advisor = Advisor(
            settings.advisor,
            self._model,
            clock,
            load_bundle=load_bundle,
            on_change=self._tell,
            refusals=self._refusals,
        )
        app = create_app(self._model, clock, self._refusals, self._authorizer(api))
        self._server = server(app, settings.server, self._refusals)

    def _authorizer(self, api: Api | None) -> Authorize | None:
        if not self._settings.authorize:
            return None
        if api is None:
            raise PermanentError("--authorize needs a cluster to ask; allowed: without it")
        return Reviewer(api, asyncio.get_running_loop().time).authorize

    async def run(self) -> int:
        """Go on until told to stop, or until a part ends; returns the exit code."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        log.info("serving %s", self._server.url)
        tasks = [asyncio.create_task(part, name=name) for name, part in self._parts().items()]
        told = asyncio.create_task(stop.wait())
        await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in tasks if task.done()]
        for task in ended:
            log.error("%s ended: %r", task.get_name(), task.exception())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1.0)
        return BROKEN if ended else CLEAN

    def _parts(self) -> dict[str, Coroutine[None, None, None]]:
        settings = self._settings
        parts = {"advisor": self._advisor.run(), "api": self._server.serve()}
        if self._events:
            parts["events"] = self._events.run()
        if settings.bundle_url and settings.advisor.bundle:
            parts["learner"] = keep_fetching(
                settings.bundle_url,
                settings.advisor.bundle,
                partial(self._say, "learner"),
                ca_file=settings.ca_file,
                refusals=self._refusals,
            )
        return parts

    def _say(self, part: str, fault: str) -> None:
        self._health.say(part, fault, self._clock.now())

    def _turned(self, part: str, fault: str) -> None:
        """Tell whoever describes our pod that forecasts went, or are back."""
        own = self._settings.own_pod
        if part == FORECASTS and own and self._events:
            self._events.tell(
                Note(about=own, reason="ForecastsGone", message=fault, warning=True)
                if fault
                else Note(about=own, reason="ForecastsBack", message="Forecasts are in force")
            )

    def _tell(self, change: Change) -> None:
        note = note_of(change) if self._events else None
        if note and self._events:
            self._events.tell(note)
