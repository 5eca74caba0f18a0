"""What was seen of services that sleep: when they started, and when they were called last.

Sightings of several readings add up, as each holds times and nothing else; times seen twice count
once. Spells are made of them only when all are together: whoever takes over from a collector that
ended holds the first call that it sees for a start, and only what was seen before tells otherwise.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods

WATCH_S = 30.0  # s between two times of ``watched_s``


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Times by service, each ascending and once, in Unix s."""

    begun: dict[str, FloatArray]  # by "namespace/service": calls after idleness, as collected
    called: dict[str, FloatArray]  # by service: calls that were the last for some time
    watched_s: FloatArray  # (k,) multiples of WATCH_S at which anybody was watching

    def joined(self, other: "Activity") -> "Activity":
        """Both together."""
        return Activity(
            begun=_joined(self.begun, other.begun),
            called=_joined(self.called, other.called),
            watched_s=np.union1d(self.watched_s, other.watched_s),
        )

    def since(self, since_s: float) -> "Activity":
        """Those from ``since_s`` on, and of each service the start of what was going on then."""
        begun: dict[str, FloatArray] = {}
        called: dict[str, FloatArray] = {}
        for name, times in self.begun.items():
            calls = self.called.get(name, np.zeros(0))
            if max(times[-1], calls[-1] if len(calls) else -np.inf) < since_s:
                continue
            begun[name] = times[max(int(np.searchsorted(times, since_s, "right")) - 1, 0) :]
            called[name] = calls[calls >= since_s]
        watched_s = self.watched_s[self.watched_s >= since_s - 4 * WATCH_S]
        return Activity(begun=begun, called=called, watched_s=watched_s)

    def busy_periods(self, *, since_s: float, until_s: float, idle_s: float = 60.0) -> BusyPeriods:
        """Spells up to ``until_s``, as watched from ``since_s``; earlier ones tell who was in use.

        A start that nobody can have seen (no one was watching all the idle time before it, though
        somebody had watched earlier) is left out.
        """
        names = tuple(sorted(self.begun))
        parts = [
            _busy_periods_of(self.begun[name], self.called.get(name, np.zeros(0)), idle_s)
            for name in names
        ]
        who = np.repeat(np.arange(len(names)), [len(starts) for starts, _ in parts])
        start, end = (np.concatenate([np.zeros(0), *(p[i] for p in parts)]) for i in (0, 1))
        first_s = self.watched_s.min(initial=np.inf) + idle_s
        believed = (start < first_s) | (self._watched(start, idle_s) >= round(idle_s / WATCH_S))
        kept = np.flatnonzero(believed & (start <= until_s))
        kept = kept[np.argsort(start[kept], kind="stable")]
        return BusyPeriods(
            services=names,
            service=who[kept].astype(np.int64),
            start_s=start[kept],
            end_s=end[kept],
            since_s=since_s,
            until_s=until_s,
        )

    def _watched(self, start_s: FloatArray, idle_s: float) -> IntArray:
        """(k,) how many watched times lie in the idle time before each start."""
        first, last = (np.searchsorted(self.watched_s, start_s - ago) for ago in (idle_s, 0.0))
        return np.asarray(last - first)


def _joined(a: dict[str, FloatArray], b: dict[str, FloatArray]) -> dict[str, FloatArray]:
    return a | {name: np.union1d(a.get(name, np.zeros(0)), times) for name, times in b.items()}


def _busy_periods_of(
    begun: FloatArray, called: FloatArray, idle_s: float
) -> tuple[FloatArray, FloatArray]:
    """Starts and ends of one service's spells.

    A call ends the last spell that began before it. What began too soon after the end of the one
    before was no start, whoever took it for one.
    """
    place = np.searchsorted(begun, called, side="right") - 1
    end = begun.copy()
    np.maximum.at(end, place[place >= 0], called[place >= 0])
    fresh = np.ones(len(begun), dtype=np.bool_)
    fresh[1:] = begun[1:] - np.maximum.accumulate(end)[:-1] >= idle_s
    first = np.flatnonzero(fresh)
    return begun[first], np.maximum.reduceat(end, first)
