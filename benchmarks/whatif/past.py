"""What a Prometheus has counted, as a trace to replay; and how much of it is missing."""

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.cli.options import moment
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.replay import OnProgress
from benchmarks.traces.trace import Trace
from learner.sources.counters import Grid
from learner.sources.presence_reader import Presence, PresenceReader
from learner.sources.presets import OwnQueries
from learner.sources.queries import PrometheusServer
from learner.sources.request_reader import OnRecent, PastRequests, RequestReader

DAY_S = 86_400.0
LEAST_HOURS, ENOUGH_DAYS = 0.25, 7.0  # of data: to show how it works, to believe the answer
MANY_GAPS = 0.3  # of the steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Requests, and what is known of where they come from."""

    requests: PastRequests
    ready_pods: FloatArray  # (n_steps,) of all services, recorded at the end of each; NaN = not
    counted_by: str  # in words
    missing: str  # in words; "" = nothing is known to be
    source: str  # a preset's name; "" = the user's own query
    presence: Presence | None  # of single services; None = that is not known

    @property
    def days(self) -> float:
        """From the first step that is known to the last."""
        return float(self.requests.counts.shape[1] * self.requests.step_s / DAY_S)

    @property
    def gaps(self) -> float:
        """Share of the steps of which nothing is known."""
        return float(np.isnan(self.requests.counts).all(axis=0).mean())

    def scored_s(self, asked_s: float) -> float:
        """How much is simulated at its end, whole steps: a third of what there is at most."""
        n_steps = int(self.requests.counts.shape[1])
        return min(int(asked_s // self.requests.step_s), n_steps // 3) * self.requests.step_s

    @property
    def end_s(self) -> float:
        """Unix s."""
        return self.requests.end_s

    def recorded_pod_hours(self, last_steps: int) -> float:
        """Of ready pods, in so many steps at the end; NaN where less than half of it is known."""
        pods = self.ready_pods[-last_steps:]
        known = ~np.isnan(pods)
        if known.mean() < 0.5:
            return np.nan
        return float(pods[known].mean() * len(pods) * self.requests.step_s / 3600)

    def trace(self) -> Trace:
        """As the simulator takes it."""
        r = self.requests
        return Trace(
            services=r.services,
            start_s=r.start_s,
            step_s=r.step_s,
            counts=r.counts,
            duration_s=r.duration_s,
            kind="counts",
        )

    def said(self) -> list[str]:
        """What was found, and what is missing."""
        r = self.requests
        lines = [
            f"{many(len(r.services), 'service')}, {span(self.days)}, {np.nansum(r.counts):,.0f}"
            f" requests, counted by {self.counted_by}."
        ]
        if self.missing:
            lines.append(f"Not known: {self.missing}.")
        if self.days < ENOUGH_DAYS:
            lines.append(
                f"That is little: believe the answer from {ENOUGH_DAYS:g} days on, which there will"
                f" be in {span(ENOUGH_DAYS - self.days)}."
            )
        if self.gaps > 0:
            much = ", which is much" if self.gaps > MANY_GAPS else ""
            lines.append(f"{self.gaps:.1%} of the time Prometheus saw nothing{much}.")
        return lines


def grid_of(history: str, end: str, step_s: float, now_s: float) -> Grid:
    """All points of a past that is asked for. history: such as 14d. end: ISO time; "" = now.

    step_s: s. now_s: Unix s. Raises PermanentError.
    """
    if not (step_s >= 1 and step_s % 1 == 0):
        raise PermanentError(f"step is {step_s:g}; allowed: whole seconds >= 1")
    end_s = (moment(end, now_s) if end else now_s) // step_s * step_s
    number = int(moment(history, 0.0) // step_s)
    if not 0 < number * step_s <= end_s <= now_s:
        raise PermanentError(
            f"history is {history}, until {end or 'now'}; allowed: a time after 1970 that is over"
        )
    return Grid(start_s=int(end_s - number * step_s), step_s=int(step_s), n_points=number + 1)


def many(n: int, what: str) -> str:
    """A number of things.

    >>> many(1, "service"), many(2_000, "service")
    ('1 service', '2,000 services')
    """
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def span(days: float) -> str:
    """In the unit that reads best.

    >>> span(0.0125), span(0.5), span(14.0)
    ('18 minutes', '12.0 hours', '14.0 days')
    """
    if days < 1 / 12:
        return f"{days * 1440:.0f} minutes"
    return f"{days * 24:.1f} hours" if days < 2 else f"{days:.1f} days"


def read_past(
    server: PrometheusServer,
    grid: Grid,
    asked: str | OwnQueries,
    progress: OnProgress,
    on_recent: OnRecent | None = None,
) -> Past:
    """asked: a preset's name, "auto", or queries of the user's own.

    on_recent: called with the last days alone, where a preset counted them, before all is read.
    Raises AutoscalerError where there is too little to learn from and to score.
    """
    reader = RequestReader(server)

    def show(share: float) -> None:
        progress("reading requests", share)

    source, presence = "", None
    if isinstance(asked, OwnQueries):
        read = reader.read_own(asked, grid, show)
        counted_by, missing = "your own query", "" if asked.duration else "how long requests take"
    else:
        progress("looking who counted requests", 0.0)
        preset = reader.found(grid, asked)
        read = reader.read(preset, grid, show, on_recent)
        progress("looking for gaps", 0.0)
        presence = PresenceReader(server).read(
            preset, grid, lambda share: progress("looking for gaps", share)
        )
        read, source = _with_gaps(read, presence), preset.name
        counted_by, missing = f"{preset.title} (--source {preset.name})", preset.missing
    ready_pods = reader.ready_pods(grid)
    progress("reading requests", 1.0)
    requests = _known_part(read)
    past = Past(
        requests=requests,
        ready_pods=ready_pods[len(ready_pods) - requests.counts.shape[1] :],
        counted_by=counted_by,
        missing=missing,
        source=source,
        presence=presence,
    )
    return _enough(past, f"Prometheus at {server.shown_url}")


def _with_gaps(requests: PastRequests, presence: Presence) -> PastRequests:
    """The same, not known where a service's pods were not seen."""
    counts = requests.counts.copy()
    for row, name in enumerate(requests.services):
        if name in presence.missed:
            counts[row, presence.missed[name]] = np.nan
    return replace(requests, counts=counts)


def _known_part(requests: PastRequests) -> PastRequests:
    """Without the steps before the first one that is known, and without services never called."""
    known = np.flatnonzero(~np.isnan(requests.counts).all(axis=0))
    first = int(known[0]) if len(known) else requests.counts.shape[1]
    called = np.flatnonzero(np.nansum(requests.counts, axis=1) > 0)
    return replace(
        requests,
        services=tuple(requests.services[row] for row in called),
        start_s=requests.start_s + first * requests.step_s,
        counts=requests.counts[called, first:],
        duration_s=requests.duration_s[called, first:],
    )


def _enough(past: Past, where: str) -> Past:
    """The same. Raises PermanentError."""
    if not past.requests.services:
        raise PermanentError(
            f"{where} counted no request by {past.counted_by}; allowed: services that are called"
        )
    hours = past.days * 24
    if hours < LEAST_HOURS:
        raise PermanentError(
            f"{where} has {60 * hours:.0f} minutes of requests, counted by {past.counted_by};"
            f" allowed: >= {60 * LEAST_HOURS:g}, which it has in"
            f" {60 * (LEAST_HOURS - hours):.0f} minutes"
        )
    return past
