"""What policies cost in money, as rows for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.policies.policies import KPA
from benchmarks.report.page import Section
from benchmarks.scores.score import PolicyScore
from benchmarks.whatif.cluster import OwnSettings
from benchmarks.whatif.prices import Prices

MONTH_DAYS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Prices of the services' pods."""

    prices: Prices
    pod_hour: FloatArray  # (n,) of each service's pods; NaN = not known what they request
    days: float  # that are scored

    @classmethod
    def of(cls, prices: Prices, own: OwnSettings, days: float) -> "Money":
        """By what pods of the cluster request."""
        return cls(prices=prices, pod_hour=prices.pod_hour(own.cpu, own.memory_gib), days=days)

    @property
    def currency(self) -> str:
        """Its name."""
        return self.prices.currency

    @property
    def by(self) -> str:
        """Whose prices they are, for behind a sum; "" = those that were given."""
        return " at example prices" if self.prices.example else ""

    def cost(self, pod_s: FloatArray) -> float:
        """Of pod-seconds of the services (n,); what is not known does not count."""
        return float(np.nansum(self.pod_hour * pod_s) / 3600)

    def a_month(self, row: int, pod_s: float) -> float:
        """Of one service's pod-seconds in the days that are scored, over a month."""
        return float(self.pod_hour[row] * pod_s / 3600 * MONTH_DAYS / self.days)

    def section(self, scores: Sequence[PolicyScore]) -> Section:
        """Policies by what they cost."""
        costs = self._costs(scores)
        now = costs[KPA]
        columns = "policy", "cold", self.currency, "a month", "against now"
        rows = [
            (
                each.policy,
                f"{each.total.cold_requests:,}",
                f"{costs[each.policy]:,.2f}",
                f"{costs[each.policy] * MONTH_DAYS / self.days:,.2f}",
                f"{costs[each.policy] / now - 1:+.0%}" if now else "",
            )
            for each in scores
        ]
        return Section(f"Cost in {self.currency}{self.by}", columns, tuple(rows))

    def as_json(self, scores: Sequence[PolicyScore]) -> dict[str, Any]:
        """Prices, and what policies cost, ready for json.dump."""
        return asdict(self.prices) | {"policies": self._costs(scores)}

    def _costs(self, scores: Sequence[PolicyScore]) -> dict[str, float]:
        return {
            each.policy: self.cost(np.array([s.allocated_pod_s for s in each.services]))
            for each in scores
        }

    def said(self) -> str:
        """What is counted, and what is not."""
        unknown = int(np.isnan(self.pod_hour).sum())
        free = int((self.pod_hour == 0).sum())
        line, of = self.prices.said(), f"of {len(self.pod_hour)} services"
        if unknown:
            line += f"; what pods request is not known of {unknown} {of}, which are not counted"
        if free:
            line += f"; pods of {free} {of} request nothing that costs"
        return f"{line}."
