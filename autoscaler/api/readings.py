"""Answers from the read model: one function each."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

import numpy as np

from autoscaler.advisor.bills import Bill, ClusterBill
from autoscaler.advisor.frame import RevisionState
from autoscaler.advisor.read_model import Change as Changed
from autoscaler.advisor.read_model import ReadModel, known
from autoscaler.api.agreement_answers import (
    AchievedAnswer,
    BillAnswer,
    ClusterBillAnswer,
    IntervalAnswer,
    PromiseAnswer,
    WithdrawalAnswer,
)
from autoscaler.api.answers import (
    AveragesAnswer,
    CandidatesAnswer,
    ChangeAnswer,
    DecisionAnswer,
    DecisionsAnswer,
    ForecastAnswer,
    ModeName,
    ServiceAnswer,
    ServicesAnswer,
    WindowAnswer,
)
from autoscaler.core.prediction.forecasts import ForecastBundle, demand_at
from autoscaler.core.state.revision import NO_ANSWER, Mode

MOST_NAMED = 3  # services in a sentence
QUANTILES = np.array([0.5, 0.9, 0.95, 0.99])


def services(model: ReadModel, *, limit: int, offset: int) -> ServicesAnswer:
    """A page of the services, in alphabetical order."""
    page = model.services[offset : offset + limit]
    return ServicesAnswer(
        total=len(model.services),
        limit=limit,
        offset=offset,
        services=[_service(model, name) for name in page],
    )


def _service(model: ReadModel, name: str) -> ServiceAnswer:
    revisions = model.revisions(name)
    forecast_by = model.forecast_by(name)
    return ServiceAnswer(
        namespace=_head(name),
        service=_tail(name),
        has_forecast=bool(forecast_by),
        model=forecast_by or None,
        modes=[_mode(mode) for mode in sorted({r.mode for r in revisions})],
        desired_scale=_total(r.want for r in revisions),
        kpa=_total(r.kpa for r in revisions),
        ready=sum(r.ready for r in revisions),
        credit_s=_credit_s(revisions),
        revisions=len(revisions),
        reasons=sorted({r.reason.name for r in revisions}),
        forecast_made_at=utc(model.forecasts.made_at_s)
        if forecast_by and model.forecasts
        else None,
    )


def _total(pods: Iterable[int]) -> int | None:
    """Over revisions that have an answer; None where none has one."""
    answers = [n for n in pods if n > NO_ANSWER]
    return sum(answers) if answers else None


def _credit_s(revisions: Iterable[RevisionState]) -> float | None:
    """Over revisions that have a bill; None where none has one."""
    credits_s = [r.credit_s for r in revisions if np.isfinite(r.max_extra)]
    return sum(credits_s) if credits_s else None


def forecast(model: ReadModel, name: str, *, now: float) -> ForecastAnswer:
    """What is forecast of a known service. now: Unix s."""
    bundle = model.forecast(name)
    if bundle is None:
        return ForecastAnswer(
            namespace=_head(name),
            service=_tail(name),
            reason="the learner has published no forecast of this service",
            model=None,
            fitted_at=None,
            made_at=None,
            windows=[],
        )
    return ForecastAnswer(
        namespace=_head(name),
        service=_tail(name),
        reason=_not_in_force(bundle, now),
        model=bundle.model[0] or None,
        fitted_at=utc(bundle.fitted_at_s),
        made_at=utc(bundle.made_at_s),
        windows=_windows(bundle),
    )


def _not_in_force(bundle: ForecastBundle, now: float) -> str | None:
    """Why the forecast of a one-service bundle is not in force at ``now``; None = it is."""
    end_s = bundle.made_at_s + float(bundle.window_edges_s[-1])
    if bundle.reason[0]:
        return bundle.reason[0]
    if np.isnan(bundle.exceedance).all():
        return "the learner gave no curve and no reason"
    if now < bundle.made_at_s:
        return f"from the future: it begins at {utc(bundle.made_at_s):%Y-%m-%dT%H:%M:%SZ}"
    if now >= end_s:
        return f"stale: it reached to {utc(end_s):%Y-%m-%dT%H:%M:%SZ}"
    return None


def _windows(bundle: ForecastBundle) -> list[WindowAnswer]:
    """The windows of a one-service bundle that have a curve."""
    n = len(QUANTILES)
    demand = demand_at(  # (quantiles, windows) requests in flight
        np.repeat(bundle.exceedance, n, axis=0),
        np.repeat(bundle.demand_edges, n, axis=0),
        np.round(1.0 - QUANTILES, 9)[:, None],
    )
    edges_s = bundle.made_at_s + bundle.window_edges_s
    some = bundle.exceedance[0, :, 0]  # (windows,) P(peak > 0)
    return [
        WindowAnswer(
            start=utc(float(edges_s[j])),
            end=utc(float(edges_s[j + 1])),
            probability_of_any=float(some[j]),
            p50=float(demand[0, j]),
            p90=float(demand[1, j]),
            p95=float(demand[2, j]),
            p99=float(demand[3, j]),
        )
        for j in np.flatnonzero(~np.isnan(demand[0])).tolist()
    ]


def decisions(model: ReadModel, name: str) -> DecisionsAnswer:
    """What is decided for a known service."""
    return DecisionsAnswer(
        namespace=_head(name),
        service=_tail(name),
        promise=promise(model, name),
        bill=bill(model, name),
        cluster_bill=cluster_bill(model),
        revisions=[decision(state) for state in model.revisions(name)],
        withdrawn=withdrawal(model, name),
        changes=[change(changed) for changed in model.changes(name)],
    )


def withdrawn(model: ReadModel) -> list[str]:
    """Whose forecasts are withdrawn, as a sentence; none if nobody's is."""
    names = [name for name in sorted(model.withdrawals.by_service) if withdrawal(model, name)]
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    are = "1 forecast is" if len(names) == 1 else f"{len(names)} forecasts are"
    they = "it" if len(names) == 1 else "they"
    named = ", ".join(names[:MOST_NAMED])
    return [f"{are} withdrawn, as {they} lost more than {they} saved: {named}{more}."]


def withdrawal(model: ReadModel, name: str) -> WithdrawalAnswer | None:
    """Since when a service's forecast is withdrawn, and why; None = it has its say."""
    found = model.withdrawals.by_service.get(name)
    if found is None or not any(state.withdrawn for state in model.revisions(name)):
        return None
    return WithdrawalAnswer(since=utc(found.since_s), sentence=found.sentence)


def promise(model: ReadModel, name: str) -> PromiseAnswer | None:
    """What a service promised; None = nothing."""
    made = model.promise(name)
    if made is None:
        return None
    achieved = made.achieved
    return PromiseAnswer(
        max_cold_rate=made.rate,
        cold_price_s=made.price_s,
        achieved=AchievedAnswer(
            hours=achieved.hours,
            requests=achieved.requests,
            rate=achieved.rate,
            low=achieved.low,
            high=achieved.high,
            more_pod_s_a_day=achieved.more_pod_s,
        )
        if achieved
        else None,
        missed=made.missed,
        attainable=made.attainable,
        sentence=str(made),
    )


def bill(model: ReadModel, name: str) -> BillAnswer | None:
    """What prediction may cost a service; None = nothing bounds it."""
    made = Bill.of(model.revisions(name), model.ledger)
    if made is None:
        return None
    ratio = made.pod_ratio
    return BillAnswer(
        max_extra=made.max_extra,
        pod_ratio=IntervalAnswer(
            value=round(ratio.value, 3), low=round(ratio.low, 3), high=round(ratio.high, 3)
        )
        if ratio
        else None,
        sentence=str(made),
    )


def cluster_bill(model: ReadModel) -> ClusterBillAnswer | None:
    """What prediction may cost all revisions together; None = nothing bounds that."""
    made = ClusterBill.of(model.frame)
    if made is None:
        return None
    return ClusterBillAnswer(
        max_extra=made.max_extra, left_s=round(made.left_s, 3), sentence=str(made)
    )


def decision(state: RevisionState) -> DecisionAnswer:
    """One revision's last decision."""
    made, has_bill = state.decision, np.isfinite(state.max_extra)
    return DecisionAnswer(
        revision=_tail(state.name.revision),
        decided_at=utc(made.at_s),
        mode=_mode(state.mode),
        cold_price_s=state.cold_price_s,
        requests_waiting=round(state.requests_waiting, 3),
        max_extra=state.max_extra if has_bill else None,
        extra_allowance_s=state.extra_allowance_s if has_bill else None,
        credit_s=_credit_s([state]),
        ready=state.ready,
        desired_scale=known(made.want),
        candidates=CandidatesAnswer(
            kpa=known(made.kpa),
            predicted=known(made.predicted),
            anticipated=known(made.anticipated),
            together=known(made.desired),
        ),
        averages=AveragesAnswer(
            stable=None if made.no_data else made.stable,
            panic=None if made.no_data else made.panic,
        ),
        panicking=made.panicking,
        reason=state.reason.name,
        sentence=state.sentence,
    )


def unit(state: RevisionState) -> str:
    """What a revision's demand is counted in."""
    return "requests a second" if state.snapshot.rps[state.row] else "requests in flight"


def change(changed: Changed) -> ChangeAnswer:
    """A decision that differs from the one before."""
    return ChangeAnswer(
        at=utc(changed.at_s),
        revision=_tail(changed.revision.revision),
        before=None if changed.before is None else known(changed.before),
        desired_scale=known(changed.want),
        reason=changed.reason.name,
        sentence=changed.sentence,
    )


def _mode(mode: Mode) -> ModeName:
    return cast("ModeName", mode.name.lower())


def _head(name: str) -> str:
    return name.partition("/")[0]


def _tail(name: str) -> str:
    return name.partition("/")[2]


def utc(seconds: float) -> datetime:
    """A time in Unix s."""
    return datetime.fromtimestamp(seconds, UTC)
