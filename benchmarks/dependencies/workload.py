"""A synthetic workload: call graphs under synthetic arrivals, so that what is true is known."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.traces.call_graphs import sample_graphs
from benchmarks.traces.synthetic_calls import SyntheticCalls, draw_arrivals, follow_graphs

DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Size and arrivals of the workload."""

    entries: int  # entry points drawn
    days: float
    per_hour: float  # median requests of an entry
    jitter_s: float  # typical delay of a timer

    @property
    def span_s(self) -> float:
        """Its length, s."""
        return self.days * DAY_S

    def calls(self, graphs: list[dict[str, Any]], rng: np.random.Generator) -> SyntheticCalls:
        """Calls of the graphs' services, as drawn."""
        sampled = sample_graphs(graphs, self.entries, rng)
        arrivals = draw_arrivals(
            sampled.n_entries,
            self.span_s,
            rng,
            per_hour=self.per_hour,
            jitter_s=self.jitter_s,
        )
        return follow_graphs(sampled, *arrivals, rng)
