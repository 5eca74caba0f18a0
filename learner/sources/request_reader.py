"""Reads past requests from whoever counted them, by what a preset declares.

Prometheus itself adds up what the pods of a service counted in each step: as much is read as there
are services, however many pods came and went. A counter's growth is taken as it is, without the
extrapolation of ``increase()``: minus what it was before, or all of it where it fell (a restart) or
was not there (a pod's counters begin at their first request).

Where Prometheus had nothing from anybody, the step is a gap, and the step after it too: what was
counted in between would be taken for its own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.errors import PermanentError
from autoscaler.limits import COUNT, PAST_REQUESTS
from autoscaler.names import fault_of_name
from autoscaler.refusals import LimitError
from learner.sources.counters import Grid, shown_time
from learner.sources.presets import BY_NAME, PRESETS, READY_PODS, REPLICAS, OwnQueries, Preset
from learner.sources.queries import PrometheusServer, Series

LOOK_BACK = "1h"  # within which a counter is the same one: scrapes may fail for so long
HOUR_S, DAY_S = 3600, 86_400
MOST_NAMED = 5
RECENT_S = 3 * DAY_S  # that say something already, while all that was before is being read
POINTS = 480  # of one query: a day of minutes in three


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRequests:
    """Requests of every service, step by step, by the end of each."""

    services: tuple[str, ...]  # (n,) "namespace/service"
    start_s: float  # Unix s at which the first step begins
    step_s: float  # s
    counts: FloatArray  # (n, n_steps) requests that ended in the step; NaN = gap
    duration_s: FloatArray  # (n, n_steps) mean time that they take, s; NaN = not known

    @property
    def end_s(self) -> float:
        """Unix s at which the last step ends."""
        return self.start_s + int(self.counts.shape[1]) * self.step_s


OnShare = Callable[[float], None]
OnRecent = Callable[[PastRequests], None]


def _ignore(_share: float) -> None:
    """Show no progress."""


class RequestReader:
    """Reads from one server."""

    def __init__(self, server: PrometheusServer) -> None:
        """``server``: best asked for `POINTS` at a time."""
        self._server = server

    def found(self, grid: Grid, source: str = "auto") -> Preset:
        """Who has counted for most of the time. source: a preset's name, or "auto".

        Raises PermanentError where nobody has, with what was looked for and what there is.
        """
        if source != "auto" and source not in BY_NAME:
            raise PermanentError(f"source is {source!r}; allowed: auto, {', '.join(BY_NAME)}")
        names = self._server.metric_names(grid)
        asked = PRESETS if source == "auto" else (BY_NAME[source],)
        hours = {each: self._hours(each, grid) for each in asked if each.metric in names}
        best = max(hours, key=lambda each: hours[each], default=None)
        if best is None or not hours[best]:
            raise PermanentError(self._nothing(asked, names, grid))
        return best

    def read(
        self,
        preset: Preset,
        grid: Grid,
        on_share: OnShare = _ignore,
        on_recent: OnRecent | None = None,
    ) -> PastRequests:
        """What the preset's exporters counted between the points. Raises AutoscalerError.

        on_share: called with the share that is read. on_recent: called with the last days alone, as
        soon as they are read; of them gaps and durations are not known yet.
        """
        query = growth(preset, preset.requests, grid)
        found = self._by_service(preset, query, grid, on_share, on_recent)
        if not found:
            raise PermanentError(self._unnamed(preset.metric, preset.labels))
        services, counts = self._counts(found, grid)
        duration_s = np.full_like(counts, np.nan)
        if preset.seconds:
            # By the hour, as that is read sixty times as fast as by the minute.
            hourly, begin = _hourly(grid)
            took = self._by_service(preset, growth(preset, preset.seconds, hourly), hourly)
            number = np.add.reduceat(counts, begin, axis=1)  # NaN in an hour with a gap
            seconds = preset.unit_s * _rows(took, services, len(begin))
            duration_s = _by_step(_ratio_or_usual(seconds, number), grid)
        return _past(services, counts, duration_s, grid)

    def read_own(self, own: OwnQueries, grid: Grid, on_share: OnShare = _ignore) -> PastRequests:
        """What a user's own queries say, as `read`."""
        found = self._by_service(own, own.requests, grid, on_share)
        if not found:
            raise PermanentError(self._unnamed(own.requests, own.labels))
        services, a_second = self._counts(found, grid)
        duration_s = np.full_like(a_second, np.nan)
        if own.duration:
            hourly, begin = _hourly(grid)
            mean = _rows(self._by_service(own, own.duration, hourly), services, len(begin))
            duration_s = _by_step(_ratio_or_usual(mean, (mean > 0).astype(np.float64)), grid)
        return _past(services, a_second * grid.step_s, duration_s, grid)

    def ready_pods(self, grid: Grid) -> FloatArray:
        """(n_points - 1,) of all services at the end of each step; NaN = not known."""
        pods = np.full(grid.n_points, np.nan)
        for _, series in self._days_back(READY_PODS, grid):
            for _, at_s, values in series:
                pods[grid.place(at_s)] = values
        return pods[1:]

    def _unnamed(self, what: str, labels: Sequence[str]) -> str:
        return (
            f"Prometheus at {self._server.shown_url}: no series of {what} names a service by"
            f" {' and '.join(labels)}"
        )

    def _counts(
        self, found: dict[str, FloatArray], grid: Grid
    ) -> tuple[tuple[str, ...], FloatArray]:
        """Services, and (n, n_steps) values of each; NaN in gaps."""
        services = tuple(sorted(found))
        counts = np.array([found[name] for name in services])
        counts[:, ~self._observed(counts, grid)] = np.nan
        return services, counts

    def _by_service(
        self,
        named: Preset | OwnQueries,
        query: str,
        grid: Grid,
        on_share: OnShare = _ignore,
        on_recent: OnRecent | None = None,
    ) -> dict[str, FloatArray]:
        """(n_points - 1,) a query's values at the end of each step, by service."""
        found: dict[str, FloatArray] = {}
        for first, series in self._days_back(query, grid):
            for labels, at_s, values in series:
                name = named.of([labels.get(label, "") for label in named.labels])
                if fault_of_name(name):
                    continue
                if name not in found:
                    found[name] = np.zeros(grid.n_points - 1)
                    if len(found) * grid.n_points > PAST_REQUESTS.most:
                        raise LimitError(
                            PAST_REQUESTS, f"{len(found)} services (read less of the past)"
                        )
                step = grid.place(at_s) - 1
                sound = (step >= 0) & (values > 0) & (values < COUNT.most)
                np.add.at(found[name], step[sound], values[sound])
            on_share(1 - first / grid.n_points)
            if on_recent and first and (grid.n_points - first) * grid.step_s >= RECENT_S:
                on_recent(_recent(found, grid, first))
                on_recent = None
        return found

    def _days_back(self, query: str, grid: Grid) -> Iterator[tuple[int, list[Series]]]:
        """What a query says, day by day from the last to the first: its first point, its series.

        Prometheus looks for each series at each point of a query, and a pod that lived for two
        minutes is one: all of two weeks at once would take it many times as long.
        """
        size = max(DAY_S // grid.step_s, 1)
        first = range(0, grid.n_points, size)[::-1]
        return zip(first, self._server.parts(query, grid.pieces(size)[::-1]), strict=True)

    def _observed(self, counts: FloatArray, grid: Grid) -> BoolArray:
        """(n_steps,) whether Prometheus saw anything in a step and in the one before it."""
        seen = np.zeros(grid.n_points, dtype=np.bool_)
        for _, series in self._days_back(f"count(last_over_time(up[{grid.window}]))", grid):
            for _, at_s, _ in series:
                seen[grid.place(at_s)] = True
        if not seen.any():  # whoever wrote the series wrote nothing of the scrapes
            seen[:] = True
        # What the counters had before is taken for the first step's.
        first = np.append(counts.any(axis=0), True).argmax()
        seen[: first + 1] = False
        return np.asarray(seen[1:] & seen[:-1])

    def _hours(self, preset: Preset, grid: Grid) -> int:
        """In how many hours it was exported."""
        number = max((grid.last_s - grid.start_s) // HOUR_S, 1)
        hourly = Grid(start_s=grid.last_s - number * HOUR_S, step_s=HOUR_S, n_points=number + 1)
        query = f"count(last_over_time({preset.requests}[{hourly.window}]))"
        days = self._days_back(query, hourly)
        return sum(len(values) for _, series in days for _, _, values in series)

    def _nothing(self, asked: Sequence[Preset], names: Sequence[str], grid: Grid) -> str:
        """That nobody counted requests: what was looked for, and what there is."""
        wanted = [preset.metric for preset in asked]
        near = {name for each in wanted for name in get_close_matches(each, names, n=2)}
        there = f"nearest are {', '.join(sorted(near)[:MOST_NAMED])}" if near else "none is near"
        return (
            f"Prometheus at {self._server.shown_url} has {len(names)} metrics from"
            f" {shown_time(grid.start_s)} to {shown_time(grid.last_s)}, and none of"
            f" {', '.join(wanted)}; {there}. Knative's queue-proxies export theirs where"
            " config-observability has request-metrics-protocol: prometheus"
        )


def growth(preset: Preset, selector: str, grid: Grid) -> str:
    """PromQL: how much a counter grew in the step before each point, by service."""
    window, labels = grid.window, ", ".join(preset.labels)
    now = f"last_over_time({selector}[{window}])"
    before = f"last_over_time({selector}[{LOOK_BACK}] offset {grid.step_s}s)"
    grown = f"max without ({REPLICAS}) (({now} - {before} >= 0) or {now})"
    if preset.pods:
        grown += (
            f" * on (job, instance, pod) group_left ({labels})"
            f" max by (job, instance, pod, {labels}) (last_over_time({preset.pods}[{window}]))"
        )
    return f"sum by ({labels}) ({grown})"


def _ratio_or_usual(over: FloatArray, under: FloatArray) -> FloatArray:
    """Elementwise (n, k); that of a row's sums where it is not known, NaN where none is."""
    known = (under > 0) & (over > 0)
    total = [np.where(known, each, 0.0).sum(axis=1, keepdims=True) for each in (over, under)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(known, over / under, np.where(total[1] > 0, total[0] / total[1], np.nan))


def _hourly(grid: Grid) -> tuple[Grid, IntArray]:
    """A grid of hours from the same start on, and the first step of each."""
    steps = max(HOUR_S // grid.step_s, 1)
    begin = np.arange(0, grid.n_points - 1, steps)
    return Grid(start_s=grid.start_s, step_s=steps * grid.step_s, n_points=len(begin) + 1), begin


def _by_step(hours: FloatArray, grid: Grid) -> FloatArray:
    """(n, n_steps) of values (n, n_hours)."""
    steps = max(HOUR_S // grid.step_s, 1)
    return np.repeat(hours, steps, axis=1)[:, : grid.n_points - 1]


def _rows(found: dict[str, FloatArray], services: Sequence[str], length: int) -> FloatArray:
    """(n, length) of all services; 0 where nothing was found."""
    none = np.zeros(length)
    return np.array([found.get(name, none) for name in services])


def _past(
    services: tuple[str, ...], counts: FloatArray, duration_s: FloatArray, grid: Grid
) -> PastRequests:
    return PastRequests(
        services=services,
        start_s=float(grid.start_s),
        step_s=float(grid.step_s),
        counts=counts,
        duration_s=duration_s,
    )


def _recent(found: dict[str, FloatArray], grid: Grid, first: int) -> PastRequests:
    """The steps after point ``first``, of all services found so far."""
    services = tuple(sorted(found))
    counts = np.array([found[name][first:] for name in services]).reshape(len(services), -1)
    recent = grid.piece(first, grid.n_points - first)
    return _past(services, counts, np.full_like(counts, np.nan), recent)
