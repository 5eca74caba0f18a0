"""Demand of a made-up fleet: most services idle, some busy, some on timers.

Of ten services three are never called, three a few times a day, two by a timer; two are busy, with
day and night. It is drawn piece by piece, as the whole of it would not fit into memory.
"""

from collections.abc import Iterator

import numpy as np

from autoscaler.core.types import FloatArray
from learner.demand import Demand

STEP_S, DAY_S = 60.0, 86_400
PIECE_STEPS = 240
BEGIN_S = 1_800_000_000.0 // DAY_S * DAY_S


class Fleet:
    """Services, and the demand of any steps of theirs."""

    def __init__(self, n_services: int, seed: int = 0) -> None:
        """Draw what each service is like."""
        random = np.random.default_rng(seed)
        self.services = tuple(f"shop/service-{row:06}" for row in range(n_services))
        kind = np.arange(n_services) % 10
        busy = random.lognormal(np.log(4.0), 0.8, n_services)
        rate = [np.zeros(n_services), random.uniform(0.0003, 0.01, n_services), busy]
        self._rate = np.select([kind < 3, kind < 6, kind >= 8], rate, 0.0)
        self._timer = (kind >= 6) & (kind < 8)
        self._period = random.choice([5, 10, 15, 30, 60, 1440], n_services)
        self._phase = random.integers(0, 1440, n_services)
        self._seed = seed

    def demand(self, first: int, n_steps: int) -> Demand:
        """Steps from ``first`` on."""
        step = first + np.arange(n_steps)
        random = np.random.default_rng([self._seed, first])
        day = 1 + 0.7 * np.sin(2 * np.pi * (step[None, :] + self._phase[:, None]) * STEP_S / DAY_S)
        need = random.poisson(self._rate[:, None] * day).astype(np.float64)
        due = (step[None, :] + self._phase[:, None]) % self._period[:, None] == 0
        need[self._timer] = due[self._timer]
        return self._demand(first, need)

    def pieces(self, n_steps: int, first: int = 0) -> Iterator[Demand]:
        """``n_steps`` from the first one on, some at a time."""
        for begin in range(0, n_steps, PIECE_STEPS):
            yield self.demand(first + begin, min(PIECE_STEPS, n_steps - begin))

    def _demand(self, first: int, need: FloatArray) -> Demand:
        return Demand(
            services=self.services,
            start_s=BEGIN_S + first * STEP_S,
            step_s=STEP_S,
            arrivals=need,
            peak=need,
            capacity=np.ones(len(need)),
        )
