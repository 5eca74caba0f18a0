"""What it costs that a pod is missing: the requests that wait, and the pods that Knative adds.

The first call after idleness waits for a pod, and so do all that come while that starts. How many
do on average, R, is counted for each service, whether or not a pod was ready for them; one case of
a single request is counted in advance.

A request that waits is in flight all the time. When the pod is ready, (R + 1) / 2 are in flight on
average since the first one came, and Knative has started N pods for them: two for a single request,
where a pod's target is 0.7. If they are served at once, in S seconds each, its averages see no more
than ``R S / window``, and it wants M pods: by its panic window where that makes it panic, else by
its stable one. N - M pods are added because requests waited; each starts (L), stays for a stable
window (W) and drains (D). With the price P of a cold request, what is missing costs

    P R + (N - M) (L + W + D)

seconds of pod, beside the start and the drain of the pod that is needed in any case.
"""

import numpy as np

from autoscaler.core.state.fleet import ALL, Fleet, Rows
from autoscaler.core.state.revision import Metric, SpecArrays
from autoscaler.core.types import FloatArray


def missing_s(fleet: Fleet, rows: Rows, spec: SpecArrays) -> FloatArray:
    """(n,) what it costs that a pod of rows n is missing, s of pod. spec: theirs."""
    return np.asarray(
        spec.cold_price_s * requests_waiting(fleet, rows) + added_s(fleet, rows, spec)
    )


def requests_waiting(fleet: Fleet, rows: Rows = ALL) -> FloatArray:
    """(n,) requests that wait where a pod of rows n is missing."""
    services, waits = fleet.service[rows], fleet.services.waits.view
    return np.asarray((waits.requests[services] + 1.0) / (waits.cases[services] + 1.0))


def added_s(fleet: Fleet, rows: Rows, spec: SpecArrays) -> FloatArray:
    """(n,) s of pod that Knative adds to rows n because requests wait. spec: theirs."""
    requests = requests_waiting(fleet, rows)
    served_s = requests * fleet.services.waits.service_time_s(fleet.service[rows])
    waiting = (requests + 1.0) / 2.0
    panic, stable = (
        _pods(np.minimum(served_s / window_s, waiting), spec)
        for window_s in (spec.panic_window_s, spec.stable_window_s)
    )
    at_once = np.where(panic >= spec.panic_threshold, panic, stable)
    added = np.maximum(_pods(waiting, spec) - at_once, 0.0)
    added = np.where(spec.metric == Metric.CONCURRENCY, added, 0.0)
    return np.asarray(added * (spec.lead_s + spec.stable_window_s + spec.drain_s))


def _pods(demand: FloatArray, spec: SpecArrays) -> FloatArray:
    """(n,) pods that Knative wants for a demand (n,)."""
    pods = np.maximum(np.ceil(demand / spec.target), spec.activation_scale)
    return np.asarray(np.where(spec.max_scale > 0, np.minimum(pods, spec.max_scale), pods))
