"""What min-scales buy and cost: in words, as rows for people, as commands and as JSON."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks.report.page import Section
from benchmarks.whatif.cluster import OwnSettings
from benchmarks.whatif.floors import Floor
from benchmarks.whatif.money import Money
from benchmarks.whatif.past import span

TITLE = "Min-scales: what they buy, and what would be as warm for less"
COMMANDS = "To set what is as warm for less"
PLAN = "as warm for less"
COLUMNS = (
    "service",
    "min-scale",
    "cold spared",
    "for pod-h",
    PLAN,
    "cold now",
    "then",
    "pod-h now",
    "then",
)
NO_PLAN, NOT_CALLED = "(nothing that was tried)", "(nobody called)"
MOST_NAMED = 10  # services without requests
PREDICTS = "Plans of kn-ahead need it in the place of Knative's autoscaler."


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorAnswer:
    """Services that have a min-scale, over the days that are scored."""

    floors: tuple[Floor, ...]  # who would save most first
    own: OwnSettings  # of the services, and whence
    days: float
    money: Money | None

    def most(self, number: int) -> "FloorAnswer":
        """Those that would save most."""
        return replace(self, floors=self.floors[:number])

    def said(self) -> list[str]:
        """All of them together."""
        return [*self._said_of_called(), *self._said_of_others()]

    def _said_of_others(self) -> list[str]:
        uncalled = [f"{name} ({least})" for name, least in self.own.uncalled.items()]
        if not uncalled:
            return []
        more = f" and {len(uncalled) - MOST_NAMED} more" if len(uncalled) > MOST_NAMED else ""
        return [
            "A min-scale, and not one request in all the time that was read:"
            f" {', '.join(uncalled[:MOST_NAMED])}{more}."
        ]

    def _said_of_called(self) -> list[str]:
        if not self.floors:
            return ["No service that was called has a min-scale."]
        spared, cost_s = (sum(f.spared for f in self.floors), sum(f.cost_s for f in self.floors))
        lines = [
            f"{_services(self.floors)} a min-scale. In {span(self.days)} that spares"
            f" {spared:,} cold requests, for {_hours(cost_s)} pod-hours more than without."
        ]
        better = [floor for floor in self.floors if floor.better]
        if not better:
            return [*lines, "Nothing that was tried is as warm for less."]
        saved = f"{_hours(sum(floor.saved_s for floor in better))} pod-hours less"
        if self.money:
            month = sum(self._a_month(floor) for floor in better)
            saved += f", {month:,.2f} {self.money.currency} a month{self.money.by}"
        lines.append(
            f"{len(better)} of them would have had no more cold requests for {saved}. That held in"
            f" these {span(self.days)}: watch the first days after a change."
        )
        if any(floor.better and floor.better.forecasts for floor in better):
            lines.append(PREDICTS)
        return lines

    def table(self) -> Section:
        """A row for each."""
        saves = (f"saves {self.money.currency} a month",) if self.money else ()
        rows = tuple(self._row(each) for each in self.floors)
        words = 0, COLUMNS.index(PLAN)
        return Section(TITLE, (*COLUMNS, *saves), rows, words)

    def commands(self) -> list[tuple[str, str]]:
        """Services, and what sets the better plan of each."""
        return [
            (floor.service, floor.better.command(floor.service, self.own.kubectl))
            for floor in self.floors
            if floor.better
        ]

    def sections(self) -> list[Section]:
        """For a report."""
        commands = Section(COMMANDS, ("service", "command"), tuple(self.commands()), words=(0, 1))
        return [self.table(), commands]

    def as_json(self) -> dict[str, Any]:
        """Plain values, ready for json.dump."""
        found: dict[str, Any] = {"context": self.own.context, "days": self.days}
        if self.money:
            found |= {"currency": self.money.currency, "prices": asdict(self.money.prices)}
        uncalled = [
            {"service": name, "min_scale": least} for name, least in self.own.uncalled.items()
        ]
        services = [self._as_json(floor) for floor in self.floors]
        return found | {"services": services, "not_called": uncalled}

    def _row(self, floor: Floor) -> tuple[str, ...]:
        plan = floor.better
        month = f"{self._a_month(floor):,.2f}" if plan else ""
        return (
            floor.service,
            str(floor.min_scale),
            f"{floor.spared:,}",
            _hours(floor.cost_s),
            plan.name if plan else NO_PLAN if floor.requests else NOT_CALLED,
            f"{floor.now.cold:,}",
            f"{plan.outcome.cold:,}" if plan else "",
            _hours(floor.now.pod_s),
            _hours(plan.outcome.pod_s) if plan else "",
            *((month,) if self.money else ()),
        )

    def _as_json(self, floor: Floor) -> dict[str, Any]:
        found: dict[str, Any] = {
            "service": floor.service,
            "min_scale": floor.min_scale,
            "requests": floor.requests,
            "cold": floor.now.cold,
            "cold_without": floor.without.cold,
            "pod_hours": floor.now.pod_s / 3600,
            "pod_hours_without": floor.without.pod_s / 3600,
            "better": None,
        }
        if floor.better:
            found["better"] = {
                "plan": floor.better.name,
                "annotations": dict(floor.better.annotations),
                "command": floor.better.command(floor.service, self.own.kubectl),
                "cold": floor.better.outcome.cold,
                "pod_hours": floor.better.outcome.pod_s / 3600,
            }
            if self.money:
                found["better"]["saved_a_month"] = self._a_month(floor)
        return found

    def _a_month(self, floor: Floor) -> float:
        """Money that the better plan saves; 0 where it is not known what the pods request."""
        if not self.money:
            return 0.0
        return float(np.nan_to_num(self.money.a_month(floor.row, floor.saved_s)))


def _services(floors: tuple[Floor, ...]) -> str:
    return "1 service has" if len(floors) == 1 else f"{len(floors)} services have"


def _hours(pod_s: float) -> str:
    return f"{pod_s / 3600:,.1f}"
