"""From the board's arrays to answers: one function an answer, no framework."""

from datetime import UTC, datetime
from typing import cast

import numpy as np

from autoscaler.api.answers import (
    Averages,
    Candidates,
    Change,
    Decision,
    Decisions,
    Forecast,
    ModeName,
    Service,
    Services,
    Window,
)
from autoscaler.board import Board, Decided
from autoscaler.board import Change as Changed
from autoscaler.core.forecasts import ForecastBundle, demand_at
from autoscaler.core.revision import Mode

QUANTILES = np.array([0.5, 0.9, 0.95, 0.99])


def services(board: Board, *, limit: int, offset: int) -> Services:
    """A page of the services, in alphabetical order."""
    page = board.services[offset : offset + limit]
    return Services(
        total=len(board.services),
        limit=limit,
        offset=offset,
        services=[_service(board, name) for name in page],
    )


def _service(board: Board, name: str) -> Service:
    decided = board.decided(name)
    wants = [d.want for d in decided if d.want >= 0]
    model = board.forecast_by(name)
    return Service(
        namespace=_head(name),
        service=_tail(name),
        has_forecast=bool(model),
        model=model or None,
        modes=[_mode(mode) for mode in sorted({d.mode for d in decided})],
        desired_scale=sum(wants) if wants else None,
        ready=sum(d.ready for d in decided),
    )


def forecast(board: Board, name: str, *, now: float) -> Forecast:
    """What is forecast of a known service. now: Unix s."""
    bundle = board.forecast(name)
    if bundle is None:
        return Forecast(
            namespace=_head(name),
            service=_tail(name),
            reason="the learner has published no forecast of this service",
            model=None,
            fitted_at=None,
            made_at=None,
            windows=[],
        )
    return Forecast(
        namespace=_head(name),
        service=_tail(name),
        reason=_silence(bundle, now),
        model=bundle.model[0] or None,
        fitted_at=_utc(bundle.fitted_at_s),
        made_at=_utc(bundle.made_at_s),
        windows=_windows(bundle),
    )


def _silence(bundle: ForecastBundle, now: float) -> str | None:
    """Why a one-service bundle's forecast is not in force at `now`; None = it is."""
    end_s = bundle.made_at_s + float(bundle.window_edges_s[-1])
    if bundle.reason[0]:
        return bundle.reason[0]
    if np.isnan(bundle.exceedance).all():
        return "the learner gave no curve and no reason"
    if now < bundle.made_at_s:
        return f"from the future: it begins at {_utc(bundle.made_at_s):%Y-%m-%dT%H:%M:%SZ}"
    if now >= end_s:
        return f"stale: it reached to {_utc(end_s):%Y-%m-%dT%H:%M:%SZ}"
    return None


def _windows(bundle: ForecastBundle) -> list[Window]:
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
        Window(
            start=_utc(float(edges_s[j])),
            end=_utc(float(edges_s[j + 1])),
            probability_of_any=float(some[j]),
            p50=float(demand[0, j]),
            p90=float(demand[1, j]),
            p95=float(demand[2, j]),
            p99=float(demand[3, j]),
        )
        for j in np.flatnonzero(~np.isnan(demand[0])).tolist()
    ]


def decisions(board: Board, name: str) -> Decisions:
    """What is decided for a known service."""
    return Decisions(
        namespace=_head(name),
        service=_tail(name),
        revisions=[decision(decided) for decided in board.decided(name)],
        changes=[_change(changed) for changed in board.changes(name)],
    )


def decision(decided: Decided) -> Decision:
    """One revision's last decision."""
    known = not decided.no_data
    return Decision(
        revision=_tail(decided.revision),
        decided_at=_utc(decided.at_s),
        mode=_mode(decided.mode),
        ready=decided.ready,
        desired_scale=_known(decided.want),
        candidates=Candidates(
            kpa=_known(decided.kpa),
            predicted=_known(decided.predicted),
            surge=_known(decided.surged),
            together=_known(decided.desired),
        ),
        averages=Averages(
            stable=decided.stable if known else None, panic=decided.panic if known else None
        ),
        panicking=decided.panicking,
        reason=decided.reason.name,
        sentence=decided.sentence,
    )


def _change(changed: Changed) -> Change:
    return Change(
        at=_utc(changed.at_s),
        revision=_tail(changed.revision),
        before=None if changed.before is None else _known(changed.before),
        desired_scale=_known(changed.want),
        reason=changed.reason.name,
        sentence=changed.sentence,
    )


def _known(pods: int) -> int | None:
    return None if pods < 0 else pods


def _mode(mode: Mode) -> ModeName:
    return cast("ModeName", mode.name.lower())


def _head(name: str) -> str:
    return name.partition("/")[0]


def _tail(name: str) -> str:
    return name.partition("/")[2]


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
