"""Reads demand from Prometheus, or from anything that speaks its query API.

Arrivals are a counter, read raw at every step's end and differenced by ``counters.py``. The
greatest number in flight is a gauge that the autoscaler exports once a step; it also says whether a
step was watched at all. Where either has no sample the step is a gap, never a zero.

A step is what happened in (t, t + step]. Prometheus 2 closes the window of a range selector on both
sides and Prometheus 3 leaves the left side open; one millisecond less than a step means the same to
both, as samples lie on whole milliseconds.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from autoscaler.errors import PermanentError
from learner.counters import Grid, Instances, Labels, Sample, arrivals_of, peak_of, sample_on
from learner.demand import Demand
from learner.queries import MAX_POINTS, MAX_POINTS_PER_SERIES, TIMEOUT_S, PrometheusServer

LATEST_S = 253_402_300_799  # the last second of the year 9999

Series = dict[str, Instances]  # by "namespace/service"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings:
    """What is asked, and how much at a time."""

    requests_query: str = "last_over_time(kn_ahead_requests_total[$step])"
    """A counter of arrivals at a step's end, with labels namespace and service."""

    peak_query: str = "max_over_time(kn_ahead_peak_in_flight[$step])"
    """The greatest number of requests in flight during the step, with the same labels."""

    max_points_per_series: int = MAX_POINTS_PER_SERIES
    """Points a series in one answer; Prometheus refuses more than this."""

    max_points: int = MAX_POINTS
    """Points in one answer over all series: about 15 MB of text."""

    timeout_s: float = TIMEOUT_S
    """Longest silence of the server, s, before a query is tried again."""

    min_steps: int = 2
    """Fewest steps with data that are worth returning."""


class PrometheusReader:
    """Past demand of all services that a Prometheus server knows."""

    def __init__(
        self,
        url: str,
        *,
        capacity: float,
        settings: PrometheusSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Capacity: requests in flight that one pod takes, for every service."""
        self._capacity = capacity
        self._settings = settings or PrometheusSettings()
        self._server = PrometheusServer(
            url,
            max_points_per_series=self._settings.max_points_per_series,
            max_points=self._settings.max_points,
            timeout_s=self._settings.timeout_s,
            sleep=sleep,
        )
        self.shown_url = self._server.shown_url

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        """Demand over [start_s, end_s), in steps of step_s; all three are whole seconds.

        Arrivals are NaN too where the peak is: such a step was not watched. Raises TransientError
        where Prometheus stays unreachable or overloaded after retries, PermanentError where it
        refuses, answers something else, knows no such series or has too few steps.
        """
        grid = _grid(start_s, end_s, step_s)
        counters = self._series(self._settings.requests_query, grid)
        gauges = self._series(self._settings.peak_query, grid)
        services = tuple(sorted(counters.keys() | gauges.keys()))
        peak = np.array([peak_of(gauges.get(name, {}), grid.n_points) for name in services])
        arrivals = np.array(
            [arrivals_of(counters.get(name, {}), grid.n_points) for name in services]
        )
        demand = Demand(
            services=services,
            start_s=start_s,
            step_s=step_s,
            arrivals=np.where(np.isnan(peak), np.nan, arrivals),
            peak=peak,
            capacity=np.full(len(services), self._capacity),
        )
        self._check_length(demand)
        return demand

    def _series(self, query: str, grid: Grid) -> Series:
        """All samples on the grid, asked for in pieces that the server accepts."""
        query = query.replace("$step", f"{grid.step_s * 1000 - 1}ms")
        series: Series = defaultdict(lambda: defaultdict(list))
        for first, piece, answer in self._server.pieces(query, grid):
            for service, labels, (points, values) in self._parse(answer, query, piece):
                series[service][labels].append((points + first, values))
        if not series:
            raise PermanentError(
                f"Prometheus at {self.shown_url} has no series for {query} from"
                f" {_shown_time(grid.start_s)} to {_shown_time(grid.last_s)}"
            )
        return series

    def _parse(self, answer: Any, query: str, piece: Grid) -> Iterator[tuple[str, Labels, Sample]]:
        where = f"Prometheus at {self.shown_url} answered {query} with"
        if not isinstance(answer, list):
            raise PermanentError(f"{where} no list of series; allowed: a matrix")
        seen = set()
        for one in answer:
            if not isinstance(one, dict) or not isinstance(one.get("values"), list):
                raise PermanentError(f"{where} a result that is no series; allowed: a matrix")
            metric = one.get("metric")
            if not isinstance(metric, dict) or not (
                metric.get("namespace") and metric.get("service")
            ):
                raise PermanentError(f"{where} {metric}; allowed: with namespace, service")
            namespace, service = metric["namespace"], metric["service"]
            labels = tuple(sorted(metric.items()))
            if labels in seen:
                raise PermanentError(f"{where} {namespace}/{service} twice; allowed: once")
            seen.add(labels)
            try:
                sample = sample_on(one["values"], piece)
            except (ValueError, TypeError, LookupError) as error:
                message = f"{where} bad samples of {namespace}/{service}: {error}"
                raise PermanentError(message) from error
            yield f"{namespace}/{service}", labels, sample

    def _check_length(self, demand: Demand) -> None:
        n_known = int(demand.known.any(axis=0).sum())
        if n_known < self._settings.min_steps:
            raise PermanentError(
                f"Prometheus at {self.shown_url} has {n_known} steps with data from"
                f" {_shown_time(demand.start_s)} to {_shown_time(demand.end_s)};"
                f" allowed: >= {self._settings.min_steps}"
            )


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


def _shown_time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat()
