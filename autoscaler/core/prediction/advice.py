"""Advice: forecasts and paths resolved for the rows of a fleet, as numbers that a tick can compare.

Knative's rule needs none. Advice is made outside the controller (from forecasts, prices and the
dependency graph) and resolved for one layout of the fleet; for another layout it is ignored until
it is resolved again.
"""

from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Which services are called when others are; (m,) each, between indices of services.

    A path is a chain of edges of the dependency graph: its upstream's calls lead to calls of its
    downstream, with any number of services in between.
    """

    upstream: IntArray  # index of a service
    downstream: IntArray  # index of a service
    probability: FloatArray  # that downstream is called about lag_s after a start of upstream
    confidence: FloatArray  # that the path is no coincidence, 0 ... 1
    gain: FloatArray  # calls downstream that a call upstream brings
    lag_s: FloatArray  # s from the call upstream to the call downstream
    upstreams: IntArray = field(init=False)  # (k,) each service that is an upstream, once

    def __post_init__(self) -> None:
        """Compute the upstreams once: they are read with every statistic."""
        object.__setattr__(self, "upstreams", np.unique(self.upstream))

    def __len__(self) -> int:
        return len(self.upstream)


NO_PATHS = Paths(
    upstream=np.zeros(0, np.int64),
    downstream=np.zeros(0, np.int64),
    probability=np.zeros(0),
    confidence=np.zeros(0),
    gain=np.zeros(0),
    lag_s=np.zeros(0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Forecasts at each revision's price, and paths between services, for a fleet's rows."""

    starts_s: FloatArray  # (n_windows,) Unix s
    ends_s: FloatArray  # (n_windows,) Unix s
    # (n_rows, n_windows) requests in flight; NaN = no forecast:
    worth_starting: FloatArray  # that pods are worth starting for
    worth_keeping: FloatArray  # that pods which stand are worth keeping for
    called: FloatArray  # (n_rows, n_windows) probability of any request; NaN = no forecast
    paths: Paths  # between rows of the fleet's services
    layout: int  # of the fleet
    withdrawn: BoolArray | None = None  # (n_rows,) whose forecasts are not applied; None = no one's

    @property
    def middles_s(self) -> FloatArray:
        """(n_windows,) Unix s at which a need in each is expected."""
        return (self.starts_s + self.ends_s) / 2


def no_advice(n_rows: int, layout: int) -> Advice:
    """Neither forecasts nor paths: Knative's rule alone."""
    none, no_demand = np.zeros(0), np.zeros((n_rows, 0))
    return Advice(
        starts_s=none,
        ends_s=none,
        worth_starting=no_demand,
        worth_keeping=no_demand,
        called=no_demand,
        paths=NO_PATHS,
        layout=layout,
    )
