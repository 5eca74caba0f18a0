"""The bill: a hard limit on what prediction may cost, whatever it says.

Each tick counts as `TICK_S` seconds of every pod that is wanted in it. Knative's own pods k earn
credit, a fraction r of their time; what is wanted, w, pays for what is beyond them:

    available = credit + r k TICK_S
    w <= k + available / TICK_S
    credit    = min(allowance, available - (w - k) TICK_S - drains)

An account that begins full is never overdrawn by what this allows, so in every stretch of ticks,
wherever it begins and ends,

    sum of w TICK_S  <=  (1 + r) (sum of k TICK_S) + allowance

Pods that go early (w < k) earn what they save. Without a limit to the credit the law would hold
from the first tick on; with it, it holds for every hour of a year, and what was not spent in that
year cannot be spent in one hour. So the allowance is what may be wanted at once, and the fraction
what may be wanted for long.

A pod costs more than the ticks in which it is wanted: it starts, it may have to stay a while, and
it drains (`Cost`). One more is started only if the credit pays for all of that, so that a short
credit does not start and stop pods in vain; its drain is paid when it is let go. Knative's own pods
are never limited.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.core.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What pods ahead cost an account if nothing asks for them after this tick; (n,) each."""

    begun: IntArray  # pods ahead that there are already
    go_s: FloatArray  # s of pod, of each of them that is let go now
    keep_s: FloatArray  # s of pod, of each of them: this tick, and its end
    start_s: FloatArray  # s of pod, of each further one: its start as well
    one_s: FloatArray  # s of pod, once if there are any: the last one stays longest

    def end_s(self, pods: IntArray) -> FloatArray:
        """(n,) s of pod that so many (n,) cost after this tick."""
        return np.asarray(pods * (self.keep_s - TICK_S) + np.where(pods > 0, self.one_s, 0.0))

    def of(self, pods: IntArray) -> FloatArray:
        """(n,) s of pod that so many (n,) cost."""
        further = np.maximum(pods - self.begun, 0)
        one_s = np.where(pods > 0, self.one_s, 0.0)
        return np.asarray((pods - further) * self.keep_s + further * self.start_s + one_s)


def available_s(credit_s: FloatArray, knative: IntArray, max_extra: FloatArray) -> FloatArray:
    """(n,) s of pod that a tick may spend, after what Knative's pods (n,) earn in it.

    credit_s: (n,) s of pod. max_extra: (n,) fraction of Knative's pods; inf = no bill, earns none.
    """
    earns = np.where(np.isinf(max_extra), 0.0, max_extra)
    return np.asarray(credit_s + earns * knative * TICK_S)


def affordable(spendable_s: FloatArray, ahead: IntArray, least: IntArray, cost: Cost) -> IntArray:
    """(n,) pods ahead that an account pays for, of those that are asked for.

    spendable_s: (n,) s of pod. ahead: (n,) asked for beyond Knative's. least: (n,) of them that are
    of any use, as an activation scale asks for so many; fewer are none.
    """
    left_s = spendable_s - cost.one_s
    # Those that are not kept have to be let go.
    kept = np.floor((left_s - cost.begun * cost.go_s) / (cost.keep_s - cost.go_s))
    kept = np.clip(kept, 0, cost.begun)
    further = np.floor((left_s - kept * cost.keep_s) / cost.start_s)
    paid = kept + np.where(kept < cost.begun, 0, further)
    pods = np.clip(paid, 0, ahead).astype(np.int64)
    return np.where(pods < least, 0, pods)


def credit_after(
    spendable_s: FloatArray, spent_s: FloatArray, allowance_s: FloatArray
) -> FloatArray:
    """(n,) credit after a tick, s of pod.

    spendable_s: (n,) as from `available_s`. spent_s: (n,) on pods beyond Knative's in this tick,
    and on drains of those that were let go; below 0 = saved. allowance_s: (n,) most credit.
    """
    return np.asarray(np.minimum(spendable_s - spent_s, allowance_s))


def spendable_in_turn(
    pot_s: float, cost_s: FloatArray, price_s: FloatArray, knative: IntArray
) -> FloatArray:
    """(n,) s of pod that are left to each row of one common account, the most valuable first.

    cost_s: (n,) s of pod that each asks for. The higher the price of a cold request the sooner:
    every pod ahead is worth what it costs at its own price, so the price alone says whose requests
    matter more. Of equal ones those that have no pod of Knative's (n,) come first, as their next
    request would wait for a whole start; then the first row. How likely the request is, and how
    long the start takes, is not looked at.
    """
    order = np.lexsort((knative > 0, -price_s))  # stable: by row at last
    left_s = np.empty_like(cost_s)
    left_s[order] = pot_s - (np.cumsum(cost_s[order]) - cost_s[order])
    return left_s
