"""Observed activity of intermittent services: when they started, and when they were called last.

Activity of several readings is joined by the union of its times. Busy periods are made only of all
readings together: an exporter that has just started takes the first call that it sees for a start,
and only what another observed before tells otherwise.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods

OBSERVATION_S = 30.0  # s between two times of ``observed_s``


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Times by service, each ascending and once, in Unix s."""

    starts: dict[str, FloatArray]  # by "namespace/service": calls after idleness, as exported
    last_calls: dict[str, FloatArray]  # by service: calls that were the last for some time
    observed_s: FloatArray  # (k,) multiples of OBSERVATION_S at which any exporter was observed

    def joined(self, other: "Activity") -> "Activity":
        """Both together."""
        return Activity(
            starts=_joined(self.starts, other.starts),
            last_calls=_joined(self.last_calls, other.last_calls),
            observed_s=np.union1d(self.observed_s, other.observed_s),
        )

    def since(self, since_s: float) -> "Activity":
        """Times from ``since_s`` on, and the start of each busy period that goes on then."""
        starts: dict[str, FloatArray] = {}
        last_calls: dict[str, FloatArray] = {}
        for name, times in self.starts.items():
            calls = self.last_calls.get(name, np.zeros(0))
            if max(times[-1], calls[-1] if len(calls) else -np.inf) < since_s:
                continue
            starts[name] = times[max(int(np.searchsorted(times, since_s, "right")) - 1, 0) :]
            last_calls[name] = calls[calls >= since_s]
        observed_s = self.observed_s[self.observed_s >= since_s - 4 * OBSERVATION_S]
        return Activity(starts=starts, last_calls=last_calls, observed_s=observed_s)

    def busy_periods(self, *, since_s: float, until_s: float, idle_s: float = 60.0) -> BusyPeriods:
        """Busy periods up to ``until_s``, observed from ``since_s``; earlier ones are included.

        A start is left out if its service was not observed throughout the idle time before it,
        unless it lies before the first observation.
        """
        names = tuple(sorted(self.starts))
        parts = [
            _busy_periods_of(self.starts[name], self.last_calls.get(name, np.zeros(0)), idle_s)
            for name in names
        ]
        service = np.repeat(np.arange(len(names)), [len(starts) for starts, _ in parts])
        start, end = (np.concatenate([np.zeros(0), *(p[i] for p in parts)]) for i in (0, 1))
        first_s = self.observed_s.min(initial=np.inf) + idle_s
        enough = self._n_observed(start, idle_s) >= round(idle_s / OBSERVATION_S)
        valid = np.flatnonzero(((start < first_s) | enough) & (start <= until_s))
        valid = valid[np.argsort(start[valid], kind="stable")]
        return BusyPeriods(
            services=names,
            service=service[valid].astype(np.int64),
            start_s=start[valid],
            end_s=end[valid],
            since_s=since_s,
            until_s=until_s,
        )

    def _n_observed(self, start_s: FloatArray, idle_s: float) -> IntArray:
        """(k,) number of observations in the idle time before each start."""
        first, last = (np.searchsorted(self.observed_s, start_s - ago) for ago in (idle_s, 0.0))
        return np.asarray(last - first)


def _joined(a: dict[str, FloatArray], b: dict[str, FloatArray]) -> dict[str, FloatArray]:
    return a | {name: np.union1d(a.get(name, np.zeros(0)), times) for name, times in b.items()}


def _busy_periods_of(
    starts: FloatArray, last_calls: FloatArray, idle_s: float
) -> tuple[FloatArray, FloatArray]:
    """Starts and ends of one service's busy periods.

    A last call ends the latest period that started before it. A start less than ``idle_s`` after
    the end before it goes on with that period.
    """
    place = np.searchsorted(starts, last_calls, side="right") - 1
    end = starts.copy()
    np.maximum.at(end, place[place >= 0], last_calls[place >= 0])
    new = np.ones(len(starts), dtype=np.bool_)
    new[1:] = starts[1:] - np.maximum.accumulate(end)[:-1] >= idle_s
    first = np.flatnonzero(new)
    return starts[first], np.maximum.reduceat(end, first)
