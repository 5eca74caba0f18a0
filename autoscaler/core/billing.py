"""The bills applied to a step: what is asked for ahead of Knative's rule, cut to what they pay for.

A revision's bill and the cluster's hold at once (`prediction.bill`). Whole ticks are paid for, and
between two of them what the last one paid for goes on; a further pod pays for a tick at once. In
shadow nothing is applied, so nothing is paid; what would be wanted is cut by the revision's bill as
it stands.

Knative's pods are those that its rule wants in the same state, but for one case: where it has none
and pods were started ahead, its rules make them stay as well, for a stable window, and as many as
scale-down rate and delay keep. Until somebody calls, those are not Knative's: they earn nothing,
and are paid for until they are gone.

An account is overdrawn by such pods where they take longer to become ready than their lead, or are
many and go slowly; then nothing is started ahead until that is paid.
"""

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.kpa.bounds import clip, least
from autoscaler.core.kpa.zero import last_pod
from autoscaler.core.prediction.advice import Advice
from autoscaler.core.prediction.bill import (
    Cost,
    affordable,
    earnings_s,
    free_in_turn,
    settled,
)
from autoscaler.core.prediction.predictive import TICK_S, PodCosts, worth_ahead, worth_of_first
from autoscaler.core.state.credit import ClusterCredit, Credit, CreditArrays
from autoscaler.core.state.fleet import Fleet, Rows, take
from autoscaler.core.state.revision import Mode, ObservedArrays, SpecArrays
from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Rows of the fleet and what is asked for them; (n,) each."""

    rows: Rows
    spec: SpecArrays
    observed: ObservedArrays
    at: FloatArray  # Unix s
    demand: BoolArray  # whether any is seen in Knative's windows
    kpa: IntArray  # by Knative's rule, before bounds; -1 = no answer
    together: IntArray  # with prediction, in shadow as if it were applied
    called: FloatArray  # probability of a call, because an upstream is called
    advice: Advice  # in force

    @property
    def applied(self) -> BoolArray:
        """Where prediction is applied."""
        return np.asarray(self.spec.mode >= int(Mode.OUTWARD))

    @property
    def desired(self) -> IntArray:
        """Before bounds and bills, as the mode allows; -1 = no answer."""
        return np.where(self.applied, self.together, self.kpa)


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
    limited = has_bill | ~np.isinf(cluster.max_extra)
    if not limited.any():
        return _unlimited(asked, cluster)
    claim = _Claim.of(asked, former.ahead, limited)
    # Between ticks nothing is earned, and nothing paid again.
    earned_s = tick * earnings_s(claim.knative, spec.max_extra)
    pot_earned_s = float(tick * earnings_s(claim.knative, cluster.max_extra).sum())
    paid_s = (not tick) * former.ahead * TICK_S
    credit_s: FloatArray = former.left_s + earned_s + paid_s
    pot_s = cluster.left_s + pot_earned_s + float(paid_s.sum())
    paid_for = claim.affordable(credit_s - claim.cost.committed_s, claim.ahead)
    own = np.where(has_bill, paid_for, claim.ahead)
    extra = own
    if not np.isinf(cluster.max_extra):
        others_s = fleet.credit.end_s.sum() - former.end_s.sum()
        extra = claim.shared(fleet, pot_s - others_s, own)
    bounded = claim.cut_to(extra)
    ours, spent_s = claim.spent(bounded)
    if not tick:
        ours = np.maximum(ours, former.ahead)
        spent_s = np.asarray(ours * TICK_S, dtype=np.float64)
    left_s, day_s = credit_s - spent_s, former.day_s
    pot_left_s, pot_day_s = pot_s - float(spent_s.sum()), cluster.day_s
    if tick:
        left_s, day_s = settled(left_s, day_s, earned_s, spec.extra_allowance_s)
        pot_left_s, pot_day_s = settled(pot_left_s, pot_day_s, pot_earned_s, cluster.allowance_s)
    of_cluster = extra < own
    stay_s = np.where(former.ahead > 0, 0.0, claim.cost.stay_s)
    return Billed(
        bounded=bounded,
        ahead=claim.ahead,
        extra=extra,
        max_extra=np.where(of_cluster, cluster.max_extra, spec.max_extra),
        credit_s=np.where(of_cluster, pot_s, np.where(has_bill, credit_s, np.nan)),
        further_s=np.where(limited, claim.cost.further_s + stay_s, 0.0),
        of_cluster=of_cluster,
        credit=Credit(
            # Without a bill it is full, as one may begin.
            left_s=np.where(has_bill, left_s, spec.extra_allowance_s),
            day_s=day_s,
            ahead=ours,
            end_s=claim.cost.end_s(ours),
        ),
        cluster=replace(cluster, left_s=pot_left_s, day_s=pot_day_s),
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
        credit=Credit(left_s=full, day_s=zero, ahead=no_pods, end_s=zero),
        cluster=cluster,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """Whose pods are whose before the bills; (n,) each. Where no bill holds nothing is ahead."""

    asked: Asked
    limited: BoolArray  # whether a bill holds
    former: IntArray  # pods that stood ahead before this step
    floor: IntArray  # by Knative's rule, within bounds; -1 = no answer
    most: IntArray  # with prediction, within bounds; -1 = no answer
    knative: IntArray  # pods that are Knative's
    ahead: IntArray  # asked for beyond them
    cost: Cost  # of those

    @classmethod
    def of(cls, asked: Asked, former: IntArray, limited: BoolArray) -> "_Claim":
        spec, observed = asked.spec, asked.observed
        floor, most = (clip(pods, spec, observed) for pods in (asked.kpa, asked.together))
        alone = np.maximum(last_pod(floor, spec, observed, asked.at).want, 0)
        always = np.maximum(least(spec, observed), ~spec.enable_scale_to_zero)
        # Of what stands uncalled, those that were not started ahead.
        own = np.minimum(alone, np.maximum(observed.replicas - former, always))
        knative = np.where((former > 0) & limited & ~asked.demand, own, alone)
        knative = np.where(observed.set_up, knative, 0)
        more = (most > floor) & observed.set_up & limited
        ahead = np.where(more, np.maximum(most - knative, 0), 0)
        stay_s = spec.stable_window_s + np.maximum(spec.grace_s, spec.retention_s)
        return cls(
            asked=asked,
            limited=limited,
            former=former,
            floor=floor,
            most=most,
            knative=knative,
            ahead=ahead,
            cost=Cost(
                present=np.clip(observed.replicas - knative, former, np.maximum(former, ahead)),
                lead_s=spec.lead_s,
                drain_s=spec.drain_s,
                stay_s=np.where(knative > 0, 0.0, stay_s),
            ),
        )

    def affordable(self, free_s: FloatArray, ahead: IntArray) -> IntArray:
        """(n,) of the pods ahead (n,) those that are paid for; free_s as in `bill.affordable`."""
        return affordable(free_s, ahead, self._usable, self.cost)

    def shared(self, fleet: Fleet, pot_s: float, extra: IntArray) -> IntArray:
        """(n,) of the pods ahead (n,) those that one account of all, s of pod, pays for as well.

        First pods come first, by what they save for their cost. Without a further one requests wait
        in a queue; how likely that is nobody says here, so price and start-up decide.
        """
        spec = self.asked.spec
        applied = np.where(self.asked.applied, extra, 0)
        free_s = pot_s - float(self.cost.committed_s.sum())
        if self.cost.of(applied).sum() <= free_s:
            return extra
        none = (self.knative == 0) & (applied > 0)
        first = np.where(none, np.minimum(applied, np.maximum(self._usable, 1)), 0)
        cost_s = self.cost.of(first)
        paid = self.affordable(free_in_turn(free_s, cost_s, self._worth(fleet)), first)
        asked, paid_s = np.where(none & (paid == 0), 0, applied), self.cost.of(paid)
        more_s = self.cost.of(asked) - paid_s
        worth = spec.cold_price_s * spec.lead_s
        left_s = free_in_turn(free_s - float(paid_s.sum()), more_s, worth)
        paid = self.affordable(paid_s + np.maximum(left_s, 0.0), asked)
        return np.where(self.asked.applied, paid, extra)

    def _worth(self, fleet: Fleet) -> FloatArray:
        """(n,) s of wait, priced, that a first pod saves for a s of pod."""
        rows, stands = self.asked.rows, self.cost.present > 0
        costs = PodCosts.of(fleet, rows, self.asked.spec)
        forecast = worth_ahead(self.asked.advice, rows, costs, stands, self.asked.at)
        upstream = worth_of_first(costs, stands, self.asked.called, self.cost.stay_s)
        return np.maximum(forecast, upstream)

    @property
    def _usable(self) -> IntArray:
        """(n,) pods ahead of which fewer are of no use."""
        return np.minimum(self.asked.spec.activation_scale, self.most) - self.knative

    def cut_to(self, extra: IntArray) -> IntArray:
        """(n,) pods within bounds where so many (n,) are ahead; -1 = no answer."""
        some = np.where(extra > 0, np.maximum(self.knative + extra, self.floor), self.floor)
        return np.where(
            self.asked.applied, np.where(extra < self.ahead, some, self.most), self.floor
        )

    def spent(self, bounded: IntArray) -> tuple[IntArray, FloatArray]:
        """(n,) pods that stand ahead after a tick, and (n,) s of pod that it costs an account.

        bounded: (n,) what the bills leave.
        """
        spec, observed = self.asked.spec, self.asked.observed
        there = np.maximum(observed.replicas, 0)
        last = last_pod(bounded, spec, observed, self.asked.at)
        want = np.where(observed.set_up, np.maximum(last.want, 0), 0)
        stands = np.where(last.apply & observed.set_up, want, there)
        begun = self.limited & ((self.former > 0) | (want > self.knative))
        # A pod of Knative's that waits for its end is not wanted, and not counted.
        early = bounded < self.floor
        beyond = np.where(begun | early, stands, want) - self.knative
        gone = np.clip(there - stands, 0, self.former)
        ours = np.where(begun, np.maximum(beyond, 0), 0)
        return ours, beyond * TICK_S + gone * spec.drain_s
