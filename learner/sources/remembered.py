"""Demand that is read once: what is remembered is not asked for again.

Each reading asks for the steps since the last one, and for a few before them, as samples may come
late. So a Prometheus that would need a minute for two weeks of ten thousand services answers in
well under a second.

After a restart it goes on from the last steps that a former process knew, and reads all before them
beside the loop.
"""

from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError
from autoscaler.health import Health
from autoscaler.limits import SERVICE_PODS
from autoscaler.refusals import LimitError
from learner.background import Begin, in_background
from learner.demand import Demand, DemandSource, ExternalSeries

OVERLAP_STEPS = 10  # that are asked for again: samples of them may have come late
SPARE_STEPS = 360  # that are written without moving the past
AGAIN_S = 600.0  # until all of the past is asked for again, where it could not be read
WHOLE = "reading all of the past"  # as a part that may be faulty


class Remembered:
    """Another source's demand, of which only what is new is asked for.

    Demand handed out shares memory with later one: its last steps are still corrected.
    """

    def __init__(
        self,
        source: DemandSource,
        beside: DemandSource | None = None,
        begin: Begin = in_background,
    ) -> None:
        """``beside``: like ``source``, for reading at the same time; ``begin``: begins that."""
        self._source, self._beside, self._begin = source, beside or source, begin
        self._past: _Past | None = None
        self._resumed = False  # the past is the last steps alone
        self._whole: Future[_Past] | None = None
        self._again_s = 0.0  # Unix s
        self._faults = Health()

    def resume(self, recent: Demand) -> None:
        """Go on from the last steps that a former process knew."""
        self._past, self._resumed = _Past.of(recent), True

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        """Demand over [start_s, end_s), Unix s. Raises as the source does.

        After `resume` it begins later, until all of the past has been read. Where what is new
        cannot be had alone, for good, all is read anew: a source may have nothing to say of a few
        steps.
        """
        begin_s = self._looked_back(start_s, end_s, step_s) if self._resumed else start_s
        past = self._past
        if past is None or not past.reaches(begin_s, end_s, step_s):
            return self._anew(start_s, end_s, step_s)
        # One more: of the first step, the counters before it are not known.
        overlap_s = (OVERLAP_STEPS + 1) * step_s
        try:
            new = self._source.read(
                start_s=max(past.end_s - overlap_s, begin_s), end_s=end_s, step_s=step_s
            )
        except PermanentError:
            return self._anew(start_s, end_s, step_s)
        # What is known of a past that is not yet read must be of the same pods as it is.
        self._past = past.with_new(past.as_before(new) if self._resumed else new, begin_s)
        return self._past.demand(begin_s)

    def _anew(self, start_s: float, end_s: float, step_s: float) -> Demand:
        demand = self._source.read(start_s=start_s, end_s=end_s, step_s=step_s)
        self._past, self._resumed, self._whole = _Past.of(demand), False, None
        return demand

    def _looked_back(self, start_s: float, end_s: float, step_s: float) -> float:
        """Where demand begins that can be had at once, Unix s; the rest is read meanwhile."""
        if self._whole is None and end_s >= self._again_s:
            beside = self._beside

            def whole() -> _Past:
                return _Past.of(beside.read(start_s=start_s, end_s=end_s, step_s=step_s))

            self._whole = self._begin(whole)
        if self._whole is not None and self._whole.done():
            done, self._whole = self._whole, None
            try:
                self._past, self._resumed = done.result(), False
            except LimitError:
                raise  # less has to be asked for
            except Exception as error:  # noqa: BLE001  # the last steps are known all the same
                self._faults.report(WHOLE, f"{error!s:.200}", end_s)
                self._again_s = end_s + AGAIN_S
            else:
                self._faults.report(WHOLE, "", end_s)
                return start_s
        assert self._past is not None
        return max(start_s, self._past.start_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """Demand with room for more steps behind it."""

    services: tuple[str, ...]
    start_s: float  # Unix s of the first column
    step_s: float
    n_steps: int  # columns in use
    arrivals: FloatArray  # (n, n_steps and more)
    peak: FloatArray  # likewise
    capacity: FloatArray
    external: ExternalSeries | None
    quarantined: dict[str, tuple[str, float]]  # by service: why, and since when, Unix s

    @classmethod
    def of(cls, demand: Demand) -> Self:
        n = len(demand.services)
        return cls(
            services=demand.services,
            start_s=demand.start_s,
            step_s=demand.step_s,
            n_steps=demand.n_steps,
            arrivals=_roomy(demand.arrivals, np.arange(n), 0),
            peak=_roomy(demand.peak, np.arange(n), 0),
            capacity=demand.capacity,
            external=demand.external,
            quarantined={name: (why, demand.end_s) for name, why in demand.quarantined.items()},
        )

    @property
    def end_s(self) -> float:
        return self.start_s + self.n_steps * self.step_s

    def reaches(self, start_s: float, end_s: float, step_s: float) -> bool:
        """Whether demand over [start_s, end_s) needs only some more steps behind this one."""
        return (
            step_s == self.step_s
            and (start_s - self.start_s) % step_s == 0
            and self.start_s <= start_s
            and start_s + OVERLAP_STEPS * step_s < self.end_s <= end_s
        )

    def demand(self, start_s: float) -> Demand:
        first = round((start_s - self.start_s) / self.step_s)
        external = self.external
        if external:
            external = replace(external, values=external.values[:, first:])
        return Demand(
            services=self.services,
            start_s=start_s,
            step_s=self.step_s,
            arrivals=self.arrivals[:, first : self.n_steps],
            peak=self.peak[:, first : self.n_steps],
            capacity=self.capacity,
            external=external,
            quarantined={name: why for name, (why, _) in self.quarantined.items()},
        )

    def as_before(self, new: Demand) -> Demand:
        """With pods of the capacity that those here have."""
        former = dict(zip(self.services, self.capacity.tolist(), strict=True))
        new_ones = zip(new.services, new.capacity.tolist(), strict=True)
        return new.of_pods(np.array([former.get(name, own) for name, own in new_ones]))

    def with_new(self, new: Demand, start_s: float) -> "_Past":
        """With the steps of ``new`` but its first; what began before ``start_s`` may go."""
        n_steps = round((new.end_s - self.start_s) / self.step_s)
        past = self
        if not set(new.services) <= set(self.services) or n_steps > self.peak.shape[1]:
            past = self._moved(set(new.services), start_s)
            n_steps = round((new.end_s - past.start_s) / past.step_s)
        place = {name: row for row, name in enumerate(past.services)}
        rows = np.array([place[name] for name in new.services], dtype=np.int64)
        begin = n_steps - new.n_steps + 1
        for name in ("arrivals", "peak"):
            values = getattr(past, name)
            values[:, max(begin, past.n_steps) : n_steps] = np.nan
            values[rows, begin:n_steps] = getattr(new, name)[:, 1:]
        capacity = past.capacity.copy()
        capacity[rows] = new.capacity
        for row in np.flatnonzero(capacity < past.capacity):
            # As `Demand.of_pods`, in place.
            beyond = past.peak[row] > SERVICE_PODS.most * capacity[row]
            past.arrivals[row, beyond] = past.peak[row, beyond] = np.nan
        quarantined = {
            name: (why, since_s)
            for name, (why, since_s) in past.quarantined.items()
            if since_s > start_s
        }
        quarantined |= {name: (why, new.end_s) for name, why in new.quarantined.items()}
        return replace(
            past,
            n_steps=n_steps,
            capacity=capacity,
            external=_external(past, new, begin),
            quarantined=quarantined,
        )

    def _moved(self, present: set[str], start_s: float) -> "_Past":
        """From ``start_s`` on, in new arrays with room behind.

        Of services that are ``present``, and of others that are known since.
        """
        first = round((start_s - self.start_s) / self.step_s)
        former = {name: row for row, name in enumerate(self.services)}
        known = np.asarray(~np.isnan(self.peak[:, first : self.n_steps]).all(axis=1))
        kept = {name for name, row in former.items() if known[row]}
        services = tuple(sorted(kept | present))
        rows = np.array([former.get(name, -1) for name in services], dtype=np.int64)
        external = self.external
        if external:
            external = replace(external, values=external.values[:, first:])
        return replace(
            self,
            services=services,
            start_s=start_s,
            n_steps=self.n_steps - first,
            arrivals=_roomy(self.arrivals[:, : self.n_steps], rows, first),
            peak=_roomy(self.peak[:, : self.n_steps], rows, first),
            capacity=np.append(self.capacity, 1.0)[rows],
            external=external,
        )


def _roomy(values: FloatArray, rows: IntArray, first: int) -> FloatArray:
    """Some rows from a column on, -1 = one of gaps, with `SPARE_STEPS` behind."""
    n_steps = values.shape[1] - first
    roomy = np.full((len(rows), n_steps + SPARE_STEPS), np.nan)
    old = rows >= 0
    roomy[old, :n_steps] = values[rows[old], first:]
    return roomy


def _external(past: _Past, new: Demand, begin: int) -> ExternalSeries | None:
    """With what is new of external series from column ``begin`` on."""
    if past.external is None or new.external is None:
        return new.external
    parts = past.external.values[:, :begin], new.external.values[:, 1:]
    return replace(new.external, values=np.concatenate(parts, axis=1))
