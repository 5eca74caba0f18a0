"""The read model: what was decided, forecast and found last, in the one place the API reads from.

The advisor puts in what the controller's snapshots say; handlers look, in threads of their own.
Whatever a reader holds was built whole and is replaced, never changed, so there is no lock and no
half a tick to be seen.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, no_edges
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.state.decision import OneDecision, Reason, explain, reason_of, row_of
from autoscaler.core.state.revision import NO_ANSWER, UNDECIDED, Mode
from autoscaler.errors import PermanentError
from autoscaler.exchange.snapshot import Named, Snapshot
from autoscaler.health import FORECASTS, Health

Noted = TypeVar("Noted")

CHANGES_KEPT = 50  # a service
STUCK_S = 10.0  # s without a tick, of which there is one every 2 s, after which the loop is stuck


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision that wanted another number of pods than the one before it."""

    revision: Named
    before: int | None  # pods; -1 = no answer; None = the revision was new
    decision: OneDecision
    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownEdges:
    """The dependency graph: all edges that are known, a pair once. Equal is only the same one."""

    edges: Edges = field(default_factory=lambda: no_edges(()))
    not_acted_on: Sequence[str] = ()  # (m,) why, of each edge; "" = it is, or nobody said


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the autoscaler decides, and what keeps it from more than Knative's own answer."""

    missing: str  # why nothing is decided; "" = it is
    degraded: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether pods are being decided."""
        return not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One snapshot with names: rows of revisions and services that are named."""

    snapshot: Snapshot | None = None
    named: Mapping[int, Named] = field(default_factory=dict)  # by row of the snapshot
    services: Mapping[str, int] = field(default_factory=dict)  # name -> row of the snapshot
    revisions: Mapping[str, Sequence[int]] = field(default_factory=dict)  # by service, rows
    service_names: Mapping[int, str] = field(default_factory=dict)  # by `name_id`
    names: Mapping[int, Named] = field(default_factory=dict)  # those it was made with

    @classmethod
    def of(cls, snapshot: Snapshot, names: Mapping[int, Named], former: "Frame") -> "Frame":
        """Put names to a snapshot; where rows and names are those of the former, so is the rest."""
        before = former.snapshot
        if (
            before is not None
            and former.names is names
            and np.array_equal(before.revision, snapshot.revision)
            and np.array_equal(before.service, snapshot.service)
            and np.array_equal(before.service_of, snapshot.service_of)
        ):
            return replace(former, snapshot=snapshot)
        named = {row: names[i] for row, i in enumerate(snapshot.revision.tolist()) if i in names}
        revisions: dict[str, list[int]] = {}
        services: dict[str, int] = {}
        for row, name in named.items():
            revisions.setdefault(name.service, []).append(row)
            services[name.service] = int(snapshot.service_of[row])
        ids = snapshot.service.tolist()
        return cls(
            snapshot=snapshot,
            named=named,
            services=services,
            revisions=revisions,
            service_names={ids[row]: name for name, row in services.items()},
            names=names,
        )

    def note(self, name: str, kind: type[Noted], missing: Noted) -> Noted:
        """What the controller notes of itself; ``missing`` where it does not, or no such kind."""
        found = self.snapshot.notes.get(name) if self.snapshot else None
        return found if isinstance(found, kind) else missing


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionState:
    """One revision: its last decision, and what was observed beside it; read when asked for."""

    snapshot: Snapshot
    row: int
    name: Named
    service_names: Mapping[int, str]  # by `name_id`

    @property
    def mode(self) -> Mode:
        """What a forecast may do to it."""
        return Mode(int(self.snapshot.columns["spec_mode"][self.row]))

    @property
    def ready(self) -> int:
        """Pods ready."""
        return int(self.snapshot.columns["observed_ready"][self.row])

    @property
    def want(self) -> int:
        """Pods wanted; -1 = no answer, -2 = nothing was decided yet."""
        return int(self.snapshot.decision.want[self.row])

    @property
    def decision(self) -> OneDecision:
        """All of the last decision."""
        return row_of(self.snapshot.decision, self.row)

    @property
    def upstream(self) -> str:
        """The service that the decision names; "" = none."""
        return self.service_names.get(int(self.snapshot.decision.upstream[self.row]), "")

    @property
    def reason(self) -> Reason:
        """The rule that had the last word."""
        return reason_of(self.decision)

    @property
    def sentence(self) -> str:
        """Why, in one sentence."""
        return explain(self.decision, upstream=self.upstream)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forecasts:
    """A bundle with an index."""

    bundle: ForecastBundle
    row: Mapping[str, int]  # by "namespace/service"


class ReadModel:
    """Remembers the last of everything; reads no clock and does no I/O."""

    def __init__(self, health: Health) -> None:
        """health: of the parts of the advisor; the controller's come with its snapshots."""
        self.health = health
        self.version = 0  # of all that was put in; counts up
        self.frame = Frame()
        self._forecasts: _Forecasts | None = None
        self.known_edges = KnownEdges()
        self.events: Mapping[str, int] = {}  # Kubernetes Events, by what became of them
        self.changed: Mapping[tuple[str, Reason], int] = {}  # changes by service and reason
        self._changes: Mapping[str, tuple[Change, ...]] = {}  # by service, newest first
        self.services: tuple[str, ...] = ()  # that have a decision or a forecast, sorted

    def take(self, snapshot: Snapshot, names: Mapping[int, Named]) -> list[Change]:
        """Put a snapshot in place of the former; returns what changed with it.

        names: by `name_id` of the revision; the same object again means the same names.
        """
        former = self.frame
        self.frame = Frame.of(snapshot, names, former)
        if self.frame.revisions is not former.revisions:
            self._list_services()
        changes = list(self._changes_of(snapshot, names))
        if changes:
            self._keep(changes)
        self.version += 1
        return changes

    def put_forecasts(self, bundle: ForecastBundle | None) -> None:
        """Put forecasts in place of the former; None = none is in force."""
        row = {service: i for i, service in enumerate(bundle.services)} if bundle else {}
        self._forecasts = _Forecasts(bundle=bundle, row=row) if bundle else None
        self._list_services()
        self.version += 1

    def put_edges(self, edges: Edges, causes: Sequence[str] | None = None) -> None:
        """Put the dependency graph in place of the former.

        causes: (m,) why each edge is not acted on, in a few words; "" = it is.
        """
        not_acted_on = [""] * len(edges) if causes is None else causes
        if len(not_acted_on) != len(edges):
            raise PermanentError(
                f"causes of edges are {len(not_acted_on)}; allowed: {len(edges)}, one an edge"
            )
        self.known_edges = KnownEdges(edges=edges, not_acted_on=not_acted_on)
        self.version += 1

    def _list_services(self) -> None:
        forecast = self._forecasts.row if self._forecasts else {}
        self.services = tuple(sorted({*self.frame.revisions, *forecast}))
        known = self.frame.revisions
        self._changes = {name: log for name, log in self._changes.items() if name in known}
        self.changed = {k: n for k, n in self.changed.items() if k[0] in known}

    def _changes_of(self, snapshot: Snapshot, names: Mapping[int, Named]) -> Iterator[Change]:
        changes = snapshot.changes
        for i, (revision, before) in enumerate(
            zip(changes.revision.tolist(), changes.before.tolist(), strict=True)
        ):
            if revision not in names:
                continue
            decision = row_of(changes.decision, i)
            upstream = self.frame.service_names.get(decision.upstream, "")
            yield Change(
                revision=names[revision],
                before=None if before == UNDECIDED else before,
                decision=decision,
                reason=reason_of(decision),
                sentence=explain(decision, upstream=upstream),
            )

    def _keep(self, changes: Sequence[Change]) -> None:
        logs, counts = dict(self._changes), Counter(self.changed)
        for change in changes:
            service = change.revision.service
            logs[service] = (change, *logs.get(service, ())[: CHANGES_KEPT - 1])
            counts[service, change.reason] += 1
        self._changes, self.changed = logs, counts

    def knows(self, service: str) -> bool:
        """Whether a service has a decision or a line in the forecasts."""
        known = self._forecasts.row if self._forecasts else {}
        return service in self.frame.revisions or service in known

    @property
    def forecasts(self) -> ForecastBundle | None:
        """The newest forecasts of all services."""
        return self._forecasts.bundle if self._forecasts else None

    def forecast(self, service: str) -> ForecastBundle | None:
        """The newest forecasts, cut to one service; None where they do not know it."""
        forecasts = self._forecasts
        if forecasts is None or service not in forecasts.row:
            return None
        return _cut(forecasts.bundle, forecasts.row[service])

    def forecast_by(self, service: str) -> str:
        """Which model speaks for a service; "" = none."""
        forecasts = self._forecasts
        if forecasts is None or service not in forecasts.row:
            return ""
        return forecasts.bundle.model[forecasts.row[service]]

    def revisions(self, service: str) -> tuple[RevisionState, ...]:
        """A service's revisions, but those of which nothing was decided yet."""
        frame = self.frame
        states = (_state(frame, row) for row in frame.revisions.get(service, ()))
        return tuple(state for state in states if state.want != UNDECIDED)

    def changes(self, service: str) -> tuple[Change, ...]:
        """The last decisions of a service that wanted something new, newest first."""
        return self._changes.get(service, ())

    def readiness(self, now: float) -> Readiness:
        """Whether we decide; without forecasts we do, as Knative would. now: Unix s."""
        return Readiness(missing=self._missing(now), degraded=tuple(self._degraded(now)))

    def _missing(self, now: float) -> str:
        snapshot = self.frame.snapshot
        if snapshot is None:
            return "no decision was made yet"
        silence_s = now - snapshot.at_s
        if silence_s > STUCK_S:
            return f"the last tick ended {silence_s:.0f} s ago; allowed: {STUCK_S:g} s"
        return ""

    def _degraded(self, now: float) -> Iterator[str]:
        if not self.health.by_part.get(FORECASTS):  # which would say it better
            if self._forecasts is None:
                yield "no forecasts yet: deciding as Knative alone would"
            elif (late_s := now - _end_s(self._forecasts.bundle)) >= 0:
                yield f"forecasts ended {late_s:.0f} s ago: deciding as Knative alone would"
        yield from map(str, self.health.present())
        if standing := self.frame.note("standing", str, ""):
            yield standing
        faults = self.frame.note("faults", dict, {})
        yield from (str(fault) for fault in faults.values() if fault)


def _state(frame: Frame, row: int) -> RevisionState:
    assert frame.snapshot is not None
    return RevisionState(
        snapshot=frame.snapshot,
        row=row,
        name=frame.named[row],
        service_names=frame.service_names,
    )


def known(pods: int) -> int | None:
    """A number of pods, or None where there is no answer."""
    return None if pods <= NO_ANSWER else pods


def _cut(bundle: ForecastBundle, row: int) -> ForecastBundle:
    one = slice(row, row + 1)
    return replace(
        bundle,
        services=bundle.services[one],
        demand_edges=bundle.demand_edges[one],
        exceedance=bundle.exceedance[one],
        model=bundle.model[one],
        reason=bundle.reason[one],
    )


def _end_s(bundle: ForecastBundle) -> float:
    return bundle.made_at_s + float(bundle.window_edges_s[-1])
