"""From exceedance curves and a price to pods, and to how long they stay.

The k-th pod is worth having through a window iff ``p x price > (1 - p) x hold``: p is the
probability that demand in the window reaches it, price the cost of a cold request in seconds of
idle pod, hold the seconds that the pod would idle in vain. So one threshold,
``hold / (hold + price)``, turns a curve into a demand worth serving. Scale up, keep-alive and scale
to zero are the same test: a pod stays while the present window, or one that begins before the pod
could be started again, is worth it. For a fixed lead this is the newsvendor quantile.
"""

import numpy as np

from autoscaler.core.prediction.advice import NO_PATHS, Advice
from autoscaler.core.prediction.forecasts import ForecastBundle, demand_at
from autoscaler.core.state.revision import NO_ANSWER, SpecArrays
from autoscaler.core.types import FloatArray, IntArray

MOST_PODS = 2**31 - 1  # the greatest number of replicas that Kubernetes can store
TICK_S = 2.0  # s between two decisions: what is due before the next tick is due now


def demand_at_price(
    bundle: ForecastBundle, service: IntArray, cold_price_s: FloatArray
) -> FloatArray:
    """(n, n_windows) requests in flight worth serving at a price; NaN = no forecast.

    service: (n,) indices into ``bundle.services``; -1 = not in the bundle.
    cold_price_s: (n,) s of idle pod that one cold request is worth.
    """
    hold_s = np.diff(bundle.window_edges_s)
    threshold = hold_s / (hold_s + cold_price_s[:, None])
    curve = np.maximum(service, 0)
    demand = demand_at(bundle.exceedance[curve], bundle.demand_edges[curve], threshold)
    demand[service < 0] = np.nan
    return demand


def read_at_price(
    bundle: ForecastBundle, service: IntArray, cold_price_s: FloatArray, *, layout: int
) -> Advice:
    """A bundle as advice for the rows of a fleet of that layout, without paths.

    service, cold_price_s: (n_rows,) as for `demand_at_price`.
    """
    edges_s = bundle.made_at_s + bundle.window_edges_s
    return Advice(
        starts_s=edges_s[:-1],
        ends_s=edges_s[1:],
        demand=demand_at_price(bundle, service, cold_price_s),
        paths=NO_PATHS,
        layout=layout,
    )


def pods_ahead(advice: Advice, demand: FloatArray, spec: SpecArrays, now: FloatArray) -> IntArray:
    """(n,) pods that have to be ready, or on their way, now; -1 = no forecast.

    demand: (n, n_windows) the rows' part of ``advice.demand``. A window counts from ``lead`` (and
    one tick) before it begins until it ends; after the last one the forecast is stale.
    """
    horizon = now + spec.lead_s + TICK_S
    # Few of the windows count for any revision.
    some = (advice.starts_s < horizon.max(initial=0.0)) & (advice.ends_s > now.min(initial=np.inf))
    starts_s, ends_s, demand = advice.starts_s[some], advice.ends_s[some], demand[:, some]
    counts = (starts_s < horizon[:, None]) & (ends_s > now[:, None])
    known = counts & ~np.isnan(demand)
    due = np.where(known, demand, 0.0).max(axis=1, initial=0.0)
    pods = np.minimum(np.ceil(due * spec.share / spec.pod_capacity), MOST_PODS)
    fresh = known.any(axis=1) & (now >= advice.starts_s.min(initial=np.inf))
    return np.where(fresh, pods, NO_ANSWER).astype(np.int64)
