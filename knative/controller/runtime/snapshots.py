"""Snapshots for the advisor: numbers at each tick, and names of revisions when they change."""

from collections.abc import Mapping
from math import inf, isfinite
from pathlib import Path
from typing import Any

from autoscaler.annotations import DOWNSTREAM_NAMESPACES, UPSTREAMS
from autoscaler.core.names import name_id
from autoscaler.core.state.fleet import Fleet
from autoscaler.errors import PermanentError
from autoscaler.exchange.snapshot import (
    CLUSTER_BILL,
    NAMES,
    TICK,
    Changes,
    Named,
    read_tick,
    write_names,
    write_tick,
)
from knative.controller.state.carried import Carried
from knative.controller.state.revisions import Revisions
from knative.mirror.objects import PodAutoscaler


class Snapshots:
    """Writes into a folder; a failed write is a fault and raises nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts = -1  # `Revisions.texts` when the names were written
        self._encoded: dict[str, tuple[PodAutoscaler, bytes]] = {}  # by "namespace/revision"
        self.fault = ""  # why the last one was not written; "" = it was

    def write(
        self,
        revisions: Revisions,
        fleet: Fleet,
        changes: Changes,
        notes: Mapping[str, Any],
        now: float,
    ) -> None:
        """Replace the snapshot of the last tick at Unix s ``now``."""
        try:
            if revisions.texts != self._texts:
                self._write_names(revisions)
                self._texts = revisions.texts
            write_tick(self._folder / TICK, fleet, changes, notes, now)
            self.fault = ""
        except (OSError, ValueError) as error:
            self.fault = f"nothing is shown: {error}"

    def carried(self) -> Carried:
        """What the last snapshot has of what was counted; nothing where it cannot be read."""
        try:
            last = read_tick(self._folder / TICK)
        except (OSError, PermanentError):
            return Carried()
        noted = last.notes.get(CLUSTER_BILL)
        left_s = noted.get("left_s") if isinstance(noted, dict) else None
        cluster_s = left_s if isinstance(left_s, float) and isfinite(left_s) else inf
        return Carried.shown(last.columns, last.revision, last.service, cluster_s)

    def _write_names(self, revisions: Revisions) -> None:
        former, self._encoded = self._encoded, {}
        for key, pa in revisions.podautoscalers():
            known = former.get(key)
            encoded = known[1] if known and known[0] is pa else _named(key, pa).encoded()
            self._encoded[key] = (pa, encoded)
        write_names(self._folder / NAMES, (encoded for _, encoded in self._encoded.values()))


def _named(key: str, pa: PodAutoscaler) -> Named:
    return Named(
        id=name_id(key),
        revision=key,
        service=pa.service,
        configuration=pa.configuration,
        labelled_service=pa.service_label,
        uid=pa.uid,
        upstreams=pa.annotations.get(UPSTREAMS, ""),
        downstream_namespaces=pa.annotations.get(DOWNSTREAM_NAMESPACES, ""),
    )
