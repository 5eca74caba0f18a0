"""Workloads: requests, and the demand that a learner would have seen of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from autoscaler.cli.options import moment
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.policies.policies import pod_capacity
from benchmarks.simulator.arrivals import Requests, draw, measure
from benchmarks.traces.trace import Trace, read_trace
from learner.demand import Demand

STEP_S, DAY_STEPS = 60.0, 1440
SERVICE_S = 0.2  # execution time where a trace has none
SEED = 0  # of the arrival times within minutes

Files = Annotated[
    list[Path] | None, typer.Argument(help="Traces; without any, made services.", metavar="FILE...")
]
Until = Annotated[str, typer.Option(help="End of the past: 10d or 36h after a trace's start.")]
End = Annotated[str, typer.Option(help="End of what is walked through; all by default.")]
StartUp = Annotated[float, typer.Option(min=0, help="From creating a pod to ready, s.")]
Concurrency = Annotated[int, typer.Option(min=0, help="Requests that a pod takes; 0 = any number.")]


# (n, n_origins, n_windows) that a service is called within each window, from what came before:
# of origins (n_origins,) Unix s, and edges (n_windows + 1,) s after them.
Law = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Services, their requests, and the pods that serve them."""

    name: str
    requests: Requests
    demand: Demand  # steps of a minute
    first: int  # step at which the past ends
    concurrency: int = 1  # requests in flight that one pod takes; 0 = unlimited
    start_up_s: float = 5.0
    drain_s: float = 30.0
    law: Law | None = None  # by which services were made; None = not known


def recorded(
    path: Path, fit_until: str, end: str = "", *, concurrency: int = 1, start_up_s: float = 5.0
) -> Workload:
    """A trace's requests, arriving at random within their minutes, seeded.

    fit_until, end: of the past, and of the whole; "" = of the trace. Services that were never
    called, or not recorded after the past, are left out. Raises PermanentError.
    """
    trace = read_trace(path)
    if end:
        trace = _until(trace, moment(end, trace.start_s))
    first = int((moment(fit_until, trace.start_s) - trace.start_s) // STEP_S)
    requests = draw(trace, service_s=SERVICE_S, seed=SEED)
    demand = measure(requests, trace, step_s=STEP_S, capacity=pod_capacity(concurrency))
    if not 0 < first < demand.n_steps:
        raise PermanentError(
            f"{path}: fit-until is {fit_until}; allowed: within its {demand.n_steps} minutes"
        )
    # What was not recorded after the past would be scored as silence.
    known = demand.known[:, first:].any(axis=1)
    scored = np.flatnonzero(known & (np.nansum(demand.arrivals, axis=1) > 0))
    return Workload(
        name=path.stem,
        requests=requests.only(scored),
        demand=demand.only(scored),
        first=first,
        concurrency=concurrency,
        start_up_s=start_up_s,
    )


def recorded_all(
    paths: Sequence[Path] | None, fit_until: str, end: str, concurrency: int, start_up_s: float
) -> list[Workload]:
    """Each of some files as `recorded` has it; none = []. Raises PermanentError."""
    return [
        recorded(path, fit_until, end, concurrency=concurrency, start_up_s=start_up_s)
        for path in paths or ()
    ]


def _until(trace: Trace, end_s: float) -> Trace:
    """The steps before Unix s ``end_s``."""
    steps = int((end_s - trace.start_s) // trace.step_s)
    return replace(trace, counts=trace.counts[:, :steps], duration_s=trace.duration_s[:, :steps])
