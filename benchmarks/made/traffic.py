"""A made workload: its requests, and what else of it is known because it was made."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.files import whole_file
from benchmarks.simulator.arrivals import Requests
from benchmarks.traces.trace import Trace

STEP_S = 60.0


@dataclass(frozen=True, kw_only=True)
class MadeTraffic:
    """Requests of several services from 0 s on; all of it synthetic."""

    name: str  # of its family
    seed: int
    services: tuple[str, ...]  # (n,) "made/..."
    span_s: float  # whole days, s
    requests: Requests
    start_up_from_s: FloatArray  # (c,) s, ascending from 0: when pods' start-up changes
    start_up_s: FloatArray  # (n, c) from creating a pod to ready, from then on
    edges: IntArray  # (m, 2) caller and callee, places in services

    @cached_property
    def trace(self) -> Trace:
        """As it would have been recorded, by the minute."""
        n_steps = int(self.span_s / STEP_S)
        counts, busy_s = np.zeros((2, len(self.services), n_steps))
        for row, (begin, end) in enumerate(pairwise(self.requests.offset)):
            step = (self.requests.arrival_s[begin:end] / STEP_S).astype(np.int64)
            counts[row] = np.bincount(step, minlength=n_steps)
            busy_s[row] = np.bincount(step, self.requests.service_s[begin:end], n_steps)
        return Trace(
            services=self.services,
            start_s=0.0,
            step_s=STEP_S,
            counts=counts,
            duration_s=np.divide(
                busy_s, counts, out=np.full(counts.shape, np.nan), where=counts > 0
            ),
            kind="counts",
        )

    def write(self, path: Path) -> None:
        """Write an event list that `read_trace` reads, with the rest beside it in the same file.

        The same traffic is the same bytes. Raises PermanentError where it cannot be written.
        """
        lengths = np.diff(self.requests.offset)
        with whole_file(path) as file:
            np.savez_compressed(
                file,
                ids=np.array(self.services),
                t_s=self.requests.arrival_s,
                model_idx=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
                exec_time_s=self.requests.service_s,
                span_s=np.array([self.span_s]),
                start_up_from_s=self.start_up_from_s,
                start_up_s=self.start_up_s,
                edges=self.edges,
                made=np.array(f"{self.name}, seed {self.seed}"),
            )
