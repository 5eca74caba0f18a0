"""The promise: a price by which no more than a promised part of the requests is cold.

After each hour the price of a cold request goes up by what was cold beyond the promise, and down by
what was not:

    log price  <-  log price + GAIN (cold - r n) / (1 + r N)

where n requests came in that hour, so many of them cold, r is promised, and N requests come on a
usual day. A day on which twice as many are cold as promised brings about a factor of e^GAIN. An
hour changes the log by `MOST_STEP` at most, as N is hardly known at first and one bad hour says
little of the next; the price stays between `LEAST_S` and `MOST_S`.

This is integral control, so nothing is forgotten: with the same N, over every stretch in which none
of these bounds is met,

    sum of cold - r (sum of n)  =  log(last price / first price) (1 + r N) / GAIN

and what is cold beyond the promise is never more than log(MOST_S / LEAST_S) (1 + r N) / GAIN: the
rate goes to what was promised as 1 / time, whatever the traffic and the forecasts do. What is above
it while the price is `MOST_S` cannot be attained.
Source: I. Gibbs, E. Candes, Adaptive conformal inference under distribution shift, 2021, where the
level of a prediction set is steered in this way.
"""

import numpy as np

from autoscaler.core.types import FloatArray

START_S = 600.0  # s of idle pod, the price before anything is known
LEAST_S, MOST_S = 1.0, 604_800.0  # a week of idle pod for one request
GAIN = 2.0
MOST_STEP = 1.0  # of the log of the price, in an hour
STEPS_A_DAY = 24.0  # a step is an hour
USUAL_STEPS = 72.0  # over which usual requests are averaged


def price_after(
    price_s: FloatArray, cold: FloatArray, requests: FloatArray, usual: FloatArray, rate: FloatArray
) -> FloatArray:
    """(n,) prices after an hour, s of idle pod.

    cold, requests: (n,) of that hour. usual: (n,) requests a day. rate: (n,) promised, 0 to 1.
    """
    # A burst moves a price no more than a day of such hours would.
    a_day = np.maximum(usual, requests * STEPS_A_DAY)
    step = GAIN * (cold - rate * requests) / (1.0 + rate * a_day)
    factor = np.exp(np.clip(step, -MOST_STEP, MOST_STEP))
    return np.asarray(np.clip(price_s * factor, LEAST_S, MOST_S))


def usual_after(usual: FloatArray, requests: FloatArray) -> FloatArray:
    """(n,) requests on a usual day, after an hour with so many (n,)."""
    return np.asarray(usual + (requests * STEPS_A_DAY - usual) / USUAL_STEPS)
