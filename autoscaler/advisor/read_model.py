"""The read model: the last decisions, forecasts and dependencies, which the API reads.

The advisor puts them in; handlers read in threads of their own. Everything that a reader can hold
is built whole and then replaced, never changed, so no lock is needed.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from autoscaler.advisor.frame import Frame, RevisionState
from autoscaler.advisor.history import History
from autoscaler.advisor.ledger.ended import EndedHours, until
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.promises import Promise, Promises, promised
from autoscaler.advisor.twin_changes import twin_changes
from autoscaler.advisor.withdrawal.edge_warnings import CallTimes
from autoscaler.advisor.withdrawal.edges import EdgeWithdrawals
from autoscaler.advisor.withdrawal.withdrawals import Withdrawals
from autoscaler.core.prediction.dependencies import Edges, Pair, no_edges
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.state.decision import Reason, explain, reason_of, row_of
from autoscaler.core.state.revision import NO_ANSWER, UNDECIDED, Mode
from autoscaler.errors import PermanentError
from autoscaler.exchange.snapshot import Named, Snapshot
from autoscaler.health import FORECASTS, Health

MOST_CHANGES = 50  # stored of a service
STUCK_S = 10.0  # s without a tick after which the loop counts as stuck; it ticks every 2 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision that wanted another number of pods than the one before it: 0.3 KB to keep."""

    revision: Named
    at_s: float  # Unix s
    before: int | None  # pods; -1 = no answer; None = the revision was new
    want: int  # pods; -1 = no answer
    scale: bool  # the scale target has to be written
    applied: bool  # prediction was applied; else it is Knative's own, or would have been
    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownEdges:
    """All known edges, each pair once. Compared by identity."""

    edges: Edges = field(default_factory=lambda: no_edges(()))
    not_acted_on: Sequence[str] = ()  # (m,) why, of each edge; "" = it is, or not known
    withdrawn: Collection[Pair] = ()  # what they warned of did not come


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the autoscaler decides, and what keeps it at Knative's own answer."""

    missing: str  # why nothing is decided; "" = pods are decided
    degraded: tuple[str, ...]  # parts that do not work, a sentence each

    @property
    def ready(self) -> bool:
        """Whether pods are being decided."""
        return not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forecasts:
    """A bundle with an index."""

    bundle: ForecastBundle
    row: Mapping[str, int]  # by "namespace/service"


class ReadModel:
    """Holds the last snapshot, forecasts and edges; reads no clock and does no I/O."""

    def __init__(
        self, health: Health, ledger: Ledger | None = None, promises: Promises | None = None
    ) -> None:
        """health: of the parts of the advisor; the controller's come with its snapshots.

        ledger, promises: None = such that end with this.
        """
        self.health = health
        self.version = 0  # counts up whenever anything is put in
        self.frame = Frame()
        self.ledger = ledger or Ledger()
        self.withdrawals = Withdrawals()
        self.edge_withdrawals = EdgeWithdrawals()
        self.promises = promises or Promises()
        self._hours = EndedHours()
        self.history = History()
        self._forecasts: _Forecasts | None = None
        self.known_edges = KnownEdges()
        self.events: Mapping[str, int] = {}  # Kubernetes Events by outcome
        self.changed: Mapping[tuple[str, Reason], int] = {}  # changes by service and reason
        self._changes: Mapping[str, tuple[Change, ...]] = {}  # by service, newest first
        self._would_change: Mapping[str, tuple[Change, ...]] = {}  # likewise
        self.services: tuple[str, ...] = ()  # that have a decision or a forecast, sorted

    def put_snapshot(self, snapshot: Snapshot, names: Mapping[int, Named]) -> list[Change]:
        """Replace the snapshot; returns the changes of decisions that it brings.

        names: by `name_id` of the revision; the same object again means the same names.
        """
        former = self.frame
        self.frame = Frame.of(snapshot, names, former)
        if self.frame.revisions is not former.revisions:
            self._list_services()
        leads = self.frame.note("leading", bool, missing=True)
        self.ledger.fold(snapshot, self.frame.service_names, leads=leads)
        if leads:
            self.edge_withdrawals.follow(_call_times(snapshot), self.known_edges.edges)
        self.history.fold(self.frame, self.forecasts)
        changes = list(self._changes_of(snapshot, names))
        if changes:
            self._store(changes)
        self._would_change = _with(self._would_change, self._twin_changes(former.snapshot))
        self.version += 1
        return changes

    def put_forecasts(self, bundle: ForecastBundle | None) -> None:
        """Replace the forecasts; None = none is in force."""
        row = {service: i for i, service in enumerate(bundle.services)} if bundle else {}
        self._forecasts = _Forecasts(bundle=bundle, row=row) if bundle else None
        self._list_services()
        self.version += 1

    def put_edges(
        self,
        edges: Edges,
        causes: Sequence[str] | None = None,
        withdrawn: Collection[Pair] = (),
    ) -> None:
        """Replace the dependency graph.

        causes: (m,) why each edge is not acted on, in a few words; "" = it is. withdrawn: those
        that lost their say.
        """
        not_acted_on = [""] * len(edges) if causes is None else causes
        if len(not_acted_on) != len(edges):
            raise PermanentError(
                f"causes of edges are {len(not_acted_on)}; allowed: {len(edges)}, one an edge"
            )
        self.known_edges = KnownEdges(edges=edges, not_acted_on=not_acted_on, withdrawn=withdrawn)
        self.version += 1

    def follow_hours(self) -> bool:
        """Have promised prices and withdrawals follow from hours of the ledger that are over.

        Returns whether a price has changed, a forecast was withdrawn, or is back. One thread may do
        so while another puts snapshots in.
        """
        snapshot, frame = self.frame.snapshot, self.frame
        # Before services have names nobody knows who promises what, and hours come but once.
        if snapshot is None or not frame.named:
            return False
        if not frame.note("leading", bool, missing=True):
            return self._leave_hours_to_others()
        promises, withdrawals, former = self.promises, self.withdrawals, self.withdrawals.by_service
        promises.begin(promised(snapshot, frame.names), until(snapshot.at_s))
        if self._hours.due(snapshot.at_s):
            prices_s = frame.prices_s() | dict(promises.prices_s)
            for table in self._hours.take(self.ledger, snapshot.at_s):
                withdrawals.take(table, prices_s)
                promises.take(table)
        return promises.settle() | (withdrawals.by_service is not former)

    def _leave_hours_to_others(self) -> bool:
        if not self.ledger.is_kept:
            return False  # nobody else can write it
        former = self.withdrawals.by_service
        self._hours.begin_anew()
        self.promises.forget()
        self.withdrawals.forget()
        return bool(former)

    def _list_services(self) -> None:
        forecast = self._forecasts.row if self._forecasts else {}
        self.services = tuple(sorted({*self.frame.revisions, *forecast}))
        known = self.frame.revisions
        self._changes = {name: log for name, log in self._changes.items() if name in known}
        would_change = self._would_change.items()
        self._would_change = {name: log for name, log in would_change if name in known}
        self.changed = {k: n for k, n in self.changed.items() if k[0] in known}

    def _changes_of(self, snapshot: Snapshot, names: Mapping[int, Named]) -> Iterator[Change]:
        changes = snapshot.changes
        by_rps = set(snapshot.revision[snapshot.rps].tolist())
        modes = snapshot.columns["spec_mode"]
        applied = set(snapshot.revision[modes >= Mode.OUTWARD].tolist())
        for i, (revision, before) in enumerate(
            zip(changes.revision.tolist(), changes.before.tolist(), strict=True)
        ):
            if revision not in names:
                continue
            decision = row_of(changes.decision, i)
            upstream = self.frame.service_names.get(decision.upstream, "")
            yield Change(
                revision=names[revision],
                at_s=decision.at_s,
                before=None if before == UNDECIDED else before,
                want=decision.want,
                scale=decision.scale,
                applied=revision in applied,
                reason=reason_of(decision),
                sentence=explain(decision, upstream=upstream, rps=revision in by_rps),
            )

    def _store(self, changes: Sequence[Change]) -> None:
        counts = Counter(self.changed)
        for change in changes:
            counts[change.revision.service, change.reason] += 1
        self._changes, self.changed = _with(self._changes, changes), counts

    def _twin_changes(self, former: Snapshot | None) -> list[Change]:
        frame = self.frame
        return [
            Change(
                revision=frame.named[one.row],
                at_s=one.decision.at_s,
                before=one.before,
                want=one.decision.want,
                scale=False,
                applied=False,
                reason=one.reason,
                sentence=frame.state(one.row).explain(one.decision, one.reason),
            )
            for one in twin_changes(former, frame)
        ]

    def knows(self, service: str) -> bool:
        """Whether a service has a decision or a line in the forecasts."""
        known = self._forecasts.row if self._forecasts else {}
        return service in self.frame.revisions or service in known

    @property
    def forecasts(self) -> ForecastBundle | None:
        """The newest forecasts of all services."""
        return self._forecasts.bundle if self._forecasts else None

    def forecast(self, service: str) -> ForecastBundle | None:
        """The newest forecasts of one service alone; None if they do not have it."""
        forecasts = self._forecasts
        if forecasts is None or service not in forecasts.row:
            return None
        return _of_service(forecasts.bundle, forecasts.row[service])

    def forecast_by(self, service: str) -> str:
        """The model that forecasts a service; "" = none."""
        forecasts = self._forecasts
        if forecasts is None or service not in forecasts.row:
            return ""
        return forecasts.bundle.model[forecasts.row[service]]

    def revisions(self, service: str) -> tuple[RevisionState, ...]:
        """A service's revisions, without those that are not decided yet."""
        frame = self.frame
        states = map(frame.state, frame.revisions.get(service, ()))
        return tuple(state for state in states if state.want != UNDECIDED)

    def promise(self, service: str) -> Promise | None:
        """What a service promised, with what stands in its way; None = nothing."""
        made = self.promises.promise(service)
        if made is None:
            return None
        lately = self.changed.get((service, Reason.BILL), 0) > 0
        bill, why = self.frame.bill(service, lately=lately), self.frame.estimated(service)
        return replace(made, bill=bill, estimated=why)

    def changes(self, service: str) -> tuple[Change, ...]:
        """The last changes of a service's decisions, newest first."""
        return self._changes.get(service, ())

    def would_change(self, service: str) -> tuple[Change, ...]:
        """What kn-ahead would have changed of late where it is in shadow, newest first."""
        return self._would_change.get(service, ())

    def readiness(self, now: float) -> Readiness:
        """Whether pods are decided; without forecasts they are, by Knative's rule. now: Unix s."""
        return Readiness(missing=self._missing(now), degraded=tuple(self._degraded(now)))

    def _missing(self, now: float) -> str:
        snapshot = self.frame.snapshot
        if snapshot is None:
            return "no decision was made yet"
        age_s = now - snapshot.at_s
        if age_s > STUCK_S:
            return f"the last tick ended {age_s:.0f} s ago; allowed: {STUCK_S:g} s"
        return ""

    def _degraded(self, now: float) -> Iterator[str]:
        if not self.health.by_part.get(FORECASTS):  # else the fault below says why
            if self._forecasts is None:
                yield "no forecasts yet: deciding as Knative alone would"
            elif (ago_s := now - _end_s(self._forecasts.bundle)) >= 0:
                yield f"forecasts ended {ago_s:.0f} s ago: deciding as Knative alone would"
        yield from map(str, self.health.present())
        if leadership := self.frame.note("leadership", str, ""):
            yield leadership
        faults = self.frame.note("faults", dict, {})
        yield from (str(fault) for fault in faults.values() if fault)


def known(pods: int) -> int | None:
    """A number of pods, or None where there is no answer."""
    return None if pods <= NO_ANSWER else pods


def _call_times(snapshot: Snapshot) -> CallTimes:
    return CallTimes(
        at_s=snapshot.at_s,
        service=snapshot.service,
        last_call_s=snapshot.columns["calls_last_call_s"],
        last_start_s=snapshot.columns["calls_last_start_s"],
    )


def _with(
    logs: Mapping[str, tuple[Change, ...]], changes: Sequence[Change]
) -> Mapping[str, tuple[Change, ...]]:
    """Logs by service, each newest first, with further changes."""
    if not changes:
        return logs
    logs = dict(logs)
    for change in changes:
        service = change.revision.service
        logs[service] = (change, *logs.get(service, ())[: MOST_CHANGES - 1])
    return logs


def _of_service(bundle: ForecastBundle, row: int) -> ForecastBundle:
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
