"""Reads demand from Prometheus, or from anything with its query API.

Arrivals are a counter, read raw at every step's end and differenced by `counters`. The greatest
number in flight is a gauge that the autoscaler exports once a step; a step without it was not
observed. Where either has no sample the step is a gap, never a zero. What a pod takes is a gauge
too, of which the newest sample counts.

What is exported is of the seconds before: two pass until a second is counted, and until a scrape
shows it as much as lies between two scrapes. So a step is read a little after its end
(`shown_after_s`): else what came in its last seconds would count as the next step's, and pods would
be started for it when it is over.

A step is what happened in (t, t + step]. Prometheus 2 closes the window of a range selector on both
sides and Prometheus 3 leaves the left side open; one millisecond less than a step means the same to
both, as samples lie on whole milliseconds.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoscaler.access import Access
from autoscaler.core.demand import MOST_DELAY_S
from autoscaler.core.state.services import SHORT_PEAK_S
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.health import Health
from autoscaler.limits import COUNT, HISTORY, POD_CAPACITY, SERVICE_SERIES
from autoscaler.names import fault_of_name
from autoscaler.refusals import LimitError
from learner.demand import Demand, UnknownPastError
from learner.sources.counters import (
    Grid,
    Instances,
    Labels,
    Sample,
    arrivals_of,
    peak_of,
    sample_on,
    shown_time,
)
from learner.sources.quarantine import Quarantine, impossible, sound_demand
from learner.sources.queries import MAX_POINTS, MAX_POINTS_PER_SERIES, TIMEOUT_S, PrometheusServer
from learner.status import LearnerStatus

SHORT_STEP_S = 30.0  # below, what a gauge shows for 15 s is seen in steps that it is not of
LEAST_CAPACITY = 0.01  # requests in flight: the least target that Knative takes
CAPACITY_STEPS = 60  # at the end, of which the newest sample of a pod's capacity counts
LATEST_S = 253_402_300_799  # the last second of the year 9999

Series = dict[str, Instances]  # by "namespace/service"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings:
    """Queries, and how much is asked at a time."""

    requests_query: str = "last_over_time(kn_ahead_requests_total[$step])"
    """A counter of arrivals at a step's end, with labels namespace and service."""

    peak_query: str = "max_over_time(kn_ahead_peak_in_flight[$step])"
    """The greatest number of requests in flight during the step, with the same labels."""

    short_peak_query: str = "max_over_time(kn_ahead_short_peak_in_flight[$step])"
    """The same for steps shorter than `SHORT_STEP_S`, if Prometheus scrapes once a step."""

    capacity_query: str = "last_over_time(kn_ahead_pod_capacity[$step])"
    """Requests in flight that one pod takes, with the same labels; asked of the last steps."""

    max_points_per_series: int = MAX_POINTS_PER_SERIES
    """Points a series in one answer; Prometheus refuses more than this."""

    max_points: int = MAX_POINTS
    """Points in one answer over all series: about 15 MB of text."""

    timeout_s: float = TIMEOUT_S
    """Time without a byte from the server, s, after which a query is tried again."""

    min_steps: int = 2
    """Fewest steps with data; with fewer, reading fails."""


class PrometheusReader:
    """Past demand of all services that a Prometheus server knows."""

    def __init__(
        self,
        url: str,
        *,
        capacity: float,
        settings: PrometheusSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
        status: LearnerStatus | None = None,
        access: Access | None = None,
    ) -> None:
        """Capacity: requests in flight that one pod takes, where Prometheus does not say."""
        self._status = status or LearnerStatus()
        self._faults = Health()
        self._capacity, self._known_capacity = capacity, dict[str, float]()
        self._settings = settings or PrometheusSettings()
        self._server = PrometheusServer(
            url,
            points=(self._settings.max_points_per_series, self._settings.max_points),
            timeout_s=self._settings.timeout_s,
            sleep=sleep,
            status=self._status,
            access=access,
        )
        self.shown_url = self._server.shown_url

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        """Demand over [start_s, end_s), in steps of step_s; all three are whole seconds.

        Arrivals are NaN too where the peak is: such a step was not observed. Impossible samples are
        a gap of their service, which is named in ``quarantined``. Raises TransientError where
        Prometheus stays unreachable, slow or overloaded after retries, PermanentError where it
        refuses, answers something else or too much, knows no such series or has too few steps.
        """
        grid = _grid(start_s, end_s, step_s)
        quarantine = Quarantine()
        counters = self._series(self._settings.requests_query, grid, quarantine)
        short = step_s < SHORT_STEP_S
        asked = self._settings.short_peak_query if short else self._settings.peak_query
        gauges = self._series(asked, grid, quarantine)
        services = tuple(sorted(counters.keys() | gauges.keys()))
        for series in (counters, gauges):
            for service, instances in series.items():
                if len(instances) > SERVICE_SERIES.most:
                    self._status.refuse(SERVICE_SERIES, service)
                    quarantine.excluded[service] = f"{len(instances)} series"
        for service in quarantine.excluded:
            counters[service], gauges[service] = {}, {}
        peak = np.array([peak_of(gauges.get(name, {}), grid.n_points) for name in services])
        arrivals = np.array(
            [arrivals_of(counters.get(name, {}), grid.n_points) for name in services]
        )
        # Of a short request no scrape may have seen anything, which still needed a pod.
        peak = np.where((peak == 0) & (arrivals > 0), np.minimum(arrivals, 1.0), peak)
        demand = sound_demand(
            services=services,
            start_s=start_s,
            step_s=step_s,
            arrivals=arrivals,
            peak=peak,
            capacity=self._capacities(services, grid),
            quarantine=quarantine,
        )
        for limit, n in quarantine.refused.items():
            self._status.refuse(limit, f"samples of {self.shown_url}", n)
        self._check_length(demand)
        return demand

    def _series(self, query: str, grid: Grid, quarantine: Quarantine) -> Series:
        """All samples on the grid, asked for in pieces that the server accepts."""
        query = _over_a_step(query, grid)
        series: Series = defaultdict(lambda: defaultdict(list))
        for first, piece, answer in self._server.pieces(query, grid):
            for service, labels, (points, values) in self._parse(answer, query, piece, quarantine):
                series[service][labels].append((points + first, values))
            if len(series) * grid.n_points > HISTORY.most:
                raise LimitError(HISTORY, f"the past of {len(series)} services (read less of it)")
        if not series:
            raise UnknownPastError(
                f"Prometheus at {self.shown_url} has no series for {query} from"
                f" {shown_time(grid.start_s)} to {shown_time(grid.last_s)}. They come from"
                " kn-ahead's Service autoscaler, port 9090; kn-ahead whatif reads what others count"
            )
        return series

    def _capacities(self, services: Sequence[str], grid: Grid) -> FloatArray:
        """(n,) requests in flight that one pod takes: as last said, of whom it was said."""
        number = min(grid.n_points, CAPACITY_STEPS + 1)
        last = grid.piece(grid.n_points - number, number)
        newest: dict[str, tuple[float, float]] = {}  # by service: when, and what
        for labels, times, values in self._server.series(
            _over_a_step(self._settings.capacity_query, grid), last
        ):
            service = f"{dict(labels).get('namespace')}/{dict(labels).get('service')}"
            sound = np.flatnonzero(values > 0)
            if len(sound):
                value = np.clip(values[sound[-1]], LEAST_CAPACITY, POD_CAPACITY.most)
                said = float(times[sound[-1]]), float(value)
                newest[service] = max(newest.get(service, said), said)
        known = self._known_capacity | {name: value for name, (_, value) in newest.items()}
        self._known_capacity = {name: known[name] for name in services if name in known}
        return np.array([known.get(name, self._capacity) for name in services])

    def _parse(
        self, answer: list[Any], query: str, piece: Grid, quarantine: Quarantine
    ) -> Iterator[tuple[str, Labels, Sample]]:
        """The valid series of an answer; the services of the others are quarantined."""
        nameless = ""  # what is wrong with the first series that names no service
        seen: set[Labels] = set()
        for one in answer:
            try:
                labels = self._server.labels_of(one)
                service = _service(labels)
            except (ValueError, TypeError, LookupError) as error:
                nameless = nameless or str(error)
                continue
            key = tuple(sorted(labels.items()))
            sample: Sample = np.zeros(0, dtype=np.int64), np.zeros(0)
            try:
                if key in seen:
                    raise ValueError("a series twice; allowed: once")
                sample = sample_on(one["values"], piece)
            except (ValueError, TypeError, LookupError, OverflowError) as error:
                quarantine.excluded[service] = f"bad samples: {error!s:.100}"
            seen.add(key)
            points, values = sample
            sound = ~(np.isnan(values) | impossible(values))
            quarantine.add(service, COUNT, values[~sound])
            yield service, key, (points[sound], values[sound])
        if nameless and not seen:
            raise PermanentError(f"Prometheus at {self.shown_url} answered {query} with {nameless}")
        fault = f"left out {nameless}" if nameless else ""
        self._faults.report(f"Prometheus at {self.shown_url}, {query}", fault, self._status.now())

    def _check_length(self, demand: Demand) -> None:
        n_known = int(demand.known.any(axis=0).sum())
        if n_known < self._settings.min_steps:
            cause = [f"; {name}: {why}" for name, why in demand.quarantined.items()][:1]
            raise UnknownPastError(
                f"Prometheus at {self.shown_url} has {n_known} steps with data from"
                f" {shown_time(demand.start_s)} to {shown_time(demand.end_s)};"
                f" allowed: >= {self._settings.min_steps}{''.join(cause)}"
            )


def shown_after_s(step_s: float) -> float:
    """How long after a step what happened in it is shown, whole s; shorter than the step.

    Of short steps all of it is, if Prometheus scrapes once in `SHORT_PEAK_S`; what came just before
    a step then counts as the step's too. Of longer ones this would be as long as a scrape interval,
    and make a call at the full minute one of the minute before: so some of it is shown later.
    """
    shown_s = MOST_DELAY_S + (SHORT_PEAK_S if step_s < SHORT_STEP_S else 0)
    return min(shown_s, step_s - 1.0)


def _over_a_step(query: str, grid: Grid) -> str:
    window = f"{grid.window}]"
    if shown_s := int(shown_after_s(grid.step_s)):
        window += f" offset -{shown_s}s"
    return query.replace("$step]", window)


def _service(labels: dict[str, str]) -> str:
    """The service of a series. Raises ValueError where its labels name none."""
    namespace, service = labels.get("namespace", ""), labels.get("service", "")
    name = f"{namespace}/{service}"
    if "/" in namespace or fault_of_name(name):
        raise ValueError(f"{str(labels)[:200]}; allowed: with namespace, service")
    return name


def _grid(start_s: float, end_s: float, step_s: float) -> Grid:
    if not (step_s >= 1 and float(step_s).is_integer()):
        raise PermanentError(f"step_s is {step_s}; allowed: whole seconds >= 1")
    in_time = 0 <= start_s < end_s <= LATEST_S
    if not (in_time and float(start_s).is_integer() and (end_s - start_s) % step_s == 0):
        raise PermanentError(
            f"the range is {start_s} to {end_s};"
            f" allowed: whole seconds since 1970, a multiple of {step_s} s long"
        )
    n_points = int((end_s - start_s) // step_s) + 1  # both ends: a step lies between two points
    return Grid(start_s=int(start_s), step_s=int(step_s), n_points=n_points)
