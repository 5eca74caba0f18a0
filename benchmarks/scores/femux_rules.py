"""FeMux's rules: what forecasts of the mean concurrency cost, minute by minute.

Source: ubc-cirrus-lab/femux, ``code/``. Before each minute as many containers are provided as the
forecast needs; they are there at once, and live for exactly that minute. A missing one is cold, and
allocated from its arrival to the end of the minute, where arrivals are spread evenly. Containers
take one request at a time; what the mean over a minute hides is hidden from all alike.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray

MINUTE_S = 60.0
NEEDS, PROVIDES = 1.6e-5, 0.8e-5  # in flight, from which a container is needed, and provided
FIRST_FORECAST = 120  # minutes of history that a forecaster has; before, a keep-alive stands in
STAND_IN = 10  # minutes of that keep-alive
MANY, MOST_GROWTH = 3000.0, 500.0  # containers above which a forecast may grow by so many at most


@dataclass(frozen=True, slots=True, kw_only=True)
class FemuxMinutes:
    """What applications cost in each minute."""

    cold: FloatArray  # (n, n_minutes) containers started on demand
    allocated_gb_s: FloatArray  # (n, n_minutes) at least what is used
    used_gb_s: FloatArray  # (n, n_minutes)

    @property
    def wasted_gb_s(self) -> FloatArray:
        """(n, n_minutes) allocated and not used."""
        return self.allocated_gb_s - self.used_gb_s


def played(
    in_flight: FloatArray, forecasts: FloatArray, invocations: FloatArray, memory_gb: FloatArray
) -> FemuxMinutes:
    """Play minutes by the rules.

    in_flight, forecasts: (n, n_minutes) mean concurrency, true and forecast. invocations: (n,
    n_minutes) of containers: upward steps of the concurrency. memory_gb: (n,), a GB is 1,000 MB.
    """
    needed = np.where(in_flight < NEEDS, 0.0, np.ceil(in_flight))
    provided = np.where(forecasts < PROVIDES, 0.0, np.ceil(forecasts))
    missing = np.minimum(np.maximum(needed - provided, 0.0), invocations)
    # Of n arrivals, 60 / n apart and half of that after the minute began, the first ones miss.
    part = missing - missing**2 / (2 * np.maximum(invocations, 1.0))
    memory = MINUTE_S * memory_gb[:, None]
    used = in_flight * memory
    return FemuxMinutes(
        cold=missing,
        allocated_gb_s=np.maximum((provided + part) * memory, used),
        used_gb_s=used,
    )


def most_of_last(minutes: int, in_flight: FloatArray, first: int = 0) -> FloatArray:
    """(n, n_steps - first) a keep-alive's forecast: the most of the last minutes before each."""
    before = np.pad(in_flight, ((0, 0), (minutes, 0)))[:, :-1]
    windows = np.lib.stride_tricks.sliding_window_view(before, minutes, axis=1)
    return np.asarray(windows[:, first:].max(axis=2), dtype=np.float64)


def within_rules(forecasts: FloatArray, in_flight: FloatArray, first: int) -> FloatArray:
    """(n, n_steps - first) forecasts of steps from ``first`` on, as FeMux would use them.

    A keep-alive for steps without enough history; never negative; growth of large ones is limited,
    from the last value known. (FeMux's code limits it from the value that it forecasts.)
    """
    last = np.pad(in_flight, ((0, 0), (1, 0)))[:, first:-1]
    grown = np.where(forecasts > MANY, np.minimum(forecasts, last + MOST_GROWTH), forecasts)
    without_history = np.arange(first, in_flight.shape[1]) < FIRST_FORECAST
    return np.where(
        without_history, most_of_last(STAND_IN, in_flight, first), np.maximum(grown, 0.0)
    )
