"""Routes of the ledger: of the fleet, and of one service."""

from datetime import UTC, datetime
from functools import partial
from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.exceptions import RequestValidationError

from autoscaler.advisor.ledger.store import DAYS_KEPT, HOURS_KEPT_S
from autoscaler.advisor.ledger.table import DAY_S, HOUR_S
from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.ledger import readings
from autoscaler.api.ledger.answers import LedgerAnswer, ServiceLedgerAnswer
from autoscaler.api.ledger.readings import DAYS, By, Period
from autoscaler.api.problems import UnknownServiceError
from autoscaler.api.rendering import Renderer
from autoscaler.api.routes import (
    INVALID,
    UNKNOWN,
    Limit,
    Namespace,
    Offset,
    ServiceName,
    rendered,
)
from autoscaler.clock import Clock

Days = Annotated[
    int | None,
    Query(ge=1, le=DAYS_KEPT, description=f"The last days, to the hour; {DAYS} if not given"),
]
Begin = Annotated[
    datetime | None,
    Query(alias="from", description="Begin, instead of days; ISO 8601, in UTC unless it says else"),
]
End = Annotated[
    datetime | None, Query(alias="to", description="End; now if not given, and not without from")
]
OfNamespace = Annotated[str, Query(max_length=253, description="Only services of this namespace")]
Steps = Annotated[By | None, Query(description="Hours or days to list besides the whole")]


def router(model: ReadModel, clock: Clock, renderer: Renderer) -> APIRouter:
    """Routes over a read model's ledger; answers are made by the renderer."""
    routes = APIRouter()

    @routes.get("/v1/ledger", tags=["ledger"], responses=INVALID, response_model=LedgerAnswer)
    async def ledger(
        namespace: OfNamespace = "",
        by: Steps = None,
        days: Days = None,
        begin: Begin = None,
        end: End = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Response:
        """What all services cost under Knative's rule and under kn-ahead, and what was saved."""
        now = clock.now()
        period = asked(now, days, begin, end, by)
        make = partial(
            readings.ledger,
            model.ledger,
            period,
            namespace=namespace,
            by=by,
            limit=limit,
            offset=offset,
        )
        key = "ledger", namespace, by, days, period.start_s, end, limit, offset
        return await rendered(readings.version(model.ledger, now), renderer, key, make)

    @routes.get(
        "/v1/ledger/{namespace}/{service}",
        tags=["ledger"],
        responses={**UNKNOWN, **INVALID},
        response_model=ServiceLedgerAnswer,
    )
    async def service_ledger(
        namespace: Namespace,
        service: ServiceName,
        by: By = "day",
        days: Days = None,
        begin: Begin = None,
        end: End = None,
    ) -> Response:
        """What one service cost under both policies, by days or hours, and what was saved."""
        now = clock.now()
        period = asked(now, days, begin, end, by)
        name = f"{namespace}/{service}"

        def make() -> ServiceLedgerAnswer:
            answer = readings.service_ledger(model.ledger, period, name, by)
            if not (answer.modes or model.knows(name)):
                raise UnknownServiceError(name, model.services)
            return answer

        key = "ledger of", name, by, days, period.start_s, end
        return await rendered(readings.version(model.ledger, now), renderer, key, make)

    return routes


def asked(
    now: float, days: int | None, begin: datetime | None, end: datetime | None, by: By | None
) -> Period:
    """The period of a query, in whole hours until now at most. now: Unix s.

    Raises RequestValidationError where its parts contradict each other.
    """
    if begin is None:
        if end is not None:
            raise _invalid("to", end.isoformat(), "allowed: with from alone")
        period = Period.last(days or DAYS, now)
    else:
        if days is not None:
            raise _invalid("days", days, "allowed: without from")
        begin_s, end_s = (_unix_s(time) if time else now for time in (begin, end))
        if begin_s >= min(end_s, now):
            raise _invalid("from", begin.isoformat(), "allowed: before to, and before now")
        if begin_s < now - DAYS_KEPT * DAY_S:
            raise _invalid("from", begin.isoformat(), f"allowed: within {DAYS_KEPT} days")
        end_s = min(ceil(end_s / HOUR_S) * HOUR_S, now)
        period = Period(start_s=begin_s // HOUR_S * HOUR_S, end_s=end_s)
    if by == "hour" and period.start_s < now - HOURS_KEPT_S - HOUR_S:
        raise _invalid(
            "by", by, f"allowed: within the last {HOURS_KEPT_S / DAY_S:.0f} days, or day"
        )
    return period


def _unix_s(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _invalid(name: str, value: Any, allowed: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("query", name), "input": value, "msg": allowed}])
