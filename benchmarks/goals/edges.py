"""What becomes of an edge that is not true any more: withdrawn, after how many calls.

    python -m benchmarks.goals.edges

Made pairs of services, each for itself: the upstream starts every few minutes, and until a release
the downstream is called thereupon as often as the edge states; from then on as often as the second
column says. Besides, others call it now and then. All of it is synthetic.
"""

from dataclasses import dataclass

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.advisor.withdrawal.edge_evidence import FALSE_WITHDRAWAL, WORTH
from autoscaler.advisor.withdrawal.edge_warnings import CallTimes
from autoscaler.advisor.withdrawal.edges import EdgeWithdrawals
from autoscaler.core.prediction.dependencies import Edges, Origin
from autoscaler.core.state.services import Services
from autoscaler.core.types import BoolArray, FloatArray, IntArray

EVERY_S, LEAST_S = 240.0, 90.0  # s between starts upstream: on average, and at least
LAG_S = 2.0
OTHERS_S = 3600.0  # s between calls of the downstream by others, on average
LOOK_S = 20.0  # s after which it is looked at again


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """An edge, and how often it is true after a release."""

    stated: float  # probability; NaN = none, as of an annotation
    before: float
    after: float

    @property
    def stays_true(self) -> bool:
        """Whether at least half of what it states comes, or as much as is worth it."""
        stated = 1.0 if np.isnan(self.stated) else self.stated
        return self.after >= min(stated / 2, WORTH)


KINDS = (
    Kind(stated=0.9, before=0.9, after=0.9),
    Kind(stated=0.3, before=0.3, after=0.3),
    Kind(stated=0.9, before=0.5, after=0.5),
    Kind(stated=0.9, before=0.9, after=0.0),
    Kind(stated=np.nan, before=0.9, after=0.0),
    Kind(stated=0.3, before=0.3, after=0.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of n pairs; starts upstream are counted from the release on, or from the beginning."""

    false: int  # edges that were withdrawn before the release, or while they were true
    starts: int  # upstream, of all pairs, while edges were true
    after: FloatArray  # (k,) starts upstream until an edge that is not true was withdrawn
    never: int  # edges that are not true and were not withdrawn


def outcome(kind: Kind, *, pairs: int, before: int, after: int, seed: int = 0) -> Outcome:
    """Live so many starts of each pair before and after the release."""
    random, n = np.random.default_rng(seed), before + after
    start_s = np.cumsum(LEAST_S + random.exponential(EVERY_S - LEAST_S, (pairs, n)), axis=1)
    true = random.random((pairs, n)) < np.where(np.arange(n) < before, kind.before, kind.after)
    found, withdrawals, edges = np.full(pairs, np.nan), EdgeWithdrawals(), _edges(kind, pairs)
    services, calls = Services(), _calls(start_s, true, random)
    for service in edges.services:
        services.join(service)
    end_s = float(start_s[:, -1].min())
    for now in np.arange(LOOK_S, end_s, LOOK_S):
        _call(services, calls, now)
        times = CallTimes(
            at_s=float(now),
            service=services.calls.id,
            last_call_s=services.calls.last_call_s.copy(),
            last_start_s=services.calls.last_start_s.copy(),
        )
        if withdrawals.follow(times, edges):
            out = [int(up[2:]) for up, _ in withdrawals.by_pair]
            new = [pair for pair in out if np.isnan(found[pair])]
            found[new] = [np.searchsorted(start_s[pair], now) for pair in new]
    false = found <= (n if kind.stays_true else before)
    return Outcome(
        false=int(false.sum()),
        starts=pairs * (n if kind.stays_true else before),
        after=found[~false & ~np.isnan(found)] - before,
        never=0 if kind.stays_true else int(np.isnan(found).sum()),
    )


def _edges(kind: Kind, pairs: int) -> Edges:
    """From service a/0 to b/0, from a/1 to b/1 and so on."""
    each = np.arange(pairs)
    same = np.ones(pairs)
    return Edges(
        services=tuple(f"{end}/{pair}" for end in "ab" for pair in each.tolist()),
        upstream=each,
        downstream=each + pairs,
        lag_s=LAG_S * same,
        gain=same,
        probability=kind.stated * same,
        confidence=same,
        evidence=same,
        seen_at_s=same,
        direct=same > 0,
        origin=np.full(pairs, Origin.LEARNED_STARTS),
    )


Calls = tuple[FloatArray, IntArray]  # (k,) s, ascending, and (k,) services


def _calls(start_s: FloatArray, true: BoolArray, random: np.random.Generator) -> Calls:
    pairs, end_s = len(start_s), float(start_s.max())
    up = np.broadcast_to(np.arange(pairs)[:, None], start_s.shape)
    others = random.poisson(end_s / OTHERS_S, pairs)
    at_s = [start_s.ravel(), start_s[true] + LAG_S, random.random(others.sum()) * end_s]
    who = [up.ravel(), up[true] + pairs, np.repeat(np.arange(pairs), others) + pairs]
    all_s, service = np.concatenate(at_s), np.concatenate(who)
    order = np.argsort(all_s)
    return all_s[order], service[order]


def _call(services: Services, calls: Calls, now: float) -> None:
    """Those of the last `LOOK_S`, each service once."""
    begin, end = np.searchsorted(calls[0], [now - LOOK_S, now])
    who, first = np.unique(calls[1][begin:end], return_index=True)
    services.note_calls(who, calls[0][begin:end][first], np.zeros(len(who), dtype=np.bool_))


def main(pairs: int = 200, before: int = 500, after: int = 300) -> None:
    """Print what became of each."""
    table = Table(title=f"Edges after a release (synthetic; {pairs} pairs of each kind)")
    for heading in ("stated", "true before", "after", "withdrawn while true", "at most, as stated"):
        table.add_column(heading, justify="right")
    table.add_column("withdrawn after so many starts (median, most)", justify="right")
    for kind in KINDS:
        found = outcome(kind, pairs=pairs, before=before, after=after)
        table.add_row(
            "none" if np.isnan(kind.stated) else f"{kind.stated:.0%}",
            f"{kind.before:.0%}",
            f"{kind.after:.0%}",
            f"{found.false} of {pairs}",
            f"{found.starts * FALSE_WITHDRAWAL:.2f}",
            f"{np.median(found.after):.0f}, {found.after.max():.0f}" if len(found.after) else "",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
