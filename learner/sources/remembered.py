"""Demand that is read once: what is remembered is not asked for again.

Each reading asks for the steps since the last one, and for a few before them, as samples may come
late. So a Prometheus that would need a minute for two weeks of ten thousand services answers in
well under a second. The first one reads the past piece by piece in the same way: samples take many
times as much memory as what is kept of them.

After a restart it goes on from the last steps that a former process knew, and reads all before them
beside the loop.
"""

from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError
from autoscaler.health import Health
from autoscaler.limits import HISTORY, SERVICE_PODS
from autoscaler.refusals import LimitError
from learner.background import Begin, in_background
from learner.demand import Demand, DemandSource, ExternalSeries, Steps, UnknownPastError

PIECE_STEPS = 1440  # of the past that are read at a time
OVERLAP_STEPS = 10  # that are asked for again: samples of them may have come late
SPARE_STEPS = 360  # that are written without moving the past
ROWS_AT_ONCE = 256  # that are moved together
AGAIN_S = 600.0  # until all of the past is asked for again, where it could not be read
WHOLE = "reading all of the past"  # as a part that may be faulty

SingleSteps = npt.NDArray[np.float32]


class Remembered:
    """Another source's demand, of which only what is new is asked for.

    Demand handed out is in single precision, rounded down, and shares memory with later one: its
    last steps are still corrected.
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
        past = _Past.empty(recent.start_s, recent.step_s, recent.n_steps)
        self._past, self._resumed = past.with_new(recent, recent.start_s), True

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
        try:
            new = self._source.read(
                start_s=max(_again_s(past), begin_s), end_s=end_s, step_s=step_s
            )
        except PermanentError:
            return self._anew(start_s, end_s, step_s)
        # What is known of a past that is not yet read must be of the same pods as it is.
        self._past = past.with_new(past.as_before(new) if self._resumed else new, begin_s)
        return self._past.demand(begin_s)

    def _anew(self, start_s: float, end_s: float, step_s: float) -> Demand:
        past = _all_of(self._source, start_s, end_s, step_s)
        self._past, self._resumed, self._whole = past, False, None
        return past.demand(start_s)

    def _looked_back(self, start_s: float, end_s: float, step_s: float) -> float:
        """Where demand begins that can be had at once, Unix s; the rest is read meanwhile."""
        if self._whole is None and end_s >= self._again_s:
            beside = self._beside

            def whole() -> _Past:
                return _all_of(beside, start_s, end_s, step_s)

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
    arrivals: SingleSteps  # (n, n_steps and more)
    peak: SingleSteps  # likewise
    capacity: FloatArray
    external: ExternalSeries | None
    quarantined: dict[str, tuple[str, float]]  # by service: why, and since when, Unix s

    @classmethod
    def empty(cls, start_s: float, step_s: float, n_steps: int) -> Self:
        """Of no services, with room for so many steps."""
        none = np.zeros((0, n_steps + SPARE_STEPS), dtype=np.float32)
        return cls(
            services=(),
            start_s=start_s,
            step_s=step_s,
            n_steps=0,
            arrivals=none,
            peak=none,
            capacity=np.zeros(0),
            external=None,
            quarantined={},
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
            external = replace(external, values=external.values[:, first : self.n_steps])
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
        """With the steps of ``new``; of others up to its end nothing is known.

        Its first step counts only where the past begins with it: it does not say what counters had
        before. What began before ``start_s`` may go. Raises LimitError.
        """
        past = self._until(new.end_s, start_s, set(new.services))
        place = {name: row for row, name in enumerate(past.services)}
        rows = np.array([place[name] for name in new.services], dtype=np.int64)
        first = int(past.n_steps > new.n_steps)
        begin = past.n_steps - new.n_steps + first
        for values, new_values in ((past.arrivals, new.arrivals), (past.peak, new.peak)):
            values[rows, begin : past.n_steps] = _rounded_down(new_values[:, first:])
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
            capacity=capacity,
            external=_external(past, new, begin),
            quarantined=quarantined,
        )

    def with_nothing(self, end_s: float) -> "_Past":
        """With gaps up to ``end_s``."""
        return self._until(end_s, self.start_s, set())

    def _until(self, end_s: float, start_s: float, present: set[str]) -> "_Past":
        """With gaps up to ``end_s``, and all services that are ``present``."""
        n_steps = round((end_s - self.start_s) / self.step_s)
        past = self
        if not present <= set(self.services) or n_steps > self.peak.shape[1]:
            past = self._moved(present, start_s, n_steps)
            n_steps = round((end_s - past.start_s) / past.step_s)
        past.arrivals[:, past.n_steps : n_steps] = past.peak[:, past.n_steps : n_steps] = np.nan
        external = past.external
        if external:
            more = (0, 0), (0, n_steps - external.values.shape[1])
            values = np.pad(external.values, more, constant_values=np.nan)
            external = replace(external, values=values)
        return replace(past, n_steps=n_steps, external=external)

    def _moved(self, present: set[str], start_s: float, n_steps: int) -> "_Past":
        """From ``start_s`` on, in new arrays with room for ``n_steps`` and some more.

        Of services that are ``present``, and of others that are known since.
        """
        first = round((start_s - self.start_s) / self.step_s)
        former = {name: row for row, name in enumerate(self.services)}
        kept = {name for name, row in former.items() if self._is_known(row, first)}
        services = tuple(sorted(kept | present))
        width = max(n_steps + SPARE_STEPS, self.peak.shape[1]) - first
        if len(services) * width > HISTORY.most:
            raise LimitError(HISTORY, f"the past of {len(services)} services (read less of it)")
        rows = np.array([former.get(name, -1) for name in services], dtype=np.int64)
        external = self.external
        if external:
            external = replace(external, values=external.values[:, first:])
        return replace(
            self,
            services=services,
            start_s=start_s,
            n_steps=self.n_steps - first,
            arrivals=_roomy(self.arrivals[:, first : self.n_steps], rows, width),
            peak=_roomy(self.peak[:, first : self.n_steps], rows, width),
            capacity=np.append(self.capacity, 1.0)[rows],
            external=external,
        )

    def _is_known(self, row: int, first: int) -> bool:
        return not np.isnan(self.peak[row, first : self.n_steps]).all()


def _all_of(source: DemandSource, start_s: float, end_s: float, step_s: float) -> _Past:
    """All of the past, piece by piece. Raises as the source does, and LimitError.

    A piece of which it knows nothing is a gap, unless it knows nothing of any.
    """
    n_steps = round((end_s - start_s) / step_s)
    past = _Past.empty(start_s, step_s, n_steps)
    ends = [*range(PIECE_STEPS, n_steps, PIECE_STEPS), n_steps]
    unknown: list[UnknownPastError] = []
    for n_read in ends:
        until_s = start_s + n_read * step_s
        try:
            new = source.read(start_s=max(_again_s(past), start_s), end_s=until_s, step_s=step_s)
        except UnknownPastError as error:
            past = past.with_nothing(until_s)
            unknown.append(error)
        else:
            past = past.with_new(new, start_s)
    if len(unknown) == len(ends):
        raise unknown[-1]
    return past


def _again_s(past: _Past) -> float:
    """From when on is asked for again behind a past, Unix s."""
    # One more: of the first step, the counters before it are not known.
    return past.end_s - (OVERLAP_STEPS + 1) * past.step_s


def _rounded_down(values: Steps) -> SingleSteps:
    """In single precision: what pods can take, they still can."""
    rounded = values.astype(np.float32)
    above = rounded > values
    rounded[above] = np.nextafter(rounded[above], np.float32(0))
    return rounded


def _roomy(values: SingleSteps, rows: IntArray, width: int) -> SingleSteps:
    """Some rows, -1 = one of gaps, with room up to a width."""
    roomy = np.full((len(rows), width), np.nan, dtype=np.float32)
    old = np.flatnonzero(rows >= 0)
    for some in np.array_split(old, len(old) // ROWS_AT_ONCE + 1):
        roomy[some, : values.shape[1]] = values[rows[some]]
    return roomy


def _external(past: _Past, new: Demand, begin: int) -> ExternalSeries | None:
    """With what is new of external series from column ``begin`` on, in place."""
    if new.external is None:
        return past.external
    if past.external:
        values = past.external.values
    else:
        values = np.full((len(new.external.names), past.n_steps), np.nan)
    values[:, begin:] = new.external.values[:, new.n_steps - past.n_steps + begin :]
    return replace(new.external, values=values)
