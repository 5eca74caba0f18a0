"""A made fleet of hundreds of services, request by request; seeded, all of it synthetic.

In turn: timers, callers that come again after about as long, office hours, bursts, and callers at
random. It is not what the shipped prior has learned from.
"""

from collections.abc import Callable
from itertools import cycle, islice

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.made.processes import DAY_S, bursts, office_hours, poisson, regular, timer
from benchmarks.simulator.arrivals import Requests

NAMESPACES = ("shop", "billing", "search", "media", "internal")

Kind = Callable[[np.random.Generator, float], FloatArray]  # times of calls in so many s, ascending
KINDS: dict[str, Kind] = {
    "timer": timer,
    "regular": regular,
    "office": office_hours,
    "bursts": bursts,
    "random": poisson,
}


def made_fleet(n_services: int, days: float, seed: int = 0) -> tuple[tuple[str, ...], Requests]:
    """Names "namespace/service", and all requests, from Unix s 0."""
    random = np.random.default_rng(seed)
    names, arrivals, durations = [], [], []
    for i, (kind, make) in enumerate(islice(cycle(KINDS.items()), n_services)):
        at = make(random, days * DAY_S)
        names.append(f"{NAMESPACES[i // len(KINDS) % len(NAMESPACES)]}/{kind}-{i:03}")
        arrivals.append(at)
        durations.append(random.lognormal(np.log(random.choice([0.05, 0.2, 1.0])), 0.5, len(at)))
    return tuple(names), Requests(
        arrival_s=np.concatenate(arrivals),
        service_s=np.concatenate(durations),
        offset=np.concatenate([[0], np.cumsum([len(at) for at in arrivals])]).astype(np.int64),
    )
