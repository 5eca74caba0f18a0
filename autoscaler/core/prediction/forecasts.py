"""Forecasts, as the learner publishes them: exceedance curves of peak demand.

A curve holds, for one service and one window ahead, the probability that more than d requests are
in flight at once, for a grid of d. Unlike a mean it says whether there will be any request, and how
high the peak is. Pods follow from the curve at the capacity and price in force when the decision is
made; quantiles are read off it.
"""

from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, no_edges
from autoscaler.core.types import Curves, FloatArray

MOST_NAMED = 10  # refused services and edges in a message, which bounds a log line
QUARANTINED = "quarantined: "  # prefix of the reason of a refused service


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What of a bundle failed a check when it was read; false if nothing did."""

    services: int = 0
    edges: int = 0
    which: tuple[str, ...] = ()  # the first MOST_NAMED of either, and what is wrong with each

    def __bool__(self) -> bool:
        return self.services + self.edges > 0

    def __str__(self) -> str:
        """One line."""
        left_out = self.services + self.edges - len(self.which)
        more = f"; and {left_out} more" if left_out else ""
        return (
            f"{self.services} services and {self.edges} edges were refused:"
            f" {'; '.join(self.which)}{more}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastBundle:
    """Curves for all services, made at one time from data up to that time.

    Window j covers ``[made_at_s + window_edges_s[j], made_at_s + window_edges_s[j + 1])``.
    """

    services: tuple[str, ...]  # (n,) "namespace/service"
    made_at_s: float  # Unix s; end of the last demand seen
    fitted_at_s: float  # Unix s; end of the last demand that the models were fitted on
    window_edges_s: FloatArray  # (n_windows + 1,) s after made_at_s, ascending from 0
    demand_edges: FloatArray  # (n, n_cells + 1) requests in flight, from 0 up; the last repeats
    exceedance: Curves  # (n, n_windows, n_cells) P(peak > lower edge); NaN = no forecast
    model: tuple[str, ...]  # (n,) which models forecast the service; "" = none
    reason: tuple[str, ...]  # (n,) why there is no forecast; "" = there is one
    edges: Edges = field(default_factory=lambda: no_edges(()))  # learned dependencies
    refused: Refused = field(default_factory=Refused)  # left out when it was read

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
    threshold: broadcastable to (n, n_windows), or (n, n_windows, n_cells), one of each cell.
    Returns (n, n_windows) requests in flight.
    """
    if threshold.ndim < exceedance.ndim:
        threshold = np.broadcast_to(threshold, exceedance.shape[:2])[:, :, None]
    passes = exceedance > threshold
    demand = np.where(passes, demand_edges[:, None, 1:], 0.0).max(axis=2, initial=0.0)
    return np.where(np.isnan(exceedance).any(axis=2), np.nan, demand)
