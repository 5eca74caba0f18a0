"""Whether pods go before Knative's rule lets them go: where that was right before.

A forecast is as old as its last step, and knows nothing of a burst that began since. Calls that
surprise come in bursts, of which Knative's stable window is the only memory there is: pods that go
because nothing was forecast are missed by the next call of the burst. How often depends on the
service, and is counted.

Each time that pods could go early opens a case, whether they go or stay. It ends when Knative's
panic window wants them back, which may be a matter of headroom, or since those left cannot take the
demand, so that they are missed; when Knative's rule lets them go, too; or, without any outcome,
when the forecast wants them again. With k of n cases of a kind, the next one is so with a
probability of ``(k + 1/2) / (n + 1)`` (Jeffreys' prior): b for pods that were wanted back, m for
those that were missed. A pod that stays idles through its stable window W where it is not wanted
back. One that went in vain has drained in vain; the start of another costs something only where
requests wait for it. So pods stay until Knative's rule lets them go iff

    m (M + L) + b D > (1 - b) W

with what `autoscaler.core.prediction.predictive` calls so. A revision of which nothing is known is
left to Knative's rule: at a price of ten minutes it takes some six cases, of which none is missed,
until its pods go early.
"""

import numpy as np

from autoscaler.core.prediction.predictive import PodCosts
from autoscaler.core.state.early import Early, EarlyArrays
from autoscaler.core.state.fleet import Fleet, Rows, take
from autoscaler.core.state.revision import NO_ANSWER, Mode, SpecArrays
from autoscaler.core.types import BoolArray, FloatArray, IntArray

CASES = 50  # remembered: older ones count less and less


def noted(
    early: EarlyArrays,
    *,
    enough: IntArray,
    ahead: IntArray,
    kpa: IntArray,
    seen: IntArray,
    beyond: BoolArray,
) -> EarlyArrays:
    """Close cases that ended, and open new ones; (n,) each.

    enough: pods, by the forecast; -1 = there is none. ahead: pods wanted by forecasts and
    upstreams. kpa: by Knative's rule. seen: by its panic window. beyond: of `are_missed`.
    """
    is_open = early.left != NO_ANSWER
    back = is_open & ((seen > early.left) | beyond)
    ended = back | (is_open & (kpa <= early.left))
    wanted_again = is_open & (ahead > early.left)
    left = np.where(ended | wanted_again, NO_ANSWER, early.left)
    opens = (left == NO_ANSWER) & could_go(enough, kpa)
    kept = np.where(ended, 1.0 - 1.0 / CASES, 1.0)
    return Early(
        left=np.where(opens, enough, left),
        cases=early.cases * kept + ended,
        back=early.back * kept + back,
        missed=early.missed * kept + (back & beyond),
    )


def are_missed(
    early: EarlyArrays, spec: SpecArrays, panic: FloatArray, seen: IntArray
) -> BoolArray:
    """(n,) whether there is demand that the pods left in a case cannot take.

    panic: (n,) average over the panic window. seen: (n,) pods wanted for what was just seen.
    """
    return np.asarray(np.where(early.left == 0, seen > 0, panic > early.left * spec.total))


def could_go(enough: IntArray, kpa: IntArray) -> BoolArray:
    """(n,) whether fewer pods than Knative's rule wants are enough; these as in `noted`."""
    return np.asarray((enough >= 0) & (enough < kpa))


def may_go(
    fleet: Fleet, rows: Rows, early: EarlyArrays, spec: SpecArrays, could: BoolArray
) -> BoolArray:
    """(n,) which rows of n that could go early do: those in mode full, by how cases ended.

    early, spec, could: theirs.
    """
    goes = could & (spec.mode == int(Mode.FULL))
    some = np.flatnonzero(goes)  # few: most pods are wanted, or gone already
    if not len(some):
        return np.asarray(goes)
    early, spec = take(early, some), take(spec, some)
    costs = PodCosts.of(fleet, np.arange(len(fleet))[rows][some], spec)
    back, missed = ((ended + 0.5) / (early.cases + 1.0) for ended in (early.back, early.missed))
    missing_s = np.where(early.left == 0, costs.first_s, costs.further_s)
    others_s = missed * (missing_s + costs.lead_s) + back * costs.drain_s
    goes[some] = others_s <= (1.0 - back) * spec.stable_window_s
    return np.asarray(goes)
