"""From exceedance curves and prices to pods, and to how long they stay.

A pod costs seconds of pod while it starts (its lead L), while it idles, and while it drains after
it was let go (D). That it is missing when requests come costs M of them beside (`missing`): other
ones for the first pod than for further ones. Take one pod level and one window ahead: p is the
probability that demand in the window reaches the level, H the window's length, which a pod would
idle in vain, T the time until the need is expected: the middle of the window, any part of which is
as likely; 0 once a pod for it is due. Three things can be done, and each costs, beside the service
of requests itself,

    to keep a pod that stands through the window       T + (1 - p) H + D
    to start one a lead before the window begins       L + (1 - p) H + D
    to start it when a request comes, if one comes     p (M + L + D)

The two others cost D more where a pod stands, because it is let go. By comparison,

* a pod is worth *starting* iff ``p (M + L + D) > L + D + (1 - p) H``: if the request comes,
  lead and drain of a pod are paid in any case;
* a pod that stands is worth *keeping*, rather than starting others when a request comes, iff
  ``p (M + L + D) > T + (1 - p) H``;
* and rather than starting another a lead before the window, iff ``T < L + D``, whatever p is.

So thresholds on p are ``(H + L + D) / (H + L + D + M)`` for starting, and
``(H + T) / (H + L + D + M)`` for keeping while T < L + D. The second rises with T, and reaches
the first where T = L + D: what was worth starting is worth keeping. Advice has two numbers a window
that do not depend on the time of the decision: what is worth starting, and what is worth keeping at
T = 0. A window whose pod has to be requested now, or was before, is decided by them; here T is at
most a lead, which a pod that is started for the window takes as well. For a later window, that
which will be worth starting is kept while T < L + D. Between the thresholds a pod is let go that
was worth keeping by less than ``L + D - T``; a sure need keeps it iff T < L + D.

(T is not until the window's begin: what is far away is in wide windows, which later forecasts
divide, so that a pod that is started anew stands for a part of it only. Knew one a lead before the
window whether the request comes, letting go would cost p (L + D) only where it does. A forecast
does not become certain by waiting, so this is not counted on.)

Where a bill does not pay for all that is worth it, what a pod saves for its cost counts. A first
pod saves ``p M L``: the wait for a start times what it costs that it is missing. What it has still
to be paid for is ``p H / 2 + (1 - p) H``, and L + D where none stands.

Without lead and drain both thresholds are ``H / (H + M)``, the newsvendor quantile, and nothing
later counts. Scale up, keep-alive and scale to zero are the same test.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.prediction.advice import NO_PATHS, Advice
from autoscaler.core.prediction.forecasts import ForecastBundle, demand_at
from autoscaler.core.prediction.missing import Missing
from autoscaler.core.state.fleet import Fleet, Rows
from autoscaler.core.state.revision import NO_ANSWER, SpecArrays
from autoscaler.core.types import BoolArray, FloatArray, IntArray

MOST_PODS = 2**31 - 1  # the greatest number of replicas that Kubernetes can store
TICK_S = 2.0  # s between two decisions: what is due before the next tick is due now


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCosts:
    """What pods of revisions cost; (n,) each, s of pod."""

    first_s: FloatArray  # that the first one is missing when requests come: `missing`
    further_s: FloatArray  # that a further one is
    lead_s: FloatArray  # from requesting one until it is ready
    drain_s: FloatArray  # from letting one go until it is gone
    capacity: FloatArray  # (n,) requests in flight of the service that one takes

    @classmethod
    def of(cls, fleet: Fleet, rows: Rows, spec: SpecArrays) -> "PodCosts":
        """Those of n rows. spec: theirs."""
        missing = Missing.of(fleet, rows, spec)
        return cls(
            first_s=missing.first_s(spec.cold_price_s),
            further_s=missing.further_s(spec.cold_price_s),
            lead_s=spec.lead_s,
            drain_s=spec.drain_s,
            capacity=capacity(spec.pod_capacity, spec.share),
        )

    @property
    def ends_s(self) -> FloatArray:
        """(n,) of a start and a drain."""
        return self.lead_s + self.drain_s


def capacity(pod_capacity: FloatArray, share: FloatArray) -> FloatArray:
    """(n,) requests in flight of a service that one pod of a revision with such a share takes."""
    takes = np.full(len(share), np.inf)
    return np.asarray(np.divide(pod_capacity, share, out=takes, where=share > 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class AtPrice:
    """What is worth it at prices; (n, n_windows) each, NaN = no forecast."""

    worth_starting: FloatArray  # requests in flight that pods are worth starting for
    worth_keeping: FloatArray  # and that they are worth keeping for: never below the first
    called: FloatArray  # probability that any request comes


def at_price(bundle: ForecastBundle, service: IntArray, costs: PodCosts) -> AtPrice:
    """Read a bundle at prices.

    service: (n,) indices into ``bundle.services``; -1 = not in the bundle. costs: of the same n.
    """
    curve = np.maximum(service, 0)
    exceedance, edges = bundle.exceedance[curve], bundle.demand_edges[curve]
    hold_s, ends_s = np.diff(bundle.window_edges_s)[:, None], costs.ends_s[:, None, None]
    is_first = edges[:, :-1] < costs.capacity[:, None]
    missing_s = np.where(is_first, costs.first_s[:, None], costs.further_s[:, None])
    all_s = hold_s + ends_s + missing_s[:, None, :]
    worth_starting = demand_at(exceedance, edges, (hold_s + ends_s) / all_s)
    worth_keeping = demand_at(exceedance, edges, hold_s / all_s)
    called = exceedance[:, :, 0].astype(np.float64)
    for values in (worth_starting, worth_keeping, called):
        values[service < 0] = np.nan
    return AtPrice(worth_starting=worth_starting, worth_keeping=worth_keeping, called=called)


def read_at_price(
    bundle: ForecastBundle, service: IntArray, costs: PodCosts, *, layout: int
) -> Advice:
    """A bundle as advice for the rows of a fleet of that layout, without paths.

    service: (n_rows,), and costs: of the same rows, as for `at_price`.
    """
    edges_s = bundle.made_at_s + bundle.window_edges_s
    found = at_price(bundle, service, costs)
    return Advice(
        starts_s=edges_s[:-1],
        ends_s=edges_s[1:],
        worth_starting=found.worth_starting,
        worth_keeping=found.worth_keeping,
        called=found.called,
        paths=NO_PATHS,
        layout=layout,
    )


def pods_ahead(
    advice: Advice, rows: Rows, spec: SpecArrays, replicas: IntArray, now: FloatArray
) -> IntArray:
    """(n,) pods that have to be ready, or on their way, now; -1 = no forecast.

    rows: n of the fleet. spec: theirs. replicas: (n,) pods that their scale targets have; -1 = no
    target. now: (n,) Unix s. Pods are started for a window from ``lead`` (and one tick) before it
    begins until it ends; those that stand are kept for it from ``lead + drain`` before its middle.
    After the last window the forecast is stale.
    """
    due_s = now + spec.lead_s + TICK_S
    horizon_s = np.maximum(due_s, now + spec.lead_s + spec.drain_s)
    middles_s = advice.middles_s
    # Few of the windows count for any revision.
    some = advice.starts_s < horizon_s.max(initial=0.0)
    some &= advice.ends_s > now.min(initial=np.inf)
    started, kept = np.zeros(len(now)), np.zeros(len(now))  # requests in flight
    fresh = np.zeros(len(now), dtype=np.bool_)
    for j in np.flatnonzero(some).tolist():
        start, keep = advice.worth_starting[rows, j], advice.worth_keeping[rows, j]
        due = (advice.starts_s[j] < due_s) & (advice.ends_s[j] > now)
        counts = due | ((middles_s[j] < horizon_s) & (advice.ends_s[j] > now))
        # No forecast is NaN, which fmax ignores.
        np.fmax(started, start, out=started, where=due)
        np.fmax(kept, keep, out=kept, where=due)
        np.fmax(kept, start, out=kept, where=counts)
        fresh |= due & ~np.isnan(start)
    fresh &= now >= advice.starts_s.min(initial=np.inf)
    stay = np.minimum(np.maximum(replicas, 0), _pods(kept, spec))
    pods = np.maximum(_pods(started, spec), stay)
    return np.where(fresh, pods, NO_ANSWER).astype(np.int64)


def worth_of_first(
    costs: PodCosts, stands: BoolArray, called: FloatArray, hold_s: FloatArray | float
) -> FloatArray:
    """(n,) s of wait, priced, that a first pod saves for a s of pod.

    costs: of the same n. stands: (n,) where there is one. called: (n,) probability of a call within
    hold_s, for half of which it then idles.
    """
    ends_s = np.maximum(np.where(stands, 0.0, costs.ends_s), TICK_S)
    idle_s = (1.0 - called / 2.0) * hold_s
    return np.asarray(called * costs.first_s * costs.lead_s / (idle_s + ends_s))


def worth_ahead(
    advice: Advice, rows: Rows, costs: PodCosts, stands: BoolArray, now: FloatArray
) -> FloatArray:
    """(n,) the greatest worth of first pods in windows that `pods_ahead` looks at; 0 = of none."""
    horizon_s = now + costs.lead_s + np.maximum(costs.drain_s, TICK_S)
    worth = np.zeros(len(now))
    for j, (start_s, end_s) in enumerate(zip(advice.starts_s, advice.ends_s, strict=True)):
        counts = (start_s < horizon_s) & (end_s > now)
        if counts.any():
            hold_s = float(end_s - start_s)
            found = worth_of_first(costs, stands, advice.called[rows, j], hold_s)
            np.fmax(worth, found, out=worth, where=counts)
    return worth


def _pods(demand: FloatArray, spec: SpecArrays) -> FloatArray:
    """(n,) pods for a demand (n,) of the service, requests in flight."""
    return np.asarray(np.minimum(np.ceil(demand * spec.share / spec.pod_capacity), MOST_PODS))
