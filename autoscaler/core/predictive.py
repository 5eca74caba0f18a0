"""From exceedance curves and a price to pods, and to how long they stay.

The k-th pod is worth having through a window iff ``p x price > (1 - p) x hold``: p is the chance
that demand in the window reaches it, price what a cold request costs in seconds of idle pod, hold
the seconds it would idle in vain. So one threshold, ``hold / (hold + price)``, turns a curve into a
demand worth serving. Replicas, keep-alive and scale to zero are the same test: a pod stays while
the window it stands in, or one that begins before it could be started again, is worth it.
For a fixed lead this is the newsvendor quantile.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.forecasts import ForecastBundle, demand_at
from autoscaler.core.revision import SpecArrays
from autoscaler.core.types import FloatArray, IntArray

NO_FORECAST = -1
MOST_PODS = 2**31 - 1  # what Kubernetes can count; an absurd forecast stays a number
TICK_S = 2.0  # s between two decisions: what is due before the next one is due now


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A bundle read at each revision's price; made once per bundle, not per tick."""

    starts_s: FloatArray  # (n_windows,) Unix s
    ends_s: FloatArray  # (n_windows,) Unix s
    demand: FloatArray  # (n_rows, n_windows) requests in flight worth serving; NaN = no forecast
    layout: int  # of the fleet whose rows these are; another's rows get no forecast


def read_at_price(
    bundle: ForecastBundle, service: IntArray, cold_price_s: FloatArray, *, layout: int
) -> Outlook:
    """Read the bundle's curves for the rows of a fleet of that layout.

    service: (n_rows,) each row's index into ``bundle.services``; -1 = not in the bundle.
    cold_price_s: (n_rows,) s of idle pod that one cold request is worth.
    """
    edges = bundle.made_at_s + bundle.window_edges_s
    hold_s = np.diff(edges)
    threshold = hold_s / (hold_s + cold_price_s[:, None])
    curve = np.maximum(service, 0)
    demand = demand_at(bundle.exceedance[curve], bundle.demand_edges[curve], threshold)
    demand[service < 0] = np.nan
    return Outlook(starts_s=edges[:-1], ends_s=edges[1:], demand=demand, layout=layout)


def pods_ahead(outlook: Outlook, demand: FloatArray, spec: SpecArrays, now: FloatArray) -> IntArray:
    """(n,) pods that have to be ready, or on their way, now; -1 = no forecast.

    demand: (n, n_windows) the rows' part of ``outlook.demand``. A window counts from ``lead`` (and
    one tick) before it begins until it ends; after the last one the forecast is stale.
    """
    horizon = now + spec.lead_s + TICK_S
    counts = (outlook.starts_s < horizon[:, None]) & (outlook.ends_s > now[:, None])
    known = counts & ~np.isnan(demand)
    due = np.where(known, demand, 0.0).max(axis=1, initial=0.0)
    pods = np.minimum(np.ceil(due * spec.share / spec.pod_capacity), MOST_PODS)
    fresh = known.any(axis=1) & (now >= outlook.starts_s.min(initial=np.inf))
    return np.where(fresh, pods, NO_FORECAST).astype(np.int64)
