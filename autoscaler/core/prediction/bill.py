"""The bill: a hard limit on what prediction may cost, whatever it says.

Each tick counts as `TICK_S` seconds of every pod that is wanted in it. Knative's own pods k earn
credit, a fraction r of their time; what is wanted, w, pays for what is beyond them:

    available = credit + r k TICK_S
    w <= k + available / TICK_S
    credit    = min(allowance, available - (w - k) TICK_S)

An account that begins full is never overdrawn by what this allows, so in every stretch of ticks,
wherever it begins and ends,

    sum of w TICK_S  <=  (1 + r) (sum of k TICK_S) + allowance

Pods that go early (w < k) earn what they save. Without a limit to the credit the law would hold
from the first tick on; with it, it holds for every hour of a year, and what was not spent in that
year cannot be spent in one hour. So the allowance is what may be wanted at once, and the fraction
what may be wanted for long.

A pod that is started where Knative has none cannot go at once: see `Stay`. It is started only if
the credit pays for all of that. Knative's own pods are never limited.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.core.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """For how long pods ahead stay beyond this tick if nothing asks for them any more; (n,) each.

    Beside pods of Knative's they go at once: both are 0.
    """

    each_s: FloatArray  # s of every one of them
    one_s: FloatArray  # s of pod of the last one, after that

    def of(self, pods: IntArray) -> FloatArray:
        """(n,) s of pod that so many (n,) may still cost."""
        return np.asarray(pods * self.each_s + np.where(pods > 0, self.one_s, 0.0))


def available_s(credit_s: FloatArray, knative: IntArray, max_extra: FloatArray) -> FloatArray:
    """(n,) s of pod that a tick may spend, after what Knative's pods (n,) earn in it.

    credit_s: (n,) s of pod. max_extra: (n,) fraction of Knative's pods; inf = no bill, earns none.
    """
    earns = np.where(np.isinf(max_extra), 0.0, max_extra)
    return np.asarray(credit_s + earns * knative * TICK_S)


def affordable(spendable_s: FloatArray, ahead: IntArray, least: IntArray, stay: Stay) -> IntArray:
    """(n,) pods ahead that an account pays for, of those that are asked for.

    spendable_s: (n,) s of pod. ahead: (n,) asked for beyond Knative's. least: (n,) of them that are
    of any use, as an activation scale asks for so many; fewer are none.
    """
    paid = np.floor((spendable_s - stay.one_s) / (TICK_S + stay.each_s))
    pods = np.clip(paid, 0, ahead).astype(np.int64)
    return np.where(pods < least, 0, pods)


def credit_after(
    spendable_s: FloatArray, knative: IntArray, wanted: IntArray, allowance_s: FloatArray
) -> FloatArray:
    """(n,) credit after a tick in which pods (n,) were wanted, s of pod.

    spendable_s: (n,) as from `available_s`. allowance_s: (n,) most credit.
    """
    return np.asarray(np.minimum(spendable_s - (wanted - knative) * TICK_S, allowance_s))


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
