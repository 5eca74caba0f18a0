"""Answers from the ledger: one function each."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

import numpy as np

from autoscaler.advisor.ledger.comparison import Compared, Comparison, Interval
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.ledger.table import DAY_S, HOUR_S, Merging, Table, differences
from autoscaler.api.agreement_answers import IntervalAnswer
from autoscaler.api.answers import ModeName
from autoscaler.api.ledger import sentences as words
from autoscaler.api.ledger.answers import (
    ComparisonAnswer,
    LedgerAnswer,
    LedgerEntryAnswer,
    LedgerPeriodAnswer,
    PolicyAnswer,
    ServiceLedgerAnswer,
)
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import BoolArray

By = Literal["hour", "day"]
DAYS = 7
FRESH_S = 60.0  # s after which an answer is made anew though nothing was counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What is asked for: whole hours, of which the last may go on."""

    start_s: float
    end_s: float
    days: int | None = None  # that it is the last of; None = others

    @classmethod
    def last(cls, days: int, now: float) -> "Period":
        """The last days, to the hour."""
        hour_s = now // HOUR_S * HOUR_S
        return cls(start_s=hour_s - days * DAY_S, end_s=now, days=days)

    @classmethod
    def calendar(cls, days: int, now: float) -> "Period":
        """Today and the days of UTC before it, so many in all."""
        return cls(start_s=now // DAY_S * DAY_S - (days - 1) * DAY_S, end_s=now)


Which = Callable[[Sequence[str]], BoolArray]  # of names, which ones are asked for


def in_namespace(namespace: str) -> Which:
    """Services of a namespace; "" = all."""
    begin = f"{namespace}/" if namespace else ""
    return lambda names: np.array([name.startswith(begin) for name in names], dtype=np.bool_)


def named(service: str) -> Which:
    """One service alone."""
    return lambda names: np.array([name == service for name in names], dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One hour or day."""

    covered_s: float
    comparison: Comparison

    @classmethod
    def of(cls, table: Table, which: Which) -> "_Step":
        together = Compared.of(table).together(which(table.services))
        return cls(covered_s=table.covered_s, comparison=together)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a period, of all services or of some."""

    since_s: float | None  # Unix s from which on the ledger knows anything
    asked: Period
    start_s: float  # of what is known of it
    covered_s: float
    whole: Compared
    chosen: BoolArray  # (n,) rows of `whole`
    periods: list[LedgerPeriodAnswer]

    @classmethod
    def of(cls, ledger: Ledger, asked: Period, which: Which, by: By | None) -> "_Known":
        """Every table is read once, and added up."""
        step_s = HOUR_S if by == "hour" else DAY_S
        tables = ledger.hours if by == "hour" else ledger.days
        since_s, begin_s = ledger.since_s, asked.start_s
        whole, steps = Merging(), {}
        for table in tables(asked.start_s, asked.end_s):
            whole.add(table)
            begin_s = min(begin_s, table.start_s)  # where the hours of its day are not kept
            if by:
                steps[table.start_s // step_s] = _Step.of(table, which)
        start_s = min(max(begin_s, since_s or begin_s), asked.end_s)
        found = Compared.of(whole.table(0.0, 0.0))
        return cls(
            since_s=since_s,
            asked=asked,
            start_s=start_s,
            covered_s=whole.covered_s,
            whole=found,
            chosen=which(found.services),
            periods=_periods(start_s, asked.end_s, step_s, steps) if by else [],
        )

    @property
    def covered(self) -> float:
        """Share of the time from its start on, 0 to 1."""
        return _share(self.covered_s, self.asked.end_s - self.start_s)

    def sentences(self) -> list[str]:
        """In words."""
        since_s, end_s = self.since_s, self.asked.end_s
        if since_s is None:
            return [words.NOT_BEGUN]
        if not self.covered_s and since_s < end_s - words.LEAST_S:
            return [words.UNKNOWN]
        if self.covered_s < words.LEAST_S and self.start_s == since_s:
            said_s = end_s + words.LEAST_S - self.covered_s
            return [words.begun(_utc(since_s), _utc(said_s))]
        return words.saved(
            self._when(),
            self.of_modes(Mode.OUTWARD, Mode.FULL),
            self.of_modes(Mode.SHADOW),
            some=bool(self.chosen.any()),
            covered=self.covered,
        )

    def _when(self) -> str:
        many = self.asked.days
        if many and self.start_s == self.asked.start_s:
            return f"In the last {f'{many} days' if many > 1 else '24 hours'}"
        return f"Since {_utc(self.start_s):%Y-%m-%d %H:%M} UTC,"

    def of_modes(self, *modes: Mode) -> Comparison | None:
        """Of services while in one of these modes; None = there were none."""
        rows = np.flatnonzero(self.chosen & np.isin(self.whole.mode, modes))
        return self.whole.together(rows) if len(rows) else None

    @property
    def all(self) -> Comparison | None:
        """Of all of them; None = nothing is known."""
        return self.whole.together(self.chosen) if self.covered_s else None

    def by_service(self) -> dict[str, list[int]]:
        """Rows of each service, most saved first."""
        rows: dict[str, list[int]] = {}
        for row in np.flatnonzero(self.chosen).tolist():
            rows.setdefault(self.whole.services[row], []).append(row)
        saved = differences(self.whole.sums)[0].tolist()
        return {
            name: rows[name]
            for name in sorted(rows, key=lambda one: (-sum(saved[i] for i in rows[one]), one))
        }

    def modes(self, rows: Sequence[int]) -> list[ModeName]:
        """That rows are about."""
        found = sorted({int(self.whole.mode[row]) for row in rows})
        return [cast("ModeName", Mode(mode).name.lower()) for mode in found]


def ledger(
    of: Ledger, asked: Period, *, namespace: str, by: By | None, limit: int, offset: int
) -> LedgerAnswer:
    """All services, or those of a namespace; "" = all."""
    known = _Known.of(of, asked, in_namespace(namespace), by)
    services = known.by_service()
    return LedgerAnswer(
        start=_utc(known.start_s),
        end=_utc(asked.end_s),
        covered=known.covered,
        sentences=known.sentences(),
        comparison=_maybe(known.all),
        applied=_maybe(known.of_modes(Mode.OUTWARD, Mode.FULL)),
        shadow=_maybe(known.of_modes(Mode.SHADOW)),
        periods=known.periods,
        total=len(services),
        limit=limit,
        offset=offset,
        services=[
            LedgerEntryAnswer(
                namespace=name.partition("/")[0],
                service=name.partition("/")[2],
                modes=known.modes(rows),
                comparison=_comparison(known.whole.together(rows)),
            )
            for name, rows in list(services.items())[offset : offset + limit]
        ],
    )


def version(of: Ledger, now: float) -> Hashable:
    """What an answer is made once for. now: Unix s."""
    return of.version, now // FRESH_S


def sentences(of: Ledger, now: float) -> list[str]:
    """What was saved in the last days, in words. now: Unix s."""
    return _Known.of(of, Period.last(DAYS, now), in_namespace(""), None).sentences()


def service_ledger(of: Ledger, asked: Period, name: str, by: By) -> ServiceLedgerAnswer:
    """One service, of which nothing may be known."""
    known = _Known.of(of, asked, named(name), by)
    return ServiceLedgerAnswer(
        namespace=name.partition("/")[0],
        service=name.partition("/")[2],
        modes=known.modes(np.flatnonzero(known.chosen).tolist()),
        start=_utc(known.start_s),
        end=_utc(asked.end_s),
        covered=known.covered,
        sentences=known.sentences(),
        comparison=_maybe(known.all),
        periods=known.periods,
    )


def _periods(
    start_s: float, end_s: float, step_s: float, steps: Mapping[float, _Step]
) -> list[LedgerPeriodAnswer]:
    """Each hour or day between two times, gaps included. steps: by their number since 1970."""
    answers = []
    for number in np.arange(start_s // step_s, np.ceil(end_s / step_s)).tolist():
        begin_s, until_s = max(number * step_s, start_s), min((number + 1) * step_s, end_s)
        step = steps.get(number)
        answers.append(
            LedgerPeriodAnswer(
                start=_utc(begin_s),
                end=_utc(until_s),
                covered=_share(step.covered_s, until_s - begin_s) if step else 0.0,
                comparison=_comparison(step.comparison) if step else None,
            )
        )
    return answers


def _share(part_s: float, whole_s: float) -> float:
    return round(min(part_s / whole_s, 1.0), 4) if whole_s > 0 else 0.0


def _maybe(of: Comparison | None) -> ComparisonAnswer | None:
    return None if of is None else _comparison(of)


def _comparison(of: Comparison) -> ComparisonAnswer:
    return ComparisonAnswer(
        requests=_rounded(of.total("requests")),
        knative=_policy(of, "knative"),
        ahead=_policy(of, "ahead"),
        saved_cold_requests=_interval(of.saved_cold),
        more_pod_s=_interval(of.more_pod_s),
        pod_ratio=_interval(ratio) if (ratio := of.pod_ratio) else None,
    )


def _policy(of: Comparison, name: str) -> PolicyAnswer:
    return PolicyAnswer(
        cold_requests=_rounded(of.total(f"{name}_cold")),
        cold_s=_rounded(of.total(f"{name}_cold_s")),
        pod_s=_rounded(of.total(f"{name}_pod_s")),
        pod_starts=_rounded(of.total(f"{name}_starts")),
    )


def _interval(of: Interval) -> IntervalAnswer:
    return IntervalAnswer(value=_rounded(of.value), low=_rounded(of.low), high=_rounded(of.high))


def _rounded(value: float) -> float:
    return round(value, 3)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
