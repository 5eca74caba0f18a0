"""Anticipated load: pods for calls that will arrive because an upstream service is called.

A path says two things. When its upstream starts (is called after it was idle), its downstream is
called with some probability, some seconds later. And of an increase of calls upstream, a share
arrives downstream. Only calls that were measured count, requests held for a cold upstream among
them, never pods that were started ahead: so a cycle of edges cannot feed itself. A chain of cold
services starts together, because paths lead from its first service to all the others.

A start is worth a pod iff ``p M > (1 - p) (hold + L + D)``, as in `predictive`: p is the path's
probability times its confidence; hold is how long the pod would idle in vain, a stable window at
least and the grace period after it. An increase counts when it is due downstream (`increase`), and
until the downstream's own window has averaged it. Of several paths to one service the one with the
greatest load counts, as they may carry the same calls.

Load is anticipated per service, and shared out over its revisions as its traffic is.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.names import NO_NAME
from autoscaler.core.prediction.advice import Paths
from autoscaler.core.prediction.increase import Increase, Upstream, increase
from autoscaler.core.prediction.path_ends import Downstream, UpstreamCalls
from autoscaler.core.prediction.predictive import MOST_PODS
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import NO_ANSWER, Mode
from autoscaler.core.state.services import IDLE_S
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SLACK_S = 10.0  # s beyond the lag within which a call counts as following
NO_PATH = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Anticipated:
    """What calls of upstreams ask for; (n,) each, in the order of the decided rows."""

    pods: IntArray  # -1 = no upstream asks for any
    upstream: IntArray  # `name_id` of the service that asks for most; 0 = none
    rate: FloatArray  # its requests per second
    since_s: FloatArray  # Unix s at which it started or its rate rose; NaN = none
    gain: FloatArray  # of its path
    lag_s: FloatArray  # of its path
    called: FloatArray  # probability that its path leads to a call


def anticipate(fleet: Fleet, paths: Paths, index: IntArray, at: FloatArray) -> Anticipated:
    """What upstreams ask for the rows ``index`` (n,) at Unix s ``at`` (n,)."""
    if not len(paths) or not len(index):
        return _nothing(len(index))
    places = np.flatnonzero(_may_add_pods(fleet, index))
    now = np.full(len(fleet.services), np.nan)
    now[fleet.service[index[places]]] = at[places]
    active = _active(fleet, paths, now)
    if not len(active):
        return _nothing(len(index))
    called = np.zeros(len(now), dtype=np.bool_)
    called[paths.downstream[active]] = True
    places = places[called[fleet.service[index[places]]]]
    down = Downstream.measure(fleet, index[places], at[places])
    load = _ServiceLoad.of(fleet, paths, active, down, now)
    pods, path = _shared_out(fleet, down, load)
    some = np.flatnonzero(path != NO_PATH)
    return _explained(fleet, paths, len(index), places[some], (path[some], pods[some]), load)


def _nothing(n: int) -> Anticipated:
    zero = np.zeros(n)
    return Anticipated(
        pods=np.full(n, NO_ANSWER),
        upstream=np.full(n, NO_NAME),
        rate=zero,
        since_s=np.full(n, np.nan),
        gain=zero,
        lag_s=zero,
        called=zero,
    )


def _may_add_pods(fleet: Fleet, rows: IntArray) -> BoolArray:
    """(n,) which rows have traffic and a mode other than off."""
    spec = fleet.spec
    serves = spec.reachable[rows] & (spec.share[rows] > 0)
    return np.asarray(serves & (spec.mode[rows] != int(Mode.OFF)))


def _active(fleet: Fleet, paths: Paths, now: FloatArray) -> IntArray:
    """Paths whose upstream was called recently enough to matter.

    now: (n_services,) Unix s; NaN = nothing is decided for the service.
    """
    last_call_s = fleet.services.calls.last_call_s[paths.upstream]
    # The longest window and lead of the fleet: most upstreams were called long before that.
    longest_s = float(fleet.spec.lead_s.max(initial=0.0)) + SLACK_S
    longest_s = max(longest_s, float(fleet.spec.stable_window_s.max(initial=0)))
    # Never called is NaN, which compares False.
    recent = now[paths.downstream] - last_call_s <= paths.lag_s + longest_s
    return np.flatnonzero(recent)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ServiceLoad:
    """Load that paths bring to each service; (n_services,) each; path -1 = none.

    ``near`` arrives within a window, ``far`` is still under way and known as an average only.
    """

    start: IntArray  # path of a start that is worth a pod
    near: IntArray  # path with the greatest load
    near_load: FloatArray  # requests in flight that it adds
    far: IntArray  # path with the greatest load
    far_load: FloatArray  # requests in flight that it adds
    waiting: FloatArray  # requests in flight that wait upstream and arrive at once
    calls: UpstreamCalls
    increase: Increase  # (n_active,) each
    place: IntArray  # (n_paths,) of a path among the active ones

    @classmethod
    def of(
        cls, fleet: Fleet, paths: Paths, active: IntArray, down: Downstream, now: FloatArray
    ) -> "_ServiceLoad":
        """Load that the active paths (n_active,) bring. now: (n_services,) Unix s."""
        up, to = paths.upstream[active], paths.downstream[active]
        when, n = now[to], len(now)
        calls = UpstreamCalls.measure(fleet, up, float(when.max()))
        rising = _increases(fleet, paths, active, down, calls, when)
        starts = _starts(fleet, paths, active, down, when)
        gain = paths.gain[active] * paths.confidence[active]
        # Requests that wait for a cold upstream arrive all at once when it is ready.
        at_once = starts | ((rising.more > 0) & ~rising.far)
        waiting = np.where(at_once, gain * calls.waiting[up], 0.0)
        flowing = rising.far | (calls.waiting[up] == 0)
        load = np.where(flowing, gain * rising.more * down.duration_s[to], 0.0)
        far = rising.far & (load > 0)
        near = ~far & ((waiting > 0) | (load > 0))
        place = np.full(len(paths), NO_PATH)
        place[active] = np.arange(len(active))
        near_path, near_load = _greatest(n, active, to, load, near)
        far_path, far_load = _greatest(n, active, to, load, far)
        return cls(
            start=_greatest(n, active, to, gain, starts)[0],
            near=near_path,
            near_load=near_load,
            far=far_path,
            far_load=far_load,
            waiting=np.bincount(to, weights=waiting, minlength=n).astype(np.float64),
            calls=calls,
            increase=rising,
            place=place,
        )


def _increases(
    fleet: Fleet,
    paths: Paths,
    active: IntArray,
    down: Downstream,
    calls: UpstreamCalls,
    when: FloatArray,
) -> Increase:
    """(n_active,) increases along the active paths at Unix s ``when`` (n_active,)."""
    up, to = paths.upstream[active], paths.downstream[active]
    upstream = Upstream(
        service=up,
        rate=calls.rate[up],
        average=calls.average[up],
        window_s=calls.window_s[up],
        lag_s=paths.lag_s[active],
        lead_s=down.lead_s[to],
        down_window_s=down.window_s[to],
        now=when,
    )
    return increase(fleet.services.rates, upstream)


def _starts(
    fleet: Fleet, paths: Paths, active: IntArray, down: Downstream, when: FloatArray
) -> BoolArray:
    """(n_active,) paths whose upstream started so recently that a pod downstream is worth it."""
    up, to = paths.upstream[active], paths.downstream[active]
    p = _probability(paths, active)
    hold_s = paths.lag_s[active] + SLACK_S
    idle_s = np.maximum(hold_s, down.window_s[to] - down.lead_s[to]) + down.idle_s[to]
    in_vain_s = down.lead_s[to] + idle_s + down.drain_s[to]
    worth = p * down.missing_s[to] > (1.0 - p) * in_vain_s
    ago_s = when - fleet.services.calls.last_start_s[up]
    return np.asarray(worth & (ago_s <= hold_s + down.lead_s[to]))


def _probability(paths: Paths, active: IntArray) -> FloatArray:
    """(n_active,) that downstream is called because upstream was."""
    return np.minimum(paths.probability[active], 1.0) * paths.confidence[active]


def _greatest(
    n: int, active: IntArray, to: IntArray, load: FloatArray, chosen: BoolArray
) -> tuple[IntArray, FloatArray]:
    """(n,) of each service the chosen path with the greatest load, and (n,) that load."""
    path, greatest = np.full(n, NO_PATH), np.zeros(n)
    which = np.flatnonzero(chosen)
    which = which[np.argsort(load[which], kind="stable")]  # the greatest is written last
    path[to[which]], greatest[to[which]] = active[which], load[which]
    return path, greatest


def _shared_out(fleet: Fleet, down: Downstream, load: _ServiceLoad) -> tuple[FloatArray, IntArray]:
    """(k,) pods of each downstream revision for its share, and (k,) the path; -1 = none."""
    spec, rows, of = fleet.spec, down.rows, down.service
    share, capacity = spec.share[rows], spec.pod_capacity[rows]
    present = down.in_flight + load.waiting[of] * share
    # Far load is known as an average: it gets the headroom that Knative gives averages.
    utilisation = spec.target[rows] / spec.total[rows]
    candidates = [
        (load.start[of], np.ones(len(rows))),
        (load.near[of], np.ceil((present + load.near_load[of] * share) / capacity)),
        (load.far[of], np.ceil((present + load.far_load[of] * share) / (capacity * utilisation))),
    ]
    pods, path = np.zeros(len(rows)), np.full(len(rows), NO_PATH)
    for by, wanted in candidates:
        more = (by != NO_PATH) & (wanted > pods)
        pods, path = np.where(more, wanted, pods), np.where(more, by, path)
    return pods, path


def _explained(
    fleet: Fleet,
    paths: Paths,
    n: int,
    places: IntArray,
    answer: tuple[IntArray, FloatArray],
    load: _ServiceLoad,
) -> Anticipated:
    """The answer for ``places`` (k,) of n rows: path (k,), pods (k,); with what explains it."""
    path, pods = answer
    up, at = paths.upstream[path], load.place[path]
    rising, calls = load.increase, fleet.services.calls
    far = rising.far[at] & (rising.more[at] > 0)
    now, start_s = rising.at_s[at], calls.last_start_s[up]
    # After `IDLE_S` of calls it is no start any more, but an increase.
    started_s = np.where(now - start_s <= IDLE_S, start_s, now)

    def placed(values: FloatArray, empty: float) -> FloatArray:
        column = np.full(n, empty)
        column[places] = values
        return column

    column = np.full(n, NO_ANSWER), np.full(n, NO_NAME)
    column[0][places] = np.minimum(pods, MOST_PODS)
    column[1][places] = calls.id[up]
    return Anticipated(
        pods=column[0],
        upstream=column[1],
        rate=placed(np.where(far, rising.rate[at], load.calls.rate[up]), 0.0),
        since_s=placed(np.where(far, now, started_s), np.nan),
        gain=placed(paths.gain[path], 0.0),
        lag_s=placed(paths.lag_s[path], 0.0),
        called=placed(_probability(paths, path), 0.0),
    )
