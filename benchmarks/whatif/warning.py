"""How many calls came without warning: what nobody foresees, and only pods held ready serve warm.

A *start* is a step that needs a pod after at least two that needed none. It came without warning
where the forecast for it gave it at most twice the chance that it usually has after such a pause:
less than one bit of information about its timing (log2 of that ratio). All starts of a Poisson
process are without warning, whatever its rate, and those of a timer are not. The forecasts are
ours: who knows more of a service than its past demand may have been warned.
"""

import numpy as np

from autoscaler.core.types import FloatArray

IDLE_STEPS = 2  # before a start
A_BIT = 2.0  # times the usual chance


def without_warning(need: FloatArray, given: FloatArray) -> tuple[int, int]:
    """How many starts came without warning, and of how many.

    need: (n, n_steps) pods, NaN = gap. given: (n, n_steps) probability that a step needs one, as
    forecast before it began; NaN = there was no forecast: such a step does not count.
    """
    idle = need == 0
    after = ~np.isnan(need) & ~np.isnan(given)
    for ago in range(1, IDLE_STEPS + 1):
        after[:, ago:] &= idle[:, :-ago]
        after[:, :ago] = False
    start = after & (need > 0)
    number = start.sum(axis=1)
    # Of who was called once or twice the usual chance is hardly known: rather larger than smaller.
    usual = (number + 1) / (after.sum(axis=1) + 1)
    surprises = start & (given <= A_BIT * usual[:, None])
    return int(surprises.sum()), int(number.sum())
