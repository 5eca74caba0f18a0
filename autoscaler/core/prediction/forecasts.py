"""What the learner publishes and the autoscaler reads: exceedance curves of peak demand.

A curve answers, for one service and one window ahead, "how probable is it that more than d requests
are in flight at once?" for a grid of d. A mean could not answer either question that matters: will
anyone come at all, and how high is the crest? Pods follow from the curve for whatever capacity and
price are in force when the decision is made; quantiles are read off it.
"""

from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, no_edges
from autoscaler.core.types import Curves, FloatArray

MOST_NAMED = 10  # of the refused ones; a bundle that is all wrong must not fill a log
QUARANTINED = "quarantined: "  # how the reason of a service begins that was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """How much of a bundle failed a check when it was read; false where nothing did."""

    services: int = 0
    edges: int = 0
    which: tuple[str, ...] = ()  # the first MOST_NAMED of either, and what is wrong with each

    def __bool__(self) -> bool:
        return self.services + self.edges > 0

    def __str__(self) -> str:
        """In one line."""
        left_out = self.services + self.edges - len(self.which)
        more = f"; and {left_out} more" if left_out else ""
        return (
            f"{self.services} services and {self.edges} edges were refused:"
            f" {'; '.join(self.which)}{more}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastBundle:
    """Curves for all services, made at one moment from data up to that moment.

    Window j covers ``[made_at_s + window_edges_s[j], made_at_s + window_edges_s[j + 1])``.
    """

    services: tuple[str, ...]  # (n,) "namespace/service"
    made_at_s: float  # Unix s; the last demand seen ended here
    fitted_at_s: float  # Unix s; the last demand that the models were fitted on ended here
    window_edges_s: FloatArray  # (n_windows + 1,) s after made_at_s, ascending from 0
    demand_edges: FloatArray  # (n, n_cells + 1) requests in flight, from 0 up; the last repeats
    exceedance: Curves  # (n, n_windows, n_cells) P(peak > lower edge); NaN = no forecast
    model: tuple[str, ...]  # (n,) which model speaks for the service; "" = none
    reason: tuple[str, ...]  # (n,) why there is no forecast; "" = there is one
    edges: Edges = field(default_factory=lambda: no_edges(()))  # dependencies, as learned
    refused: Refused = field(default_factory=Refused)  # of what was read

    def demand_at(self, threshold: FloatArray) -> FloatArray:
        """Demand up to which exceedance stays above a threshold: the quantile at 1 - threshold.

        threshold: probabilities, broadcastable to (n, n_windows).
        Returns (n, n_windows) requests in flight: the upper edge of the highest cell that passes,
        0 where none does, NaN where the service has no forecast.
        """
        return demand_at(self.exceedance, self.demand_edges, threshold)


def demand_at(exceedance: Curves, demand_edges: FloatArray, threshold: FloatArray) -> FloatArray:
    """Read curves at thresholds: see `ForecastBundle.demand_at`.

    exceedance: (n, n_windows, n_cells). demand_edges: (n, n_cells + 1) requests in flight.
    threshold: broadcastable to (n, n_windows). Returns (n, n_windows) requests in flight.
    """
    passes = exceedance > np.broadcast_to(threshold, exceedance.shape[:2])[:, :, None]
    reach = np.where(passes, demand_edges[:, None, 1:], 0.0).max(axis=2, initial=0.0)
    return np.where(np.isnan(exceedance).any(axis=2), np.nan, reach)
