"""What a Prometheus has counted, as a trace to replay; and how much of it is missing."""

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.errors import PermanentError
from benchmarks.replay import OnProgress
from benchmarks.traces.trace import Trace
from learner.sources.counters import Grid
from learner.sources.presets import OwnQueries
from learner.sources.queries import PrometheusServer
from learner.sources.request_reader import PastRequests, RequestReader

DAY_S = 86_400.0
LEAST_HOURS = 12.0  # of data: below, there is nothing to learn from
MANY_GAPS = 0.3  # of the steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Requests, and what is known of where they come from."""

    requests: PastRequests
    counted_by: str  # in words
    missing: str  # in words; "" = nothing is known to be

    @property
    def days(self) -> float:
        """From the first step that is known to the last."""
        return float(self.requests.counts.shape[1] * self.requests.step_s / DAY_S)

    @property
    def gaps(self) -> float:
        """Share of the steps that are not known."""
        return float(np.isnan(self.requests.counts[0]).mean())

    def scored_from(self, scored_s: float) -> float:
        """Unix s from which so much is scored, a third of what there is at most."""
        r = self.requests
        n_steps = int(r.counts.shape[1])
        scored = min(int(scored_s // r.step_s), n_steps // 3)
        return r.start_s + (n_steps - scored) * r.step_s

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
            f"{len(r.services):,} services, {self.days:.1f} days, {np.nansum(r.counts):,.0f}"
            f" requests, counted by {self.counted_by}."
        ]
        if self.missing:
            lines.append(f"Not known: {self.missing}.")
        if self.gaps > 0:
            much = ", which is much" if self.gaps > MANY_GAPS else ""
            lines.append(f"{self.gaps:.1%} of the time Prometheus saw nothing{much}.")
        return lines


def read_past(
    server: PrometheusServer, grid: Grid, asked: str | OwnQueries, progress: OnProgress
) -> Past:
    """asked: a preset's name, "auto", or queries of the user's own.

    Raises AutoscalerError where there is too little to learn from and to score.
    """
    reader = RequestReader(server)

    def show(share: float) -> None:
        progress("reading requests", share)

    if isinstance(asked, OwnQueries):
        read = reader.read_own(asked, grid, show)
        missing = "" if asked.duration else "how long requests take"
        past = Past(requests=read, counted_by="your own query", missing=missing)
    else:
        progress("looking who counted requests", 0.0)
        preset = reader.found(grid, asked)
        past = Past(
            requests=reader.read(preset, grid, show),
            counted_by=f"{preset.title} (--source {preset.name})",
            missing=preset.missing,
        )
    progress("reading requests", 1.0)
    past = replace(past, requests=_known_part(past.requests))
    return _enough(past, f"Prometheus at {server.shown_url}")


def _known_part(requests: PastRequests) -> PastRequests:
    """Without the steps before the first one that is known, and without services never called."""
    known = np.flatnonzero(~np.isnan(requests.counts[0]))
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
            f"{where} has {hours:.1f} hours of requests, counted by {past.counted_by}; allowed: >="
            f" {LEAST_HOURS:g}, which it has in {LEAST_HOURS - hours:.1f} hours"
        )
    return past
