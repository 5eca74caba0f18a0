"""What a tick decided for each revision, and why, in one sentence.

`Reason` names the rule that had the last word. The sentence is made only when somebody asks.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from autoscaler.core.revision import MemoryArrays
from autoscaler.core.surge import Surge
from autoscaler.core.types import BoolArray, FloatArray, IntArray


class Reason(IntEnum):
    """The rule that had the last word."""

    NO_DATA = 0
    STABLE = 1
    PANIC = 2
    FORECAST = 3
    DELAY = 4
    MIN_SCALE = 5
    MAX_SCALE = 6
    LAST_POD = 7
    ZERO = 8
    EARLY = 9
    ACTIVATING = 10
    SURGE = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """One tick's answers; (n,) each, in the order of `rows`."""

    rows: IntArray  # rows of the fleet
    now: FloatArray  # Unix s
    no_data: BoolArray
    stable: FloatArray  # stable-window average over all pods, in flight or rps
    panic: FloatArray  # panic-window average over all pods, in flight or rps
    panicking: BoolArray
    kpa: IntArray  # what Knative's rule asks for, delay included; -1 = no decision
    predicted: IntArray  # what the forecast asks for; -1 = no forecast
    surged: IntArray  # what upstreams' calls ask for; -1 = none does
    pulled: Surge  # and which upstream does
    desired: IntArray  # all together, as the mode allows, before bounds; -1 = no decision
    want: IntArray  # after bounds and the zero machine; -1 = no decision
    apply: BoolArray  # the scale target has to be written
    probe: BoolArray  # the activator has to be asked whether it answers
    proxy: BoolArray  # the activator has to stand in the path
    activators: IntArray  # activators to have in the path
    reason: IntArray  # a Reason
    memory: MemoryArrays  # for the next tick
    delay_rows: IntArray  # rows whose scale-down delay has to remember
    delay_now: FloatArray  # Unix s, of those
    delay_desired: IntArray  # pods, of those

    def explain(self, i: int) -> str:
        """The i-th decision in one sentence."""
        return f"{_wanted(int(self.want[i]))}: {self._because(i)}{self._aside(i)}."

    def _because(self, i: int) -> str:
        stable, panic = float(self.stable[i]), float(self.panic[i])
        kpa, predicted = int(self.kpa[i]), int(self.predicted[i])
        sentences = {
            Reason.NO_DATA: "there is no statistic yet, so what is there stays",
            Reason.STABLE: f"demand over the stable window averages {stable:g}",
            Reason.PANIC: f"panicking, as demand over the panic window averages {panic:g}",
            Reason.FORECAST: f"the forecast finds {_pods(predicted)} worth having "
            f"(Knative alone: {_wanted(kpa)})",
            Reason.DELAY: f"scale-down delay keeps {_pods(kpa)}",
            Reason.MIN_SCALE: "the lower bound (min-scale or initial-scale) holds it up",
            Reason.MAX_SCALE: f"max-scale holds it down from {int(self.desired[i])}",
            Reason.ACTIVATING: "it is still activating, so what is there stays",
            Reason.LAST_POD: "the last pod stays until it is safe to go to zero",
            Reason.ZERO: "no demand is seen" + (" and none forecast" if predicted == 0 else ""),
            Reason.SURGE: f"{self.pulled.explain(i, float(self.now[i]))} "
            f"(Knative alone: {_wanted(kpa)})",
            Reason.EARLY: f"the forecast expects no need for more (Knative alone: {_wanted(kpa)})",
        }
        return sentences[Reason(int(self.reason[i]))]

    def _aside(self, i: int) -> str:
        if self.reason[i] == Reason.FORECAST or self.predicted[i] <= self.want[i]:
            return ""
        return f"; the forecast would have {_pods(int(self.predicted[i]))}"


def _pods(n: int) -> str:
    return f"{n} pod" if n == 1 else f"{n} pods"


def _wanted(n: int) -> str:
    return "no decision" if n < 0 else _pods(n)


def reasons(
    decided: "Candidates", desired: IntArray, bounded: IntArray, want: IntArray
) -> IntArray:
    """(n,) the Reason of each answer: the last rule that changed it."""
    reason = np.where(decided.panicking, int(Reason.PANIC), int(Reason.STABLE))
    reason = np.where(decided.kpa > decided.undelayed, int(Reason.DELAY), reason)
    reason = np.where(decided.no_data, int(Reason.NO_DATA), reason)
    ahead = np.where(decided.surged > decided.predicted, int(Reason.SURGE), int(Reason.FORECAST))
    reason = np.where(desired > decided.kpa, ahead, reason)
    reason = np.where(desired < decided.kpa, int(Reason.EARLY), reason)
    reason = np.where(bounded > np.maximum(desired, 0), int(Reason.MIN_SCALE), reason)
    reason = np.where(bounded < desired, int(Reason.MAX_SCALE), reason)
    activating = (bounded == 0) & (want < 0)
    reason = np.where(activating & ~decided.no_data, int(Reason.ACTIVATING), reason)
    reason = np.where((bounded == 0) & (want > 0), int(Reason.LAST_POD), reason)
    return np.where(want == 0, int(Reason.ZERO), reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What competed before the bounds; (n,) each."""

    no_data: BoolArray
    panicking: BoolArray
    undelayed: IntArray  # KPA before scale-down delay
    kpa: IntArray  # KPA
    predicted: IntArray  # -1 = no forecast
    surged: IntArray  # -1 = no upstream asks for any
