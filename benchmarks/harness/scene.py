"""What contenders plan for: a trace's services, with one draw of their requests' arrival times."""

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.cli.options import moment
from autoscaler.errors import PermanentError
from benchmarks.harness.settings import BenchSettings
from benchmarks.policies.contender import Scene
from benchmarks.policies.policies import configured
from benchmarks.simulator.arrivals import draw, measure
from benchmarks.traces.trace import Trace

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a benchmark: one trace, and one draw of its arrival times."""

    trace: Trace
    name: str  # of the trace
    seed: int  # of the arrival times within steps
    settings: BenchSettings


def scene_of(part: Part) -> Scene:
    """What is planned for. Raises PermanentError where nothing is left to be scored."""
    settings, trace = part.settings, part.trace
    if settings.end:
        trace = _until(trace, moment(settings.end, trace.start_s))
    called = np.flatnonzero(np.nansum(trace.counts, axis=1) > 0)
    if not len(called):
        raise PermanentError(f"{part.name} has no request; allowed: a trace with some")
    trace = replace(
        trace,
        services=tuple(trace.services[row] for row in called),
        counts=trace.counts[called],
        duration_s=trace.duration_s[called],
    )
    own = configured(settings.concurrency, settings.start_up_s, settings.drain_s)
    requests = draw(trace, service_s=settings.service_s, seed=part.seed)
    capacity = own.revision.pod_capacity
    demand = measure(requests, trace, step_s=settings.step_s, capacity=capacity)
    first = int((moment(settings.fit_until, trace.start_s) - trace.start_s) // settings.step_s)
    least = int(settings.warm_up_s // settings.step_s)
    if not 0 < first < demand.n_steps - least:
        raise PermanentError(
            f"{part.name}: fit-until is {settings.fit_until}; allowed: within its"
            f" {demand.n_steps * settings.step_s / DAY_S:.2f} days, and"
            f" {settings.warm_up_s / 60:g} minutes before their end"
        )
    return Scene(demand=demand, first=first, requests=requests, services=own)


def _until(trace: Trace, end_s: float) -> Trace:
    """The steps before Unix s ``end_s``."""
    steps = int((end_s - trace.start_s) // trace.step_s)
    return replace(trace, counts=trace.counts[:, :steps], duration_s=trace.duration_s[:, :steps])
