"""What upstream services show now -> pods downstream, before the first request gets there.

A link says: when the upstream starts (is called after it slept), the downstream is needed with
some probability, some seconds later; and of what the upstream is called more than lately, a share
arrives downstream. Only calls that were seen count, requests that wait for a cold upstream among
them, never pods that were started ahead: so what comes back through a cycle counts nothing. Links
are reach, not hops: all that follows is warmed at once, and a chain of cold services starts
together.

A start is worth a pod iff ``p x price > (1 - p) x hold``, the forecast's own test (`predictive`):
p is the link's probability times its confidence, hold the seconds the pod would idle in vain: it
stays for a stable window at least, and for the grace after it, as every last pod does.

A rise counts when it is due downstream (`rises`), and until the window there has learned it. Where
several links show the same rise, on its way, it counts once.
"""

from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.fleet import Fleet
from autoscaler.core.revision import SpecArrays
from autoscaler.core.rises import Rises, rises
from autoscaler.core.types import FloatArray, IntArray

NO_SURGE = -1
IDLE_S = 60.0  # s without a call after which a call is a start, as it is from zero
SLACK_S = 10.0  # s beyond the lag within which a call counts as following
RECENT_S = 3  # seconds whose statistics are "now": an activator's word may be two seconds old


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Who pulls whom, between the rows of a fleet of one layout; (m,) each."""

    upstream: IntArray  # row
    downstream: IntArray  # row
    needed: FloatArray  # P(downstream is called within lag and slack | upstream starts)
    confidence: FloatArray  # 0 ... 1
    gain: FloatArray  # downstream calls per upstream call
    lag_s: FloatArray  # s from the upstream's call to the downstream's
    name: tuple[str, ...]  # of the upstream: "namespace/service"
    layout: int
    heads: frozenset[int] = field(init=False)  # rows that pull others along

    def __post_init__(self) -> None:
        """Know the heads once: they are asked for with every statistic."""
        object.__setattr__(self, "heads", frozenset(self.upstream.tolist()))

    def __len__(self) -> int:
        return len(self.upstream)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """What upstreams make of a tick; (n,) each, in the order of the decided rows."""

    pods: IntArray  # NO_SURGE = no upstream asks for any
    by: IntArray  # the link that asks for most; -1 = none
    rate: FloatArray  # calls per second of its upstream
    since_s: FloatArray  # Unix s at which that one started or rose
    usual: FloatArray  # calls per second over the row's stable window; NaN = it pulls nobody
    called_s: FloatArray  # Unix s of the row's last call, for the next tick
    begun_s: FloatArray  # Unix s of the row's last start, for the next tick
    links: Links | None

    def explain(self, i: int, now: float) -> str:
        """Why the i-th row is asked for pods. now: Unix s of the decision."""
        links, by = self.links, int(self.by[i])
        if links is None or by < 0:
            return "no upstream asks for any"
        rate, ago_s = float(self.rate[i]), max(0.0, now - float(self.since_s[i]))
        return (
            f"{links.name[by]!r} rose to {rate:g} rps {ago_s:.0f} s ago; "
            f"gain {links.gain[by]:.2g}, lag {links.lag_s[by]:.2g} s"
        )


def no_surge(n: int, called_s: FloatArray, begun_s: FloatArray) -> Surge:
    """Nobody asks for anything."""
    return Surge(
        pods=np.full(n, NO_SURGE),
        by=np.full(n, -1),
        rate=np.zeros(n),
        since_s=np.full(n, np.nan),
        usual=np.full(n, np.nan),
        called_s=called_s,
        begun_s=begun_s,
        links=None,
    )


def surge(fleet: Fleet, links: Links | None, index: IntArray, at: FloatArray) -> Surge:
    """What upstreams ask for the rows ``index`` (n,) at Unix s ``at`` (n,)."""
    memory = fleet.memory
    if links is None or links.layout != fleet.layout or not len(links):
        return no_surge(len(index), memory.called_s[index], memory.begun_s[index])
    now = np.full(len(fleet), np.nan)
    now[index] = at
    calls = _Calls.look(fleet, links, now)
    active = np.flatnonzero(~np.isnan(now[links.downstream]))
    up, down = links.upstream[active], links.downstream[active]
    when = now[down]
    seen = calls.rate[up], calls.usual[up]
    coming = rises(fleet, (up, down), links.lag_s[active], seen, when)
    pods = _pods(fleet, links, active, calls, coming, when)

    most, by = np.full(len(fleet), NO_SURGE), np.full(len(fleet), -1)
    asks = np.flatnonzero(pods > 0)
    order = asks[np.argsort(pods[asks], kind="stable")]
    most[down[order]], by[down[order]] = pods[order], order  # the greatest comes last
    chosen = by[index]  # -1 is none, and the place of none at the end
    begun_s = calls.begun_s[up]
    # Whoever has been called for longer than that rises now.
    since_s = np.where(when - begun_s <= IDLE_S, begun_s, when)
    far = coming.far & (coming.more > 0)
    return Surge(
        pods=most[index],
        by=np.append(active, -1)[chosen],
        rate=np.append(np.where(far, coming.rate, seen[0]), 0.0)[chosen],
        since_s=np.append(np.where(far, coming.at_s, since_s), np.nan)[chosen],
        usual=calls.usual[index],
        called_s=calls.called_s[index],
        begun_s=calls.begun_s[index],
        links=links,
    )


def starts(fleet: Fleet, links: Links | None, row: int, now: float) -> bool:
    """Whether a call of a row at Unix s ``now`` is a start that pulls others along."""
    if links is None or links.layout != fleet.layout or row not in links.heads:
        return False
    return not now - fleet.memory.called_s[row] <= IDLE_S  # never called: it slept


def asked_with(links: Links | None, rows: IntArray) -> IntArray:
    """The rows and all that hang on them: decided together, a chain starts at once."""
    if links is None:
        return rows
    pulled = links.downstream[np.isin(links.upstream, rows)]
    return np.union1d(rows, pulled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """What is seen of every row that is an upstream; (n_rows,) each, of the whole fleet."""

    load: FloatArray  # requests in flight now, waiting ones among them
    rate: FloatArray  # requests per second now
    usual: FloatArray  # requests per second over the stable window; NaN = no upstream
    called_s: FloatArray  # Unix s of the last call; NaN = none was seen
    begun_s: FloatArray  # Unix s of the last start; NaN = none was seen

    @classmethod
    def look(cls, fleet: Fleet, links: Links, now: FloatArray) -> "_Calls":
        """Look at the upstreams among the rows that have a ``now`` (n_rows,); NaN = not now."""
        n = len(fleet)
        called_s, begun_s = fleet.memory.called_s.copy(), fleet.memory.begun_s.copy()
        load, rate, usual = np.zeros(n), np.zeros(n), np.full(n, np.nan)
        rows = np.unique(links.upstream)
        at = np.where(np.isnan(now[rows]), np.nanmax(now), now[rows])
        second = np.floor(at).astype(np.int64)
        recent = np.stack([fleet.stable.at(rows, second - k) for k in range(RECENT_S)])
        load[rows], rate[rows] = recent.max(axis=0)
        usual[rows] = fleet.stable.average(rows, second, np.ones_like(rows))
        called = recent.any(axis=(0, 1))
        # Whoever is at zero slept, however short; never called: it slept.
        slept = (fleet.memory.kpa[rows] == 0) | ~(at - called_s[rows] <= IDLE_S)
        begun_s[rows] = np.where(called & slept, at, begun_s[rows])
        called_s[rows] = np.where(called, at, called_s[rows])
        return cls(load=load, rate=rate, usual=usual, called_s=called_s, begun_s=begun_s)


def _pods(
    fleet: Fleet, links: Links, active: IntArray, calls: _Calls, coming: Rises, now: FloatArray
) -> IntArray:
    """(m,) pods that each of the active links asks for; what waits upstream of others is in it."""
    spec: SpecArrays = fleet.spec
    up, down, sure = links.upstream[active], links.downstream[active], links.confidence[active]
    hold_s = links.lag_s[active] + SLACK_S
    p = np.minimum(links.needed[active], 1.0) * sure
    worth = p * spec.cold_price_s[down] > (1.0 - p) * _vain_s(spec, down, hold_s)
    starts = worth & (now - calls.begun_s[up] <= hold_s + spec.lead_s[down])
    # Requests that wait for a cold upstream come all at once when it is up.
    waiting = np.where(fleet.seen.ready[up] == 0, calls.load[up], 0.0)
    gain = links.gain[active] * sure
    waits = np.where(starts | ((coming.more > 0) & ~coming.far), gain * waiting, 0.0)
    own, busy_s = _in_use(fleet, down, now)
    flows = np.where(coming.far | (waiting == 0), gain * coming.more * busy_s, 0.0)
    arrives = np.zeros(len(fleet))
    np.add.at(arrives, down, waits)
    load = own + (arrives[down] + flows) * spec.share[down]
    # What is on its way is known as an average: it needs the room that Knative leaves an average.
    room = np.where(coming.far & (flows > 0), spec.target[down] / spec.total[down], 1.0)
    asked = np.where((waits > 0) | (flows > 0), load / (spec.pod_capacity[down] * room), 0.0)
    return np.maximum(np.ceil(asked), starts & (spec.share[down] > 0)).astype(np.int64)


def _vain_s(spec: SpecArrays, rows: IntArray, hold_s: FloatArray) -> FloatArray:
    """(m,) s that a pod started in vain is there, from ready to gone."""
    kept_s = np.maximum(hold_s, spec.stable_window_s[rows] - spec.lead_s[rows])
    return np.asarray(kept_s + np.maximum(spec.grace_s[rows], spec.retention_s[rows]))


def _in_use(fleet: Fleet, rows: IntArray, now: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(m,) requests in flight over the stable window, (m,) s that each is; 0 = not known."""
    second = np.floor(now).astype(np.int64)
    load = fleet.stable.average(rows, second, np.zeros_like(rows))
    came = fleet.stable.average(rows, second, np.ones_like(rows))
    return load, np.where(came > 0, load / np.where(came > 0, came, 1.0), 0.0)
