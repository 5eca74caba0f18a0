"""The bill: a hard limit on what prediction may cost, whatever it says.

Each tick counts as `TICK_S` seconds of every pod that is wanted in it. Knative's own pods k earn
credit, a fraction r of their time; what is wanted, w, pays for what is beyond them:

    available = credit + r k TICK_S
    w <= k + available / TICK_S
    credit = available - (w - k) TICK_S

An account that begins with the allowance is never overdrawn by this, so up to any time

    sum of w TICK_S  <=  (1 + r) (sum of k TICK_S) + allowance

Whatever else is charged keeps the law, as it can only lower the credit. Pods that go early (w < k)
earn what they save, and Knative's own pods are never limited.

What was not spent in a year must not be spent in an hour. So credit is at most the allowance and
what was earned in the last day, where older earnings fade (`settled`): in any stretch of time the
law holds with that much in place of the allowance.

A pod costs more than the ticks in which it is wanted: it starts, it may have to stay a while, and
it drains (`Cost`). One more is started only if the credit pays for all of that, so that a short
credit does not start and stop pods in vain; its drain is paid when it is let go.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.core.types import FloatArray, IntArray

DAY_S = 86_400.0
Seconds = TypeVar("Seconds", FloatArray, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What pods ahead cost until they are gone; (n,) each."""

    present: IntArray  # pods ahead that there are already
    drain_s: FloatArray  # s of pod, of each that goes
    lead_s: FloatArray  # s of pod, of each that starts
    stay_s: FloatArray  # s of pod that Knative's rules make the last of them stay

    @property
    def committed_s(self) -> FloatArray:
        """(n,) s of pod that those which stand cost after this tick, wanted or not."""
        return self.end_s(self.present)

    @property
    def further_s(self) -> FloatArray:
        """(n,) s of pod of each further one, with this tick."""
        return TICK_S + self.lead_s + self.drain_s

    @property
    def first_s(self) -> FloatArray:
        """(n,) s of pod that come once with further ones, where none stands yet."""
        return np.where(self.present > 0, 0.0, self.stay_s)

    def end_s(self, pods: IntArray) -> FloatArray:
        """(n,) s of pod that so many (n,) cost once nothing asks for them."""
        return np.asarray(pods * self.drain_s + np.where(pods > 0, self.stay_s, 0.0))

    def of(self, pods: IntArray) -> FloatArray:
        """(n,) s of pod that so many (n,) cost beyond what is committed."""
        kept = np.minimum(pods, self.present)
        first_s = np.where(pods > 0, self.first_s, 0.0)
        return np.asarray(kept * TICK_S + (pods - kept) * self.further_s + first_s)


def earnings_s(knative: IntArray, max_extra: FloatArray | float) -> FloatArray:
    """(n,) s of pod that Knative's pods (n,) earn in a tick.

    max_extra: (n,) fraction of their time; inf = no bill, which earns nothing.
    """
    return np.asarray(np.where(np.isinf(max_extra), 0.0, max_extra) * knative * TICK_S)


def affordable(free_s: FloatArray, ahead: IntArray, least: IntArray, cost: Cost) -> IntArray:
    """(n,) pods ahead that an account pays for, of those that are asked for.

    free_s: (n,) s of pod beyond what is committed. ahead: (n,) asked for beyond Knative's. least:
    (n,) of them that are of any use, as an activation scale asks for so many; fewer are none.
    """
    left_s = free_s - cost.first_s
    kept = np.clip(np.floor(left_s / TICK_S), 0, cost.present)
    further = np.floor((left_s - kept * TICK_S) / cost.further_s)
    paid = kept + np.where(kept < cost.present, 0, further)
    pods = np.clip(paid, 0, ahead).astype(np.int64)
    return np.where(pods < least, 0, pods)


def settled(
    credit_s: Seconds, day_s: Seconds, earned_s: Seconds, allowance_s: Seconds
) -> tuple[Seconds, Seconds]:
    """Credit after a tick, and what was earned within a day, s of pod; (n,) each.

    credit_s: after what was spent. day_s: as this returned it before. earned_s: in this tick.
    """
    earned_of_day_s = day_s * (1 - TICK_S / DAY_S) + earned_s
    return np.minimum(credit_s, allowance_s + earned_of_day_s), earned_of_day_s


def free_in_turn(free_s: float, cost_s: FloatArray, worth: FloatArray) -> FloatArray:
    """(n,) s of pod that are left to each row of one common account.

    cost_s: (n,) s of pod that each asks for. worth: (n,) by which they come, the greatest first; of
    equal ones the first row.
    """
    order = np.argsort(-worth, kind="stable")
    left_s = np.empty_like(cost_s)
    left_s[order] = free_s - (np.cumsum(cost_s[order]) - cost_s[order])
    return left_s
