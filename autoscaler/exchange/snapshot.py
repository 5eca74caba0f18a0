"""Snapshots for the advisor: what the controller observed, measured and decided.

The numbers of a tick are one file, replaced every tick. Names change rarely and are another file,
replaced when a revision is added, changed or removed. Both identify revisions and services by
`name_id`, so that a reader may combine files of different ticks.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.core.prediction.missing import Missing
from autoscaler.core.state.account import Account
from autoscaler.core.state.credit import Credit
from autoscaler.core.state.decision import Decision, DecisionArrays
from autoscaler.core.state.early import Early
from autoscaler.core.state.fleet import ALL, Fleet
from autoscaler.core.state.revision import (
    DTYPES,
    Memory,
    Metric,
    Observed,
    PodCounts,
    Spec,
)
from autoscaler.core.state.services import BOUNDS_S, PARTS, Calls
from autoscaler.core.state.virtual import Virtual
from autoscaler.core.state.waits import Waits
from autoscaler.core.types import IntArray
from autoscaler.errors import PermanentError
from autoscaler.exchange.layout import Arrays, Field, Layout
from autoscaler.limits import CHANGES, NAMES_BYTES, NOTES_BYTES, REVISIONS

TICK, NAMES = "tick", "names.json"
VERSION = 9
CLUSTER_BILL = "cluster_bill"  # a note: `max_extra` and `left_s` of `ClusterCredit`; empty = none

_WIRE = {np.float64: "<f8", np.int64: "<i8", np.bool_: "|b1"}
_SPEC = (
    *("metric", "mode", "target", "cold_price_s", "max_cold_rate", "lead_s", "drain_s"),
    *("max_extra", "extra_allowance_s", "share", "pod_capacity", "reachable"),
)
_OBSERVED = ("ready", "replicas", "active", "set_up")
_CALLS = ("requests", "cold", "last_call_s", "last_start_s")
# Counts that a restart carries over.
EARLY = ("cases", "back", "missed")
WAITS = ("cases", "requests", "served_s", "served")


def _columns(prefix: str, kind: Any, dimension: str, names: Sequence[str] = ()) -> list[Field]:
    """A field for each column of a kind, or for some of them."""
    return [
        Field(prefix + f.name, _WIRE[DTYPES[f.type]], (dimension,))
        for f in fields(kind)
        if not names or f.name in names
    ]


LAYOUT = Layout(
    magic=b"KNAHTICK",
    version=VERSION,
    most={
        "revisions": int(REVISIONS.most),
        "services": int(REVISIONS.most),
        "changes": int(CHANGES.most),
        "parts": len(PARTS),
        "bounds": len(BOUNDS_S) + 1,
        "notes": int(NOTES_BYTES.most),
    },
    fields=(
        Field("at_s", "<f8", ()),
        Field("revision", "<i8", ("revisions",)),
        Field("service_of", "<i4", ("revisions",)),
        *_columns("spec_", Spec, "revisions", _SPEC),
        *_columns("observed_", Observed, "revisions", _OBSERVED),
        *_columns("pods_", PodCounts, "revisions"),
        *_columns("memory_", Memory, "revisions", ("excess_burst_capacity",)),
        *_columns("credit_", Credit, "revisions", ("left_s",)),
        *_columns("early_", Early, "revisions", EARLY),
        *_columns("twin_", Virtual, "revisions", ("begun", "replicas", "kpa", "reason")),
        Field("failing", "|b1", ("revisions",)),
        *(Field(f"missing_{f.name}", "<f8", ("revisions",)) for f in fields(Missing)),
        *_columns("decision_", Decision, "revisions"),
        Field("service", "<i8", ("services",)),
        *_columns("calls_", Calls, "services", _CALLS),
        *_columns("waits_", Waits, "services", WAITS),
        *_columns("account_", Account, "services"),
        Field("in_flight", "<f8", ("services",)),
        Field("peak", "<f8", ("services",)),
        Field("short_peak", "<f8", ("services",)),
        Field("starts", "<i4", ("parts", "services")),
        Field("starts_s", "<f8", ("parts", "services")),
        Field("drains", "<i4", ("services",)),
        Field("drains_s", "<f8", ("services",)),
        Field("scrapes", "<i4", ("bounds", "services")),
        Field("scrapes_s", "<f8", ("services",)),
        Field("change_revision", "<i8", ("changes",)),
        Field("change_before", "<i8", ("changes",)),
        *_columns("change_", Decision, "changes"),
        Field("notes", "|u1", ("notes",)),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Decisions that changed the pods wanted; (m,) each, in order of time."""

    revision: IntArray  # `name_id`
    before: IntArray  # pods; -1 = no answer, -2 = nothing was decided
    decision: DecisionArrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One tick; (n,) each of the revisions, (k,) of the services."""

    at_s: float  # Unix s
    revision: IntArray  # (n,) `name_id` of "namespace/revision"
    service_of: IntArray  # (n,) index into `service`
    service: IntArray  # (k,) `name_id` of "namespace/service"
    decision: DecisionArrays
    changes: Changes
    columns: Mapping[str, Any]  # by name, the others of `LAYOUT`
    notes: Mapping[str, Any]  # about the controller's process

    @property
    def rps(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(n,) whether the metric is requests per second."""
        return np.asarray(self.columns["spec_metric"] == Metric.RPS)


def write_tick(
    path: Path, fleet: Fleet, changes: Changes, notes: Mapping[str, Any], now: float
) -> None:
    """Replace the tick's file at Unix s ``now``. Raises OSError."""
    services = fleet.services
    arrays: dict[str, Any] = {
        "at_s": now,
        "revision": fleet.ids,
        "service_of": fleet.service,
        "failing": fleet.requested.wait_s > 0,
        "service": services.calls.id,
        "in_flight": services.in_flight,
        "peak": services.peak,
        "short_peak": services.short_peak,
        "starts": services.starts,
        "starts_s": services.starts_s,
        "drains": services.drains,
        "drains_s": services.drains_s,
        "scrapes": services.scrapes,
        "scrapes_s": services.scrapes_s,
        "change_revision": changes.revision,
        "change_before": changes.before,
        "notes": np.frombuffer(_encoded(notes), np.uint8),
    }
    for prefix, view in (
        ("spec_", fleet.spec),
        ("observed_", fleet.observed),
        ("pods_", fleet.pods),
        ("memory_", fleet.memory),
        ("credit_", fleet.credit),
        ("early_", fleet.early),
        ("missing_", Missing.of(fleet, ALL, fleet.spec)),
        ("twin_", fleet.twins.view),
        ("decision_", fleet.decision),
        ("calls_", services.calls),
        ("waits_", services.waits.view),
        ("account_", services.account),
        ("change_", changes.decision),
    ):
        arrays |= {prefix + f.name: getattr(view, f.name) for f in fields(view)}
    LAYOUT.write(path, arrays)


def _encoded(notes: Mapping[str, Any]) -> bytes:
    body = json.dumps(notes).encode()
    return body if len(body) <= NOTES_BYTES.most else b'{"too_long": true}'


def read_tick(path: Path) -> Snapshot:
    """Read a tick's file. Raises FileNotFoundError, or PermanentError for an invalid file."""
    arrays = LAYOUT.read(path)
    try:
        notes = json.loads(arrays.pop("notes").tobytes() or b"{}")
    except ValueError as error:
        raise PermanentError(f"{path}: its notes are no JSON") from error
    return Snapshot(
        at_s=float(arrays.pop("at_s")),
        revision=arrays.pop("revision"),
        service_of=arrays.pop("service_of").astype(np.int64),
        service=arrays.pop("service"),
        decision=_decisions(arrays, "decision_"),
        changes=Changes(
            revision=arrays.pop("change_revision"),
            before=arrays.pop("change_before"),
            decision=_decisions(arrays, "change_"),
        ),
        columns=arrays,
        notes=notes,
    )


def _decisions(arrays: Arrays, prefix: str) -> DecisionArrays:
    return Decision(**{f.name: arrays.pop(prefix + f.name) for f in fields(Decision)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Names and texts of a revision."""

    id: int  # `name_id` of `revision`
    revision: str  # "namespace/revision"
    service: str  # "namespace/service"
    configuration: str
    labelled_service: str  # of its label; "" = it has none, and `service` is its own name
    uid: str  # of its PodAutoscaler
    upstreams: str  # text of the annotation
    downstream_namespaces: str  # text of the annotation

    def encoded(self) -> bytes:
        """One element of the file."""
        return json.dumps([getattr(self, f.name) for f in fields(self)]).encode()


def write_names(path: Path, encoded: Iterable[bytes]) -> None:
    """Replace the file of names. Raises OSError."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(b'{"version": %d, "names": [' % VERSION)
        file.write(b",\n".join(encoded))
        file.write(b"]}")
    draft.replace(path)


def read_names(path: Path) -> tuple[Named, ...]:
    """Read names. Raises FileNotFoundError, or PermanentError for an invalid file."""
    if path.stat().st_size > NAMES_BYTES.most:
        raise PermanentError(f"{path} has over {NAMES_BYTES.most:.0f} bytes")
    try:
        whole = json.loads(path.read_bytes())
        if whole["version"] != VERSION:
            raise ValueError(f"version {whole['version']}")
        names = [f.name for f in fields(Named)]
        return tuple(Named(**dict(zip(names, one, strict=True))) for one in whole["names"])
    except (ValueError, LookupError, TypeError) as error:
        raise PermanentError(f"{path} holds no names: {error!r}") from error
