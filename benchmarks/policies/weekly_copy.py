"""The weekly copy: what was in flight in the same minute of a week ago.

It is what operators of Mimir run: the load of the same time last week, beside the
present one, whichever is greater (grafana/mimir#7775: 66 to 95 % fewer refused queries at 20 to
50 % more cost).
"""

import numpy as np

from autoscaler.core.types import FloatArray

WEEK_STEPS = 7 * 1440  # of a minute


def same_minute_last_week(in_flight: FloatArray, first: int) -> FloatArray:
    """(n, n_steps - first) what was in flight a week before; nothing where no week was seen."""
    return np.pad(in_flight, ((0, 0), (WEEK_STEPS, 0)))[:, first : in_flight.shape[1]]
