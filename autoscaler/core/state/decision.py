"""What a tick decided for a revision, and why, in one sentence.

`Decision` holds arrays for a fleet, or scalars for one revision. `Reason` names the rule that
determined the answer. The sentence is made on demand only.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Generic, TypeAlias

import numpy as np

from autoscaler.core.state.revision import NO_ANSWER, B, F, I
from autoscaler.core.types import BoolArray, FloatArray, IntArray


class Reason(IntEnum):
    """The rule that determined the answer: the last one that changed it."""

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
    UPSTREAM = 11
    BILL = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Generic[F, I, B]):
    """One tick's answer for one revision, and what competed for it."""

    at_s: F  # Unix s
    no_data: B  # no statistics: the former answer stays
    stable: F  # stable-window average over all pods, in flight or rps
    panic: F  # panic-window average over all pods, in flight or rps
    panicking: B
    undelayed: I  # pods that Knative's rule asks for before its scale-down delay; -1 = no answer
    kpa: I  # pods that Knative's rule asks for; -1 = no answer
    predicted: I  # pods that the forecast asks for; -1 = there is none
    anticipated: I  # pods that calls of upstream services ask for; -1 = none does
    desired: I  # all together, as the mode allows, before bounds; -1 = no answer
    bounded: I  # within bounds; -1 = no answer
    want: I  # after the scale-to-zero rule; -1 = no answer, -2 = nothing was decided yet
    scale: B  # the scale target has to be written
    probe: B  # the activator has to be probed
    proxy: B  # the activator has to be in the path
    activators: I  # activators to have in the path
    upstream: I  # `name_id` of the service whose calls ask for `anticipated`; 0 = none
    upstream_rate: F  # its requests per second
    upstream_since_s: F  # Unix s at which it started or rose; NaN = none
    gain: F  # calls here that a call of it brings
    lag_s: F  # s from its call to the one here
    ahead: I  # pods beyond Knative's that prediction asks for where there is a bill, in shadow too
    extra: I  # of these, the ones that the bill pays for
    max_extra: F  # of the bill that had the last word; inf = there is none
    credit_s: F  # of that bill, before this tick was paid, s of pod; NaN = there is none
    further_s: F  # s of pod that one more pod ahead costs at least
    of_cluster: B  # whether that bill is the whole cluster's
    withdrawn: B  # what would be applied is shown only, as its ledger shows a loss


DecisionArrays: TypeAlias = Decision[FloatArray, IntArray, BoolArray]
OneDecision: TypeAlias = Decision[float, int, bool]


def reasons(d: DecisionArrays) -> IntArray:
    """(n,) the Reason of each answer: the last rule that changed it."""
    reason = np.where(d.panicking, int(Reason.PANIC), int(Reason.STABLE))
    reason = np.where(d.kpa > d.undelayed, int(Reason.DELAY), reason)
    reason = np.where(d.no_data, int(Reason.NO_DATA), reason)
    ahead = np.where(d.anticipated > d.predicted, int(Reason.UPSTREAM), int(Reason.FORECAST))
    reason = np.where(d.desired > d.kpa, ahead, reason)
    reason = np.where(d.desired < d.kpa, int(Reason.EARLY), reason)
    reason = np.where(d.bounded > np.maximum(d.desired, 0), int(Reason.MIN_SCALE), reason)
    reason = np.where(d.bounded < d.desired, int(Reason.MAX_SCALE), reason)
    cut = (d.extra < d.ahead) & (d.desired > d.kpa)  # in shadow it is not applied
    reason = np.where(cut, int(Reason.BILL), reason)
    activating = (d.bounded == 0) & (d.want < 0)
    reason = np.where(activating & ~d.no_data, int(Reason.ACTIVATING), reason)
    reason = np.where((d.bounded == 0) & (d.want > 0), int(Reason.LAST_POD), reason)
    return np.where((d.want == 0) & ~cut, int(Reason.ZERO), reason)


def row_of(d: DecisionArrays, i: int) -> OneDecision:
    """The i-th decision."""
    return Decision(**{f.name: getattr(d, f.name)[i].item() for f in fields(d)})


def reason_of(d: OneDecision) -> Reason:
    """The rule that determined the answer for one revision."""
    return Reason(int(reasons(d)))  # type: ignore[arg-type]  # scalars are arrays of no dimension


def explain(
    d: OneDecision, *, upstream: str = "", rps: bool = False, reason: Reason | None = None
) -> str:
    """A decision in one sentence.

    upstream: name of the service that ``d.upstream`` stands for. rps: whether the revision's metric
    is requests per second. reason: None = the one that follows from the decision.
    """
    reason = reason_of(d) if reason is None else reason
    aside = ""
    if reason not in {Reason.FORECAST, Reason.BILL} and d.predicted > d.want:
        aside = f"; the forecast would have {_pods(d.predicted)}"
        if d.withdrawn:
            aside += ", but is withdrawn"
        elif d.extra < d.ahead:
            aside += f", but {_bill(d)}"
    elif d.withdrawn:
        aside = "; its forecast is withdrawn"
    return f"{_wanted(d.want)}: {_because(d, reason, upstream, rps)}{aside}."


def _because(d: OneDecision, reason: Reason, upstream: str, rps: bool) -> str:
    alone = f"(Knative alone: {_wanted(d.kpa)})"
    sentences = {
        Reason.NO_DATA: "there is no statistic yet, so what is there stays",
        Reason.STABLE: f"demand over the stable window averages {_demand(d.stable, rps)}",
        Reason.PANIC: f"panicking, as demand over the panic window averages "
        f"{_demand(d.panic, rps)}",
        Reason.FORECAST: f"the forecast finds {_pods(d.predicted)} worth having {alone}",
        Reason.DELAY: f"scale-down delay keeps {_pods(d.kpa)}",
        Reason.MIN_SCALE: "the lower bound (min-scale or initial-scale) holds it up",
        Reason.MAX_SCALE: f"max-scale holds it down from {d.desired}",
        Reason.ACTIVATING: "it is still activating, so what is there stays",
        Reason.LAST_POD: "the last pod stays until it is safe to go to zero",
        Reason.ZERO: "no demand is seen" + (" and none forecast" if d.predicted == 0 else ""),
        Reason.UPSTREAM: f"{_upstream(d, upstream)} {alone}",
        Reason.EARLY: f"the forecast expects no need for more {alone}",
        Reason.BILL: f"{_bill(d)} {alone}",
    }
    return sentences[reason]


def _upstream(d: OneDecision, name: str) -> str:
    ago_s = max(0.0, d.at_s - d.upstream_since_s)
    return (
        f"{name or 'an upstream'} rose to {d.upstream_rate:.3g} rps {ago_s:.0f} s ago; "
        f"gain {d.gain:.2g}, lag {_number(d.lag_s)} s"
    )


def _bill(d: OneDecision) -> str:
    whose = "the cluster's bill" if d.of_cluster else "the bill"
    pods = "the pods" if d.of_cluster else "pods"
    return (
        f"{whose} allows {d.extra} of {_pods(d.ahead)} ahead: {100 * d.max_extra:.3g} % of "
        f"{pods} that Knative wants, credit {max(d.credit_s, 0.0):.0f} s, "
        f"one more costs {d.further_s:.0f} s"
    )


def _demand(value: float, rps: bool) -> str:
    return f"{_number(value)} requests {'a second' if rps else 'in flight'}"


def _number(value: float) -> str:
    """As people write it: no more digits than say something, and never 1e+02."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _pods(n: int) -> str:
    return f"{n} pod" if n == 1 else f"{n} pods"


def _wanted(n: int) -> str:
    return "no decision" if n <= NO_ANSWER else _pods(n)
