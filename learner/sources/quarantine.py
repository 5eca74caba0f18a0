"""Impossible samples: a gap for their service, reported and counted; no other is affected.

A spike of a thousand million requests in flight, a negative or infinite count, a malformed series:
one of them would otherwise widen the arrays of all services, or make a fit fail.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray
from autoscaler.limits import COUNT, REQUESTS, SERVICE_PODS, Limit
from learner.demand import Demand, Steps


class Quarantine:
    """What was impossible, by service."""

    def __init__(self) -> None:
        self.excluded: dict[str, str] = {}  # by service of which nothing is used: why
        self.refused: Counter[Limit] = Counter()
        self._n_samples: Counter[str] = Counter()  # by service
        self._example: dict[str, float] = {}

    def add(self, service: str, limit: Limit, values: Steps) -> None:
        """Note values of a service, if any, that are beyond a limit or no number."""
        if len(values):
            self.refused[limit] += len(values)
            self._n_samples[service] += len(values)
            self._example.setdefault(service, float(values[0]))

    def reasons(self) -> dict[str, str]:
        """What is wrong, in one line a service."""
        reasons = {
            service: f"samples that cannot be: {n}, such as {self._example[service]:g}"
            for service, n in self._n_samples.items()
        }
        return reasons | self.excluded


def sound_demand(
    *,
    services: Sequence[str],
    start_s: float,
    step_s: float,
    arrivals: Steps,
    peak: Steps,
    capacity: FloatArray,
    quarantine: Quarantine | None = None,
) -> Demand:
    """Demand with impossible steps made gaps, and their services quarantined.

    As `Demand`, but with any values; quarantine: what is already known to be wrong.
    """
    quarantine = quarantine or Quarantine()
    wrong = np.zeros(peak.shape, dtype=np.bool_)
    most_peak = SERVICE_PODS.most * capacity[:, None]
    for limit, values, most in (
        (SERVICE_PODS, peak, most_peak),
        (REQUESTS, arrivals, REQUESTS.most),
    ):
        beyond = impossible(values, most)
        wrong |= beyond
        for row in np.flatnonzero(beyond.any(axis=1)):
            quarantine.add(services[int(row)], limit, values[row, beyond[row]])
    wrong |= np.isnan(peak)  # such a step was not observed
    return Demand(
        services=tuple(services),
        start_s=start_s,
        step_s=step_s,
        arrivals=np.where(wrong, np.nan, arrivals),
        peak=np.where(wrong, np.nan, peak),
        capacity=capacity,
        quarantined=quarantine.reasons(),
    )


def impossible(values: Steps, most: FloatArray | float = COUNT.most) -> BoolArray:
    """Which counts are negative, infinite or beyond ``most``; NaN is a gap, and possible."""
    with np.errstate(invalid="ignore"):
        return np.asarray((values < 0) | (values > most))
