"""Scenes small enough to plan by hand."""

from collections.abc import Sequence

import numpy as np

from benchmarks.policies.contender import Scene
from benchmarks.policies.policies import configured
from benchmarks.simulator.arrivals import Requests, measure
from benchmarks.traces.trace import Trace


def scene_of(calls: Sequence[Sequence[tuple[float, float]]], n_steps: int, first: int) -> Scene:
    """calls: of each service, when (minutes) and for how long (s); steps of a minute."""
    trace = Trace(
        services=tuple(f"made/{row}" for row in range(len(calls))),
        start_s=0.0,
        step_s=60.0,
        counts=np.zeros((len(calls), n_steps)),
        duration_s=np.full((len(calls), n_steps), np.nan),
        kind="counts",
    )
    requests = Requests(
        arrival_s=np.array([60.0 * at for one in calls for at, _ in one]),
        service_s=np.array([length for one in calls for _, length in one], dtype=np.float64),
        offset=np.cumsum([0, *map(len, calls)]),
    )
    return Scene(
        demand=measure(requests, trace, step_s=60.0, capacity=1.0),
        first=first,
        requests=requests,
        services=configured(1, 5.0, 30.0),
    )
