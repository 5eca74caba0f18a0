"""Answers from the ledger: one function each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

import numpy as np

from autoscaler.advisor.ledger.comparison import Compared, Comparison, Interval
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.ledger.table import DAY_S, HOUR_S, Table
from autoscaler.api.answers import ModeName
from autoscaler.api.ledger import sentences
from autoscaler.api.ledger.answers import (
    ComparisonAnswer,
    IntervalAnswer,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a period."""

    ledger: Ledger
    asked: Period
    blocks: Sequence[Table]  # its days
    compared: Compared
    chosen: BoolArray  # (n,) rows of `compared`

    @classmethod
    def of(cls, ledger: Ledger, asked: Period, namespace: str = "", service: str = "") -> "_Known":
        blocks = ledger.days(asked.start_s, asked.end_s)
        rows = Compared.over(blocks)
        begin = f"{namespace}/" if namespace else ""
        chosen = [name == service if service else name.startswith(begin) for name in rows.services]
        return cls(
            ledger=ledger,
            asked=asked,
            blocks=blocks,
            compared=rows,
            chosen=np.array(chosen, dtype=np.bool_),
        )

    @property
    def start_s(self) -> float:
        """Unix s from which on it is known, within the period."""
        since_s = self.ledger.since_s
        # Of days that are over the hours are not kept.
        begin_s = min(self.asked.start_s, *(block.start_s for block in self.blocks[:1]), np.inf)
        return min(max(begin_s, since_s or begin_s), self.asked.end_s)

    @property
    def covered(self) -> float:
        """Share of the time from then on."""
        length_s = self.asked.end_s - self.start_s
        return min(sum(b.covered_s for b in self.blocks) / length_s, 1.0) if length_s > 0 else 0.0

    def sentences(self) -> list[str]:
        """In words."""
        since_s, known_s = self.ledger.since_s, sum(block.covered_s for block in self.blocks)
        if since_s is None:
            return [sentences.NOT_BEGUN]
        if known_s < sentences.LEAST_S and self.start_s == since_s:
            said_s = self.asked.end_s + sentences.LEAST_S - known_s
            return [sentences.begun(_utc(since_s), _utc(said_s))]
        if not self.blocks:
            return [sentences.UNKNOWN]
        return sentences.saved(
            self._when(),
            self._in(Mode.OUTWARD, Mode.FULL),
            self._in(Mode.SHADOW),
            some=bool(self.chosen.any()),
            covered=self.covered,
        )

    def _when(self) -> str:
        if self.asked.days and self.start_s == self.asked.start_s:
            many = self.asked.days
            return f"In the last {f'{many} days' if many > 1 else '24 hours'}"
        return f"Since {_utc(self.start_s):%Y-%m-%d %H:%M} UTC"

    def _in(self, *modes: Mode) -> Comparison | None:
        rows = np.flatnonzero(self.chosen & np.isin(self.compared.mode, modes))
        return self.compared.together(rows) if len(rows) else None

    def comparison(self, *modes: Mode) -> ComparisonAnswer | None:
        """Of all modes, or of services while in one of these."""
        found = self._in(*(modes or Mode))
        if found is None and not modes and self.blocks:
            found = self.compared.together(self.chosen)  # known, and nothing came
        return _comparison(found) if found else None

    def periods(self, by: By | None) -> list[LedgerPeriodAnswer]:
        """Each hour or day, gaps included."""
        if by is None:
            return []
        length_s, asked = (HOUR_S if by == "hour" else DAY_S), self.asked
        tables = self.ledger.hours if by == "hour" else self.ledger.days
        known = {t.start_s // length_s: t for t in tables(asked.start_s, asked.end_s)}
        names = set(np.array(self.compared.services, dtype=object)[self.chosen].tolist())
        first, end = self.start_s // length_s, np.ceil(asked.end_s / length_s)
        return [
            _period(
                max(place * length_s, self.start_s),
                min((place + 1) * length_s, asked.end_s),
                known.get(place),
                names,
            )
            for place in np.arange(first, end).tolist()
        ]

    def by_service(self) -> dict[str, list[int]]:
        """Rows of each service, most saved first."""
        rows: dict[str, list[int]] = {}
        for row in np.flatnonzero(self.chosen).tolist():
            rows.setdefault(self.compared.services[row], []).append(row)
        saved = {
            name: self.compared.together(those).saved_cold.value for name, those in rows.items()
        }
        return {name: rows[name] for name in sorted(rows, key=lambda one: (-saved[one], one))}

    def modes(self, rows: Sequence[int]) -> list[ModeName]:
        """That rows are about."""
        found = sorted({int(self.compared.mode[row]) for row in rows})
        return [cast("ModeName", Mode(mode).name.lower()) for mode in found]


def ledger(
    of: Ledger, asked: Period, *, namespace: str, by: By | None, limit: int, offset: int
) -> LedgerAnswer:
    """All services, or those of a namespace; "" = all."""
    known = _Known.of(of, asked, namespace)
    services = known.by_service()
    return LedgerAnswer(
        start=_utc(known.start_s),
        end=_utc(asked.end_s),
        covered=known.covered,
        sentences=known.sentences(),
        comparison=known.comparison(),
        applied=known.comparison(Mode.OUTWARD, Mode.FULL),
        shadow=known.comparison(Mode.SHADOW),
        periods=known.periods(by),
        total=len(services),
        limit=limit,
        offset=offset,
        services=[
            LedgerEntryAnswer(
                namespace=name.partition("/")[0],
                service=name.partition("/")[2],
                modes=known.modes(rows),
                comparison=_comparison(known.compared.together(rows)),
            )
            for name, rows in list(services.items())[offset : offset + limit]
        ],
    )


def service_ledger(of: Ledger, asked: Period, name: str, by: By) -> ServiceLedgerAnswer:
    """One service, of which nothing may be known."""
    known = _Known.of(of, asked, service=name)
    return ServiceLedgerAnswer(
        namespace=name.partition("/")[0],
        service=name.partition("/")[2],
        modes=known.modes(np.flatnonzero(known.chosen).tolist()),
        start=_utc(known.start_s),
        end=_utc(asked.end_s),
        covered=known.covered,
        sentences=known.sentences(),
        comparison=known.comparison(),
        periods=known.periods(by),
    )


def _period(
    start_s: float, end_s: float, table: Table | None, names: set[str]
) -> LedgerPeriodAnswer:
    comparison = None
    if table is not None:
        rows = Compared.over([table])
        chosen = np.array([name in names for name in rows.services], dtype=np.bool_)
        comparison = _comparison(rows.together(chosen))
    return LedgerPeriodAnswer(
        start=_utc(start_s),
        end=_utc(end_s),
        covered=min(table.covered_s / (end_s - start_s), 1.0) if table else 0.0,
        comparison=comparison,
    )


def _comparison(of: Comparison) -> ComparisonAnswer:
    return ComparisonAnswer(
        requests=_rounded(of.total("requests")),
        knative=_policy(of, "knative"),
        ahead=_policy(of, "ahead"),
        saved_cold_requests=_interval(of.saved_cold),
        more_pod_s=_interval(of.more_pod_s),
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
