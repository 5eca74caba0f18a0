"""Anticipated load: pods for what calls of upstream services will bring, before the first arrives.

A path says: when the upstream starts (is called after it slept), the downstream is called with
some probability, some seconds later; and of what the upstream is called more than lately, a share
arrives downstream. Only calls that were seen count, requests that wait for a cold upstream among
them, never pods that were started ahead: so what comes back through a cycle counts nothing. A chain
of cold services starts together, because paths lead from its first to all the others.

A start is worth a pod iff ``p x price > (1 - p) x hold``, the forecast's own test (`predictive`):
p is the path's probability times its confidence, hold the seconds the pod would idle in vain: it
stays for a stable window at least, and for the grace after it, as every last pod does. An increase
counts when it is due downstream (`increase`), and until the window there has averaged it. Where
several paths show the same increase, on its way, it counts once.

Everything is decided per service, once, and then shared out over its revisions as traffic is.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.names import NO_NAME
from autoscaler.core.prediction.advice import Paths
from autoscaler.core.prediction.increase import Increase, Upstream, increase
from autoscaler.core.prediction.predictive import MOST_PODS
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import NO_ANSWER, Mode
from autoscaler.core.state.services import IDLE_S
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SLACK_S = 10.0  # s beyond the lag within which a call counts as following
RECENT_S = 3  # seconds whose statistics are "now": an activator's word may be two seconds old
NO_PATH = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Anticipated:
    """What calls of upstreams ask for; (n,) each, in the order of the decided rows."""

    pods: IntArray  # -1 = no upstream asks for any
    upstream: IntArray  # `name_id` of the service that asks for most; 0 = none
    rate: FloatArray  # its requests per second
    since_s: FloatArray  # Unix s at which it started or rose; NaN = none
    gain: FloatArray  # of its path
    lag_s: FloatArray  # of its path


def nothing(n: int) -> Anticipated:
    """No upstream asks for anything."""
    zero = np.zeros(n)
    return Anticipated(
        pods=np.full(n, NO_ANSWER),
        upstream=np.full(n, NO_NAME),
        rate=zero,
        since_s=np.full(n, np.nan),
        gain=zero,
        lag_s=zero,
    )


def anticipate(fleet: Fleet, paths: Paths, index: IntArray, at: FloatArray) -> Anticipated:
    """What upstreams ask for the rows ``index`` (n,) at Unix s ``at`` (n,)."""
    if not len(paths) or not len(index):
        return nothing(len(index))
    able = np.flatnonzero(_may_be_asked(fleet, index))
    now = np.full(len(fleet.services), np.nan)
    now[fleet.service[index[able]]] = at[able]
    active = _active(fleet, paths, now)
    if not len(active):
        return nothing(len(index))
    called = np.zeros(len(now), dtype=np.bool_)
    called[paths.downstream[active]] = True
    able = able[called[fleet.service[index[able]]]]
    down = _Downstream.look(fleet, index[able], at[able])
    asked = _Asked.of(fleet, paths, active, down, now)
    return _shared_out(fleet, paths, index, able, down, asked)


def with_downstream(fleet: Fleet, paths: Paths, rows: IntArray) -> IntArray:
    """The rows, and all of the services that are called when theirs are; ascending."""
    return np.union1d(rows, downstream(fleet, paths, rows))


def downstream(fleet: Fleet, paths: Paths, rows: IntArray) -> IntArray:
    """All rows of the services that are called when those of ``rows`` are; ascending."""
    if not len(paths) or not len(rows):
        return np.zeros(0, dtype=np.int64)
    called = np.zeros(len(fleet.services), dtype=np.bool_)
    called[fleet.service[rows]] = True
    follows = np.zeros(len(fleet.services), dtype=np.bool_)
    follows[paths.downstream[called[paths.upstream]]] = True
    return np.flatnonzero(follows[fleet.service])


def _may_be_asked(fleet: Fleet, rows: IntArray) -> BoolArray:
    spec = fleet.spec
    serves = spec.reachable[rows] & (spec.share[rows] > 0)
    return np.asarray(serves & (spec.mode[rows] != Mode.OFF))


def _active(fleet: Fleet, paths: Paths, now: FloatArray) -> IntArray:
    """Paths that may ask for something: their upstream was called lately enough.

    now: (n_services,) Unix s; NaN = nothing is decided for the service.
    """
    called_s = fleet.services.calls.last_call_s[paths.upstream]
    # The longest window and lead there may be: most upstreams were called long before that.
    longest_s = float(fleet.spec.lead_s.max(initial=0.0)) + SLACK_S
    longest_s = max(longest_s, float(fleet.spec.stable_window_s.max(initial=0)))
    # Never called is NaN, which compares False.
    recent = now[paths.downstream] - called_s <= paths.lag_s + longest_s
    return np.flatnonzero(recent)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Downstream:
    """The revisions that may be asked, and what holds for their services."""

    rows: IntArray  # (k,) of the fleet
    service: IntArray  # (k,)
    in_flight: FloatArray  # (k,) over the stable window
    # (n_services,) of each service the greatest of its revisions:
    price_s: FloatArray
    lead_s: FloatArray
    window_s: FloatArray
    idle_s: FloatArray  # that the last pod stays after its window: grace or retention
    busy_s: FloatArray  # that a request is in flight; 0 = not known

    @classmethod
    def look(cls, fleet: Fleet, rows: IntArray, at: FloatArray) -> "_Downstream":
        """Look at rows (k,) at Unix s (k,)."""
        spec, service, n = fleet.spec, fleet.service[rows], len(fleet.services)
        second = np.floor(at).astype(np.int64)
        in_flight = fleet.stable.average(rows, second, np.zeros_like(rows))
        came = fleet.stable.average(rows, second, np.ones_like(rows))
        load, rate = (np.bincount(service, weights=w, minlength=n) for w in (in_flight, came))

        def greatest(column: FloatArray | IntArray) -> FloatArray:
            most = np.zeros(n)
            np.maximum.at(most, service, column[rows])
            return most

        return cls(
            rows=rows,
            service=service,
            in_flight=in_flight,
            price_s=greatest(spec.cold_price_s),
            lead_s=greatest(spec.lead_s),
            window_s=greatest(spec.stable_window_s),
            idle_s=np.maximum(greatest(spec.grace_s), greatest(spec.retention_s)),
            busy_s=np.where(rate > 0, load / np.where(rate > 0, rate, 1.0), 0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """What is seen of each service that is an upstream; (n_services,) each."""

    rate: FloatArray  # requests per second now
    average: FloatArray  # requests per second over the stable window
    waiting: FloatArray  # requests in flight now at revisions without a ready pod
    window_s: FloatArray  # its stable window, s

    @classmethod
    def look(cls, fleet: Fleet, upstreams: IntArray, now: float) -> "_Calls":
        """Look at services at Unix s ``now``."""
        n = len(fleet.services)
        chosen = np.zeros(n, dtype=np.bool_)
        chosen[upstreams] = True
        rows = np.flatnonzero(chosen[fleet.service])
        service, second = fleet.service[rows], np.full(len(rows), int(now))

        def summed(values: FloatArray) -> FloatArray:
            return np.bincount(service, weights=values, minlength=n).astype(np.float64)

        recent = np.stack([fleet.stable.at(rows, second - k) for k in range(RECENT_S)])
        window_s = np.zeros(n)
        np.maximum.at(window_s, service, fleet.spec.stable_window_s[rows])
        asleep = fleet.observed.ready[rows] == 0
        return cls(
            rate=np.max([summed(rate) for rate in recent[:, 1]], axis=0),
            average=summed(fleet.stable.average(rows, second, np.ones_like(rows))),
            waiting=summed(np.where(asleep, recent[:, 0].max(axis=0), 0.0)),
            window_s=window_s,
        )


def average_rates(fleet: Fleet, services: IntArray, now: float) -> FloatArray:
    """(k,) requests per second of services (k,), over their stable windows, at Unix s ``now``."""
    return _Calls.look(fleet, services, now).average[services]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What paths ask of each service; (n_services,) each. The path that asks for most: -1 = none.

    ``near`` is there or arrives within a window, ``far`` is on its way and known as an average.
    """

    start: IntArray  # path of a start worth a pod
    near: IntArray  # path
    near_load: FloatArray  # requests in flight that it adds
    far: IntArray  # path
    far_load: FloatArray  # requests in flight that it adds
    waiting: FloatArray  # requests in flight that wait upstream and arrive at once
    calls: _Calls
    coming: Increase  # (n_active,) each
    place: IntArray  # (n_paths,) of a path among the active ones

    @classmethod
    def of(
        cls, fleet: Fleet, paths: Paths, active: IntArray, down: _Downstream, now: FloatArray
    ) -> "_Asked":
        """Weigh the active paths (n_active,). now: (n_services,) Unix s."""
        up, to = paths.upstream[active], paths.downstream[active]
        lag_s, when = paths.lag_s[active], now[to]
        calls = _Calls.look(fleet, up, float(when.max()))
        coming = increase(
            fleet.services.rates,
            Upstream(
                service=up,
                rate=calls.rate[up],
                average=calls.average[up],
                window_s=calls.window_s[up],
                lag_s=lag_s,
                lead_s=down.lead_s[to],
                down_window_s=down.window_s[to],
                now=when,
            ),
        )
        starts = _starts(fleet, paths, active, down, when)
        gain = paths.gain[active] * paths.confidence[active]
        here = (coming.more > 0) & ~coming.far
        # Requests that wait for a cold upstream come all at once when it is up.
        waits = np.where(starts | here, gain * calls.waiting[up], 0.0)
        moving = coming.far | (calls.waiting[up] == 0)
        flows = np.where(moving, gain * coming.more * down.busy_s[to], 0.0)
        far = coming.far & (flows > 0)
        near = ~far & ((waits > 0) | (flows > 0))
        n = len(now)
        place = np.full(len(paths), NO_PATH)
        place[active] = np.arange(len(active))
        near_path, near_load = _most(n, active, to, flows, near)
        far_path, far_load = _most(n, active, to, flows, far)
        return cls(
            start=_most(n, active, to, gain, starts)[0],
            near=near_path,
            near_load=near_load,
            far=far_path,
            far_load=far_load,
            waiting=np.bincount(to, weights=waits, minlength=n).astype(np.float64),
            calls=calls,
            coming=coming,
            place=place,
        )


def _starts(
    fleet: Fleet, paths: Paths, active: IntArray, down: _Downstream, when: FloatArray
) -> BoolArray:
    """(n_active,) paths whose upstream started so lately that a pod downstream is worth it."""
    up, to = paths.upstream[active], paths.downstream[active]
    p = np.minimum(paths.probability[active], 1.0) * paths.confidence[active]
    hold_s = paths.lag_s[active] + SLACK_S
    kept_s = np.maximum(hold_s, down.window_s[to] - down.lead_s[to])
    in_vain_s = kept_s + down.idle_s[to]
    worth = p * down.price_s[to] > (1.0 - p) * in_vain_s
    ago_s = when - fleet.services.calls.last_start_s[up]
    return np.asarray(worth & (ago_s <= hold_s + down.lead_s[to]))


def _most(
    n: int, active: IntArray, to: IntArray, load: FloatArray, chosen: BoolArray
) -> tuple[IntArray, FloatArray]:
    """(n,) of each service the chosen path with the greatest load, and (n,) that load."""
    path, most = np.full(n, NO_PATH), np.zeros(n)
    which = np.flatnonzero(chosen)
    which = which[np.argsort(load[which], kind="stable")]  # the greatest comes last
    path[to[which]], most[to[which]] = active[which], load[which]
    return path, most


def _shared_out(
    fleet: Fleet,
    paths: Paths,
    index: IntArray,
    able: IntArray,
    down: _Downstream,
    asked: _Asked,
) -> Anticipated:
    """Pods of each revision: its share of what its service is asked for."""
    spec, rows, of = fleet.spec, down.rows, down.service
    share, capacity = spec.share[rows], spec.pod_capacity[rows]
    here = down.in_flight + asked.waiting[of] * share
    # What is on its way is known as an average: it needs the room that Knative leaves an average.
    room = spec.target[rows] / spec.total[rows]
    candidates = [
        (asked.start[of], np.ones(len(rows))),
        (asked.near[of], np.ceil((here + asked.near_load[of] * share) / capacity)),
        (asked.far[of], np.ceil((here + asked.far_load[of] * share) / (capacity * room))),
    ]
    pods, path = np.zeros(len(rows)), np.full(len(rows), NO_PATH)
    for by, wanted in candidates:
        more = (by != NO_PATH) & (wanted > pods)
        pods, path = np.where(more, wanted, pods), np.where(more, by, path)
    some = np.flatnonzero(path != NO_PATH)
    return _explained(fleet, paths, len(index), able[some], (path[some], pods[some]), asked)


def _explained(
    fleet: Fleet,
    paths: Paths,
    n: int,
    places: IntArray,
    answer: tuple[IntArray, FloatArray],
    asked: _Asked,
) -> Anticipated:
    """The answer for ``places`` (k,) of n rows: path (k,), pods (k,); with what explains it."""
    path, pods = answer
    up, at = paths.upstream[path], asked.place[path]
    coming, calls = asked.coming, fleet.services.calls
    far = coming.far[at] & (coming.more[at] > 0)
    now, start_s = coming.at_s[at], calls.last_start_s[up]
    # Whoever has been called for longer than that rises now.
    begun_s = np.where(now - start_s <= IDLE_S, start_s, now)

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
        rate=placed(np.where(far, coming.rate[at], asked.calls.rate[up]), 0.0),
        since_s=placed(np.where(far, now, begun_s), np.nan),
        gain=placed(paths.gain[path], 0.0),
        lag_s=placed(paths.lag_s[path], 0.0),
    )
