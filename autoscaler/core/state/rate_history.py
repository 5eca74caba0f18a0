"""Rates of the last five minutes of each upstream service: its stable average, every 10 s.

Lags can be longer than a stable window. Services that are no upstream have no history (NaN).
"""

import numpy as np

from autoscaler.core.state.columns import Column
from autoscaler.core.types import FloatArray, IntArray

STEP_S = 10  # s between two values
STEPS = 30  # values of a service: five minutes
NEVER = -(2**31)  # an impossible step: nothing was written yet


class RateHistory:
    """One ring of values per service."""

    def __init__(self) -> None:
        self._rates = Column(np.float32, (STEPS,))  # requests per second
        self._steps = Column(np.int32, (STEPS,))  # whose value it is

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return self._rates.nbytes + self._steps.nbytes

    def append(self, n: int) -> None:
        """Add n services at the end."""
        self._rates.append(np.zeros((STEPS, n), dtype=np.float32))
        self._steps.append(np.full((STEPS, n), NEVER, dtype=np.int32))

    def remove(self, service: int) -> None:
        """Remove a service; the last one takes its place."""
        self._rates.remove(service)
        self._steps.remove(service)

    def record(self, services: IntArray, at_s: float, rate: FloatArray) -> None:
        """Store rates of services (n,) at Unix s ``at_s``: (n,) requests per second.

        A later value of the same step replaces an earlier one.
        """
        step = int(at_s // STEP_S)
        self._rates.values[step % STEPS, services] = rate
        self._steps.values[step % STEPS, services] = step

    def at(self, services: IntArray, at_s: FloatArray) -> FloatArray:
        """(n,) requests per second of services (n,) at Unix s (n,); NaN = not known.

        A step without a value, which has just begun or whose tick was delayed, has the value of the
        step before.
        """
        step = (at_s // STEP_S).astype(np.int64)
        found = self._of(services, step)
        missing = np.flatnonzero(np.isnan(found))
        found[missing] = self._of(services[missing], step[missing] - 1)
        return found

    def _of(self, services: IntArray, step: IntArray) -> FloatArray:
        slot = step % STEPS, services
        return np.where(self._steps.values[slot] == step, self._rates.values[slot], np.nan)
