"""A controller of a few revisions, whose snapshots reach a read model by way of files."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.advisor.read_model import Change, ReadModel
from autoscaler.core.control import Advised, ControlState, Event, Tick, control
from autoscaler.core.names import name_id
from autoscaler.core.prediction.advice import Advice
from autoscaler.core.state.decision import Decision
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Revision
from autoscaler.core.types import IntArray
from autoscaler.exchange.snapshot import Changes, Named, Snapshot, read_tick, write_tick
from autoscaler.health import Health

NOBODY: IntArray = np.zeros(0, dtype=np.int64)


class Controller:
    """Decides with the real loop, and puts what it decided into a read model."""

    def __init__(self, folder: Path, *, begin_s: float = 0.0) -> None:
        self._path, self.begin_s = folder / "tick", begin_s
        self.state = ControlState()
        self.names: Mapping[int, Named] = {}
        self.notes: dict[str, Any] = {}
        self.model = ReadModel(Health())

    @property
    def fleet(self) -> Fleet:
        return self.state.fleet

    def has(
        self, key: str, service: str = "", spec: Revision = KNATIVE_DEFAULTS, **observed: Any
    ) -> None:
        """A revision comes, set up; its service is its key up to the last dash."""
        service = service or key.rpartition("-")[0]
        ready = int(observed.get("ready", 0))
        self.fleet.add({key: spec}, now=self.begin_s, services=[service], ready=[ready])
        for name, value in ({"set_up": True, "named": True} | observed).items():
            getattr(self.fleet.observed, name)[-1] = value
        self.named(key, service)

    def named(self, key: str, service: str, **texts: str) -> None:
        """Send names with the next snapshot."""
        own = service.partition("/")[2]
        known = {"configuration": own, "labelled_service": own, "uid": "u-1", "upstreams": ""}
        texts = known | {"downstream_namespaces": ""} | texts
        name = Named(id=name_id(key), revision=key, service=service, **texts)
        self.names = {**self.names, name.id: name}

    def loses(self, key: str) -> None:
        self.fleet.remove(key)

    def row(self, key: str) -> int:
        return self.fleet.row(key)

    def advised(self, advice: Advice) -> None:
        control(self.state, Advised(advice=advice), self.begin_s)

    def hears(self, second: float, *in_flight: float) -> None:
        """Statistics of the second before, of all rows."""
        n = len(in_flight)
        seconds = np.full(n, int(self.begin_s + second) - 1)
        self.fleet.record(np.arange(n), seconds, np.array([in_flight, in_flight]))

    def ticks(self, second: float, *in_flight: float) -> list[Change]:
        """Decide, so many seconds after the beginning, and put it into the read model."""
        self.hears(second, *in_flight)
        return self.takes(Tick(), second)

    def takes(self, event: Event, second: float) -> list[Change]:
        now = self.begin_s + second
        before = self.fleet.decision.want.copy()
        rows = control(self.state, event, now).decided
        return self.model.put_snapshot(self.snapshot(second, rows, before[rows]), self.names)

    def counts(self, service: str, **more: float) -> None:
        """What a service's account grows by."""
        account, row = self.fleet.services.account, self.fleet.services.row(service)
        for name, value in more.items():
            getattr(account, name)[row] += value

    def snapshot(
        self, second: float, rows: IntArray = NOBODY, before: IntArray = NOBODY
    ) -> Snapshot:
        """What is known at present, with decisions that changed for some rows."""
        decision = {f.name: getattr(self.fleet.decision, f.name)[rows] for f in fields(Decision)}
        changes = Changes(
            revision=self.fleet.ids[rows],
            before=before,
            decision=Decision(**decision),
        )
        write_tick(self._path, self.fleet, changes, self.notes, self.begin_s + second)
        return read_tick(self._path)

    def shows(self, second: float = 0.0) -> None:
        """Put what is known at present into the read model, though nothing was decided."""
        self.model.put_snapshot(self.snapshot(second), self.names)
