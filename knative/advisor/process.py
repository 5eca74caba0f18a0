"""The advisor as a process: advice, REST API, Events.

It may be killed at any time. Without a cluster, or without rights in it, it advises and serves its
API all the same; only Events are not written then.
"""

import asyncio
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
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.occasions import Begun
from autoscaler.advisor.promises import Promises
from autoscaler.advisor.read_model import Change, ReadModel
from autoscaler.api.app import create_app
from autoscaler.api.authorization import Authorize
from autoscaler.api.server import ServerSettings, server
from autoscaler.clock import Clock, SystemClock
from autoscaler.errors import AutoscalerError, PermanentError
from autoscaler.health import FORECASTS, Health
from autoscaler.limits import MIB
from autoscaler.logs import get_logger
from autoscaler.refusals import Refusals
from knative.advisor.events import (
    EventRecorder,
    ObjectEvent,
    ObjectReference,
    begun_event,
    scaling_event,
)
from knative.advisor.review import Reviewer
from knative.client.api import Api

CLEAN, BROKEN = 0, 1  # exit codes
NICENESS = 10  # the controller goes first where both want the same CPU core

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisorProcessSettings:
    """What the advisor reads, and where it serves."""

    advisor: AdvisorSettings
    """The files that it reads and writes."""

    server: ServerSettings
    """Where the API is served."""

    ledger: Path | None = None
    """Folder in which the ledger is kept over restarts; None = in memory, for a day."""

    bundle_url: str = ""
    """URL from which the bundle is copied to `advisor.bundle`; "" = the learner writes the file."""

    ca_file: Path | None = None
    """Certificate authorities for that URL; None = those that the system trusts."""

    authorize: bool = False
    """Whether readers of the API need a token with the right to get the path."""

    memory_mib: int = 0
    """Limit of the data segment (RLIMIT_DATA), MiB; 0 = none."""

    own_pod: ObjectReference | None = None
    """The pod of this process: Events say there that forecasts are gone or back; None = none."""


async def advise(settings: AdvisorProcessSettings, load_bundle: LoadBundle) -> int:
    """Run until SIGTERM; returns the exit code. load_bundle: reads the learner's file."""
    _limit_resources(settings.memory_mib)
    api = await _connect()
    try:
        return await AdvisorProcess(settings, load_bundle, api, SystemClock()).run()
    finally:
        if api:
            await api.close()


def _limit_resources(memory_mib: int) -> None:
    """Lower the priority, and have allocations fail before the container's memory limit kills."""
    os.nice(NICENESS)
    if memory_mib:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory_mib * MIB, hard))


async def _connect() -> Api | None:
    try:
        return await Api.connect()
    except AutoscalerError as error:
        log.warning("no Events are written", error=str(error))
        return None


class AdvisorProcess:
    """Advisor, API server, event recorder and bundle fetcher, each in a task of its own."""

    def __init__(
        self,
        settings: AdvisorProcessSettings,
        load_bundle: LoadBundle,
        api: Api | None,
        clock: Clock,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._health, self._refusals = Health(self._fault_changed), Refusals()
        self._model = ReadModel(self._health, Ledger(settings.ledger), Promises(settings.ledger))
        self._events = EventRecorder(api, clock, partial(self._report, "events")) if api else None
        if self._events:
            self._model.events = self._events.outcomes
        self._advisor = Advisor(
            settings.advisor,
            self._model,
            clock,
            load_bundle=load_bundle,
            on_change=self._record_change,
            on_begin=self._record_begin,
            refusals=self._refusals,
        )
        app = create_app(self._model, clock, self._refusals, self._authorizer(api))
        self.server = server(app, settings.server, self._refusals)

    def _authorizer(self, api: Api | None) -> Authorize | None:
        if not self._settings.authorize:
            return None
        if api is None:
            raise PermanentError("--authorize needs a cluster to ask; allowed: without it")
        return Reviewer(api, asyncio.get_running_loop().time).authorize

    async def run(self) -> int:
        """Run until SIGTERM, SIGINT or the end of a part; returns the exit code."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        log.info("serving the API", url=self.server.url)
        tasks = [asyncio.create_task(part, name=name) for name, part in self._parts().items()]
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in tasks if task.done()]
        for task in ended:
            log.error("part ended", part=task.get_name(), error=repr(task.exception()))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1.0)
        return BROKEN if ended else CLEAN

    def _parts(self) -> dict[str, Coroutine[None, None, None]]:
        settings = self._settings
        parts = {"advisor": self._advisor.run(), "api": self.server.serve()}
        if self._events:
            parts["events"] = self._events.run()
        if settings.bundle_url and settings.advisor.bundle:
            parts["learner"] = keep_fetching(
                settings.bundle_url,
                settings.advisor.bundle,
                partial(self._report, "learner"),
                ca_file=settings.ca_file,
                refusals=self._refusals,
            )
        return parts

    def _report(self, part: str, fault: str) -> None:
        self._health.report(part, fault, self._clock.now())

    def _fault_changed(self, part: str, fault: str) -> None:
        """Write an Event about our pod when forecasts are gone or back."""
        pod = self._settings.own_pod
        if part == FORECASTS and pod and self._events:
            self._events.record(
                ObjectEvent(about=pod, reason="ForecastsGone", message=fault, warning=True)
                if fault
                else ObjectEvent(
                    about=pod, reason="ForecastsBack", message="Forecasts are in force"
                )
            )

    def _record_change(self, change: Change) -> None:
        event = scaling_event(change) if self._events else None
        if event and self._events:
            self._events.record(event)

    def _record_begin(self, begun: Begun) -> None:
        if self._events:
            self._events.record(begun_event(begun))
