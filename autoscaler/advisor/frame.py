"""One snapshot with the names of its revisions and services, and one revision of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from autoscaler.core.state.decision import OneDecision, Reason, explain, reasons, row_of
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import IntArray
from autoscaler.exchange.snapshot import Named, Snapshot

Noted = TypeVar("Noted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A snapshot with the names of its rows; rows without a name are left out."""

    snapshot: Snapshot | None = None
    named: Mapping[int, Named] = field(default_factory=dict)  # by row of the snapshot
    services: Mapping[str, int] = field(default_factory=dict)  # name -> row of the snapshot
    revisions: Mapping[str, Sequence[int]] = field(default_factory=dict)  # by service, rows
    service_names: Mapping[int, str] = field(default_factory=dict)  # by `name_id`
    names: Mapping[int, Named] = field(default_factory=dict)  # as given to `of`
    reasons: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))  # by row

    @classmethod
    def of(cls, snapshot: Snapshot, names: Mapping[int, Named], former: "Frame") -> "Frame":
        """Name the rows of a snapshot; reuses the indices of ``former`` if nothing else changed."""
        before = former.snapshot
        if (
            before is not None
            and former.names is names
            and np.array_equal(before.revision, snapshot.revision)
            and np.array_equal(before.service, snapshot.service)
            and np.array_equal(before.service_of, snapshot.service_of)
        ):
            return replace(former, snapshot=snapshot, reasons=reasons(snapshot.decision))
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
            reasons=reasons(snapshot.decision),
        )

    def note(self, name: str, kind: type[Noted], missing: Noted) -> Noted:
        """A note of the controller about itself; ``missing`` if there is none of that kind."""
        found = self.snapshot.notes.get(name) if self.snapshot else None
        return found if isinstance(found, kind) else missing

    def prices_s(self) -> dict[str, float]:
        """S of pod that a cold request is worth, by service; the highest of its revisions."""
        prices_s: dict[str, float] = {}
        if self.snapshot:
            column = self.snapshot.columns["spec_cold_price_s"].tolist()
            for row, name in self.named.items():
                prices_s[name.service] = max(column[row], prices_s.get(name.service, 0.0))
        return prices_s

    def bill(self, service: str, *, lately: bool = False) -> float | None:
        """The least bill that has the last word for a service, a fraction; None = none has.

        lately: whether one had it before, so that those in force count.
        """
        if self.snapshot is None:
            return None
        extra = self.snapshot.decision.max_extra
        rows = self.revisions.get(service, ())
        bills = [extra[row] for row in rows if lately or self.reasons[row] == Reason.BILL]
        return min((float(bill) for bill in bills if np.isfinite(bill)), default=None)

    def estimated(self, service: str) -> str:
        """Why what kn-ahead does for a service is the twin's estimate; "" = it is observed."""
        states = [self.state(row) for row in self.revisions.get(service, ())]
        if not states or any(one.mode >= Mode.OUTWARD and not one.withdrawn for one in states):
            return ""
        withdrawn = any(one.withdrawn for one in states)
        return "its forecast is withdrawn" if withdrawn else "it is in shadow"

    def state(self, row: int) -> "RevisionState":
        """The revision in a row that is named."""
        assert self.snapshot is not None
        return RevisionState(
            snapshot=self.snapshot,
            row=row,
            name=self.named[row],
            reason=Reason(int(self.reasons[row])),
            service_names=self.service_names,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionState:
    """One revision of a snapshot: its last decision, and what was observed with it."""

    snapshot: Snapshot
    row: int
    name: Named
    reason: Reason  # the rule that had the last word
    service_names: Mapping[int, str]  # by `name_id`

    @property
    def mode(self) -> Mode:
        """What a forecast may do to it."""
        return Mode(int(self.snapshot.columns["spec_mode"][self.row]))

    @property
    def withdrawn(self) -> bool:
        """Whether its forecast is shown only, though its mode says otherwise."""
        return bool(self.snapshot.decision.withdrawn[self.row])

    @property
    def cold_price_s(self) -> float:
        """What a cold request is worth, in s of idle pod."""
        return float(self.snapshot.columns["spec_cold_price_s"][self.row])

    @property
    def requests_waiting(self) -> float:
        """How many requests wait where the first pod is missing, on average."""
        return float(self.snapshot.columns["missing_first_waiting"][self.row])

    @property
    def max_extra(self) -> float:
        """Most pod time ahead, of what Knative's rule wants, a fraction; inf = no bill."""
        return float(self.snapshot.columns["spec_max_extra"][self.row])

    @property
    def extra_allowance_s(self) -> float:
        """S of pod that prediction may cost beyond that; without a meaning where there is none."""
        return float(self.snapshot.columns["spec_extra_allowance_s"][self.row])

    @property
    def credit_s(self) -> float:
        """S of pod that prediction may still cost; without a meaning where there is no bill."""
        return float(self.snapshot.columns["credit_left_s"][self.row])

    @property
    def ready(self) -> int:
        """Pods ready."""
        return int(self.snapshot.columns["observed_ready"][self.row])

    @property
    def want(self) -> int:
        """Pods wanted; -1 = no answer, -2 = nothing was decided yet."""
        return int(self.snapshot.decision.want[self.row])

    @property
    def kpa(self) -> int:
        """Pods that Knative's own rule asks for; -1 = no answer."""
        return int(self.snapshot.decision.kpa[self.row])

    @property
    def decision(self) -> OneDecision:
        """All of the last decision."""
        return row_of(self.snapshot.decision, self.row)

    @property
    def upstream(self) -> str:
        """The service that the decision names; "" = none."""
        return self.service_names.get(int(self.snapshot.decision.upstream[self.row]), "")

    @property
    def sentence(self) -> str:
        """Why, in one sentence."""
        return self.explain(self.decision, self.reason)

    def explain(self, decision: OneDecision, reason: Reason) -> str:
        """A decision for this revision, and why, in one sentence."""
        rps = bool(self.snapshot.rps[self.row])
        return explain(decision, upstream=self.upstream, rps=rps, reason=reason)
