"""The board: what was decided and forecast last, in the one place from which the API reads.

The loop posts, the API looks. They may live in different threads: whatever a reader holds was built
whole and is replaced, never changed, so there is no lock and no half a tick to be seen.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from autoscaler.core.decision import Decisions, Reason
from autoscaler.core.demand_meter import Metered
from autoscaler.core.dependencies import Edges, no_edges
from autoscaler.core.fleet import Fleet
from autoscaler.core.forecasts import ForecastBundle
from autoscaler.core.revision import Mode
from autoscaler.core.types import IntArray
from autoscaler.faults import FORECASTS, Faults
from autoscaler.pulse import STUCK_S, Pulse

CHANGES_KEPT = 50  # a service


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One revision's last decision, read out of the fleet's arrays."""

    revision: str  # "namespace/revision"
    service: str  # "namespace/service"
    at_s: float  # Unix s
    mode: Mode
    ready: int  # pods
    want: int  # pods; -1 = no decision
    kpa: int  # pods that Knative's rule asks for; -1 = no decision
    predicted: int  # pods that the forecast asks for; -1 = no forecast
    surged: int  # pods that upstreams' calls ask for; -1 = none does
    desired: int  # pods, all together before bounds; -1 = no decision
    no_data: bool
    stable: float  # stable-window average over all pods, in flight or rps
    panic: float  # panic-window average over all pods, in flight or rps
    panicking: bool
    reason: Reason
    tick: Decisions  # of which this is one
    place: int  # in it

    @property
    def sentence(self) -> str:
        """Why, in one sentence: made when somebody asks."""
        return self.tick.explain(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision that wanted another number of pods than the one before it."""

    at_s: float  # Unix s
    revision: str  # "namespace/revision"
    before: int | None  # pods; -1 = no decision; None = the revision was new
    want: int  # pods; -1 = no decision
    reason: Reason
    sentence: str
    applied: bool  # the scale target has to be written


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
class _Post:
    """One tick, with the columns copied that the fleet goes on to change."""

    decisions: Decisions
    ready: IntArray  # (n,) pods
    mode: IntArray  # (n,) a Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """The last decision of each revision, by "namespace/revision"."""

    service: Mapping[str, str] = field(default_factory=dict)  # its "namespace/service"
    place: Mapping[str, tuple[_Post, int]] = field(default_factory=dict)  # tick, and where in it
    revisions: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by service


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forecasts:
    """A bundle with an index."""

    bundle: ForecastBundle
    row: Mapping[str, int]  # by "namespace/service"


class Board:
    """Remembers the last posts; reads no clock and does no I/O."""

    def __init__(self) -> None:
        self._frame = _Frame()
        self._forecasts: _Forecasts | None = None
        self._edges = no_edges(())
        self.demand: Mapping[str, Metered] = {}  # by "namespace/service", as metered so far
        self.faults = Faults()
        self.pulse = Pulse()
        self.standing = ""  # who decides in our place; "" = we do
        self.events: Mapping[str, int] = {}  # Kubernetes Events, by what became of them
        self.on_change: Callable[[Change], None] = _tell_nobody
        self.changed: Counter[tuple[str, Reason]] = Counter()  # changes by service and reason
        self._changes: dict[str, tuple[Change, ...]] = {}  # by service, newest first
        self._services: tuple[str, ...] = ()

    def post_forecasts(self, bundle: ForecastBundle) -> None:
        """Put up the newest forecasts in place of the former."""
        row = {service: i for i, service in enumerate(bundle.services)}
        self._forecasts = _Forecasts(bundle=bundle, row=row)
        self._list_services()

    def post_edges(self, edges: Edges) -> None:
        """Put up who pulls whom in place of what was known before."""
        self._edges = edges

    def withdraw_forecasts(self) -> None:
        """Take the forecasts down: none is in force."""
        self._forecasts = None
        self._list_services()

    def withdraw_decisions(self) -> None:
        """Take all decisions down: somebody else decides."""
        self._frame = _Frame()
        self._list_services()

    def post_decisions(
        self, fleet: Fleet, service_of_row: Sequence[str], decisions: Decisions
    ) -> None:
        """Put up a tick of the whole fleet, or of some rows beside what is there for the others.

        service_of_row: (rows of the fleet,) "namespace/service".
        """
        rows = decisions.rows.tolist()
        keys = [fleet.keys[row] for row in rows]
        post = _Post(
            decisions=decisions,
            ready=fleet.seen.ready[decisions.rows],
            mode=fleet.spec.mode[decisions.rows],
        )
        service = dict(zip(keys, (service_of_row[row] for row in rows), strict=True))
        place = {key: (post, i) for i, key in enumerate(keys)}
        former = self._frame
        if len(rows) < len(fleet):
            service = {**former.service, **service}
            place = {**former.place, **place}
        same = service == former.service
        revisions = former.revisions if same else _by_service(service)
        self._frame = _Frame(service=service, place=place, revisions=revisions)
        if not same:
            self._list_services()
        self._log_changes(former, post, keys)

    def _list_services(self) -> None:
        forecast = self._forecasts.row if self._forecasts else {}
        self._services = tuple(sorted({*self._frame.revisions, *forecast}))
        known = self._frame.revisions
        self._changes = {name: log for name, log in self._changes.items() if name in known}
        self.changed = Counter({k: n for k, n in self.changed.items() if k[0] in known})

    def _log_changes(self, former: _Frame, post: _Post, keys: list[str]) -> None:
        want = post.decisions.want
        before = _wants(former, keys)
        for i in np.flatnonzero(before != want).tolist():
            service = self._frame.service[keys[i]]
            change = Change(
                at_s=float(post.decisions.now[i]),
                revision=keys[i],
                before=int(before[i]) if keys[i] in former.place else None,
                want=int(want[i]),
                reason=Reason(int(post.decisions.reason[i])),
                sentence=post.decisions.explain(i),
                applied=bool(post.decisions.apply[i]),
            )
            kept = self._changes.get(service, ())[: CHANGES_KEPT - 1]
            self._changes[service] = (change, *kept)
            self.changed[service, change.reason] += 1
            self.on_change(change)

    @property
    def services(self) -> tuple[str, ...]:
        """Every "namespace/service" that has a decision or a line in the forecasts, sorted."""
        return self._services

    def knows(self, service: str) -> bool:
        """Whether a service has a decision or a line in the forecasts."""
        known = self._forecasts.row if self._forecasts else {}
        return service in self._frame.revisions or service in known

    @property
    def forecasts(self) -> ForecastBundle | None:
        """The newest forecasts of all services."""
        return self._forecasts.bundle if self._forecasts else None

    @property
    def edges(self) -> Edges:
        """Who pulls whom, a pair once; their services need not be known otherwise."""
        return self._edges

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

    def decided(self, service: str) -> tuple[Decided, ...]:
        """The last decision of each of a service's revisions."""
        frame = self._frame
        return tuple(_read(frame, key) for key in frame.revisions.get(service, ()))

    def all_decided(self) -> Iterator[Decided]:
        """The last decision of each revision."""
        frame = self._frame
        return (_read(frame, key) for key in frame.place)

    def changes(self, service: str) -> tuple[Change, ...]:
        """The last decisions of a service that wanted something new, newest first."""
        return self._changes.get(service, ())

    def readiness(self, now: float) -> Readiness:
        """Whether we decide; without forecasts we do, as Knative would. now: Unix s."""
        return Readiness(missing=self._missing(now), degraded=tuple(self._degraded(now)))

    def _missing(self, now: float) -> str:
        if not self._frame.place and self.pulse.last_s is None:
            return "no decision was made yet"
        silence_s = self.pulse.silence_s(now)
        if silence_s > STUCK_S:
            return f"the last tick ended {silence_s:.0f} s ago; allowed: {STUCK_S:g} s"
        return ""

    def _degraded(self, now: float) -> Iterator[str]:
        if not self.faults.by_part.get(FORECASTS):  # which would say it better
            if self._forecasts is None:
                yield "no forecasts yet: deciding as Knative alone would"
            elif (late_s := now - _end_s(self._forecasts.bundle)) >= 0:
                yield f"forecasts ended {late_s:.0f} s ago: deciding as Knative alone would"
        if self.standing:
            yield self.standing
        yield from map(str, self.faults.present())


def _tell_nobody(change: Change) -> None:
    """Nobody listens."""


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


def _by_service(service: Mapping[str, str]) -> dict[str, list[str]]:
    revisions: dict[str, list[str]] = {}
    for key, name in service.items():
        revisions.setdefault(name, []).append(key)
    return revisions


def _wants(frame: _Frame, keys: list[str]) -> IntArray:
    """(n,) what was wanted last for each key; below any answer where it is new."""
    places = frame.place
    last = [post.decisions.want[i] for post, i in (places[k] for k in keys if k in places)]
    wants = np.full(len(keys), -2)
    wants[[key in places for key in keys]] = last
    return wants


def _read(frame: _Frame, key: str) -> Decided:
    post, i = frame.place[key]
    said = post.decisions
    return Decided(
        revision=key,
        service=frame.service[key],
        at_s=float(said.now[i]),
        mode=Mode(int(post.mode[i])),
        ready=int(post.ready[i]),
        want=int(said.want[i]),
        kpa=int(said.kpa[i]),
        predicted=int(said.predicted[i]),
        surged=int(said.surged[i]),
        desired=int(said.desired[i]),
        no_data=bool(said.no_data[i]),
        stable=float(said.stable[i]),
        panic=float(said.panic[i]),
        panicking=bool(said.panicking[i]),
        reason=Reason(int(said.reason[i])),
        tick=said,
        place=i,
    )
