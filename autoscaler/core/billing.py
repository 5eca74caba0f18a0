"""The bills applied to a step: what is asked for ahead of Knative's rule, cut to what they pay for.

A revision's bill and the cluster's hold at once (`prediction.bill`). Only whole ticks are paid for;
between ticks no more is wanted than the last tick could have paid. In shadow nothing is applied, so
nothing is paid; what would be wanted is cut by the revision's bill as it stands.

An account is overdrawn by pods that take longer to become ready than their lead, or to go than a
grace period and a drain, and by what a scale-down delay keeps of many that were started from
nothing; then nothing is ahead until that is paid.
"""

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.claim import Asked, Claim
from autoscaler.core.kpa.bounds import clip
from autoscaler.core.prediction.bill import (
    Cost,
    affordable,
    available_s,
    credit_after,
    spendable_in_turn,
)
from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.core.state.credit import ClusterCredit, Credit, CreditArrays
from autoscaler.core.state.fleet import Fleet, take
from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What the bills leave; (n,) each."""

    bounded: IntArray  # pods within bounds; -1 = no answer
    ahead: IntArray  # these six as in `Decision`
    extra: IntArray
    max_extra: FloatArray
    credit_s: FloatArray
    further_s: FloatArray
    of_cluster: BoolArray
    credit: CreditArrays  # the accounts after the step
    cluster: ClusterCredit


def billed(fleet: Fleet, asked: Asked, *, tick: bool) -> Billed:
    """Cut what is asked for to what the bills pay for. tick: whether this is a whole tick."""
    former, cluster = take(fleet.credit, asked.rows), fleet.cluster_credit
    spec, has_bill = asked.spec, ~np.isinf(asked.spec.max_extra)
    if np.isinf(cluster.max_extra) and not has_bill.any():
        return _unlimited(asked, cluster)
    limited = has_bill | ~np.isinf(cluster.max_extra)
    claim = Claim.of(asked, former, limited)
    cost = claim.cost()
    # Between ticks what the last one paid for may go on.
    spendable_s = former.left_s + former.paid * TICK_S
    if tick:
        spendable_s = available_s(former.left_s, claim.knative, spec.max_extra)
    paid_for = affordable(spendable_s, claim.ahead, claim.least, cost)
    own = np.where(has_bill, paid_for, claim.ahead)
    pot_s = _pot_s(fleet, claim, tick=tick)
    extra = own if np.isinf(pot_s) else _shared(claim, own, pot_s, cost)
    bounded = np.where(asked.applied, claim.cut_to(extra), claim.floor)
    spent_s, ahead = claim.spent(bounded)
    paid = np.where(asked.applied, extra, 0)
    credit = replace(former, ahead=ahead, end_s=cost.end_s(np.maximum(paid, claim.stands)))
    if tick:
        left_s = credit_after(spendable_s, spent_s, spec.extra_allowance_s)
        left_s = np.where(has_bill, left_s, spec.extra_allowance_s)  # full: a bill may begin
        credit = replace(credit, left_s=left_s, paid=paid)
        pot_left_s = min(pot_s - float(spent_s.sum()), cluster.allowance_s)
        cluster = replace(cluster, left_s=pot_left_s, paid=int(paid.sum()))
    of_cluster = extra < own
    return Billed(
        bounded=bounded,
        ahead=claim.ahead,
        extra=extra,
        max_extra=np.where(of_cluster, cluster.max_extra, spec.max_extra),
        credit_s=np.where(of_cluster, pot_s, np.where(has_bill, spendable_s, np.nan)),
        further_s=np.where(limited, cost.start_s + cost.one_s, 0.0),
        of_cluster=of_cluster,
        credit=credit,
        cluster=cluster,
    )


def _unlimited(asked: Asked, cluster: ClusterCredit) -> Billed:
    """Where there is no bill."""
    n = len(asked.kpa)
    zero, no_pods, no = np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    full = asked.spec.extra_allowance_s  # a bill may begin
    return Billed(
        bounded=clip(asked.desired, asked.spec, asked.observed),
        ahead=no_pods,
        extra=no_pods,
        max_extra=asked.spec.max_extra,
        credit_s=np.full(n, np.nan),
        further_s=zero,
        of_cluster=no,
        credit=Credit(left_s=full, paid=no_pods, end_s=zero, ahead=no),
        cluster=cluster,
    )


def _pot_s(fleet: Fleet, claim: Claim, *, tick: bool) -> float:
    """S of pod that the cluster's account has for these rows; inf = there is no such bill."""
    cluster, rows = fleet.cluster_credit, claim.asked.rows
    if np.isinf(cluster.max_extra):
        return np.inf
    if tick:
        return cluster.left_s + cluster.max_extra * int(claim.knative.sum()) * TICK_S
    made = fleet.decision
    extra = np.where(made.desired > made.kpa, made.extra, 0)  # in shadow it is not applied
    spent_s = extra * TICK_S + fleet.credit.end_s
    return float(cluster.left_s + cluster.paid * TICK_S - (spent_s.sum() - spent_s[rows].sum()))


def _shared(claim: Claim, extra: IntArray, pot_s: float, cost: Cost) -> IntArray:
    """(n,) of the pods ahead (n,) those that the cluster's account pays for as well."""
    asked = claim.asked
    applied = np.where(asked.applied, extra, 0)
    # What has begun has to end in any case; as long as it goes on only ticks are to be paid.
    free_s = pot_s - float(cost.end_s(cost.begun).sum())
    more = replace(
        cost,
        go_s=np.zeros(len(extra)),
        keep_s=np.full(len(extra), TICK_S),
        one_s=np.where(cost.begun > 0, 0.0, cost.one_s),
    )
    cost_s = more.of(applied)
    if cost_s.sum() <= free_s:
        return extra
    left_s = spendable_in_turn(free_s, cost_s, asked.spec.cold_price_s, claim.knative)
    return np.where(asked.applied, affordable(left_s, applied, claim.least, more), extra)
