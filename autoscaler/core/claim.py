"""Whose a pod is: Knative's, or one that prediction asks for and a bill has to pay for.

Knative's are those that its rule wants in this tick, bounded and after the scale-to-zero rule. But
where Knative had none and pods were started ahead, its rules make them stay as well: until one is
ready, for a stable window, for a grace period, and as many as scale-down rate and delay keep. Such
pods are not Knative's: they earn nothing, and are paid for until they are gone, or until demand is
seen that its rule asks for pods for.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.kpa.bounds import clip
from autoscaler.core.kpa.zero import last_pod
from autoscaler.core.prediction.bill import Cost
from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.core.state.credit import CreditArrays
from autoscaler.core.state.fleet import Rows
from autoscaler.core.state.revision import Active, Mode, ObservedArrays, SpecArrays
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SLACK_S = 2 * TICK_S  # s by which ticks are behind what they wait for


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

    @property
    def applied(self) -> BoolArray:
        """Where prediction is applied."""
        return np.asarray(self.spec.mode >= Mode.OUTWARD)

    @property
    def desired(self) -> IntArray:
        """Before bounds and bills, as the mode allows; -1 = no answer."""
        return np.where(self.applied, self.together, self.kpa)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Whose pods are whose before the bills; (n,) each.

    Where there is no bill nothing is ahead, and nothing is cut.
    """

    asked: Asked
    floor: IntArray  # by Knative's rule, within bounds; -1 = no answer
    most: IntArray  # with prediction, within bounds; -1 = no answer
    none: BoolArray  # Knative's rule asks for none for any demand, and the last one may go
    held: BoolArray  # so it is, and what stands was started ahead
    knative: IntArray  # pods that are Knative's
    ahead: IntArray  # asked for beyond them
    least: IntArray  # of those that are of any use
    stands: IntArray  # pods that stand where `held`
    begun: IntArray  # pods ahead that there are already

    @classmethod
    def of(cls, asked: Asked, former: CreditArrays, has_bill: BoolArray) -> "Claim":
        """By what is asked for, and by whose pods those are that stand.

        has_bill: (n,) where a bill holds, the revision's or the cluster's.
        """
        spec, observed = asked.spec, asked.observed
        floor, most = (clip(pods, spec, observed) for pods in (asked.kpa, asked.together))
        kept = former.ahead & ~asked.demand & (asked.kpa > 0)  # by the scale-down rate alone
        floor_of_own = clip(np.where(kept, 0, asked.kpa), spec, observed)
        none = (floor_of_own <= 0) & spec.enable_scale_to_zero & has_bill
        held = former.ahead & none
        alone = last_pod(floor, spec, observed, asked.at).want
        knative = np.where(held | ~observed.set_up, 0, np.maximum(alone, 0))
        stands = np.where(held, np.maximum(observed.replicas, 0), 0)
        more = (most > floor) & observed.set_up & has_bill
        return cls(
            asked=asked,
            floor=floor,
            most=most,
            none=none,
            held=held,
            knative=knative,
            ahead=np.where(more, np.maximum(most - knative, 0), 0),
            least=np.minimum(spec.activation_scale, most) - knative,
            stands=stands,
            begun=np.maximum(former.paid, stands),
        )

    def cost(self) -> Cost:
        """What pods ahead cost, each and the last one of them."""
        spec, observed = self.asked.spec, self.asked.observed
        since_s = self.asked.at - observed.active_since_s
        active = observed.active == Active.TRUE
        begun_s = np.where(observed.active == Active.UNKNOWN, since_s, 0.0)
        starts_s = np.maximum(spec.lead_s - begun_s, 0.0) + SLACK_S
        starts_s = np.where(active | (observed.ready > 0), 0.0, starts_s)
        young_s = np.maximum(spec.stable_window_s - np.where(active, since_s, 0.0), 0.0)
        old = active & (young_s == 0)
        end_s = np.maximum(spec.grace_s, np.where(spec.reachable, spec.retention_s, 0.0)) + SLACK_S
        # As many as the scale-down rate keeps, each for a delay: at most a geometric series.
        down_s = (TICK_S + spec.scale_down_delay_s) / (spec.max_scale_down_rate - 1.0)
        # All of an old one stay to the end; a young one can be cut to the last before it is old.
        stay_s = down_s + np.where(old, end_s, starts_s)
        last_s = (
            young_s
            + spec.scale_down_delay_s
            + SLACK_S
            + end_s * np.maximum(spec.activation_scale, 1)
        )
        alone = self.none & (self.knative == 0)
        keep_s = TICK_S + spec.drain_s + np.where(alone, stay_s, 0.0)
        return Cost(
            begun=self.begun,
            go_s=spec.drain_s,
            keep_s=keep_s,
            start_s=keep_s + np.where(alone, 0.0, spec.lead_s + SLACK_S),
            one_s=np.where(alone & ~old, last_s, 0.0),
        )

    def cut_to(self, extra: IntArray) -> IntArray:
        """(n,) pods within bounds where so many (n,) are ahead; Knative's answer where none is."""
        some = np.where(extra > 0, np.maximum(self.knative + extra, self.floor), self.floor)
        return np.where(extra < self.ahead, some, self.most)

    def spent(self, bounded: IntArray) -> tuple[FloatArray, BoolArray]:
        """(n,) s of pod that a tick costs an account, and (n,) whether what stands is ahead.

        bounded: (n,) what the bills leave.
        """
        spec, observed = self.asked.spec, self.asked.observed
        there = np.maximum(observed.replicas, 0)
        last = last_pod(bounded, spec, observed, self.asked.at)
        want = np.where(observed.set_up, np.maximum(last.want, 0), 0)
        stand = np.where(last.apply & observed.set_up, want, there)
        early = np.minimum(stand, self.knative)  # nothing is saved before they go
        counted = np.where(bounded < self.floor, early, want)
        beyond = np.where(self.held, stand, counted) - self.knative
        gone = np.minimum(self.begun - np.maximum(beyond, 0), there - stand)
        started = (self.knative == 0) & (bounded > 0) & observed.set_up
        ahead = self.none & (started | (self.held & (stand > 0)))
        return beyond * TICK_S + np.maximum(gone, 0) * spec.drain_s, ahead
