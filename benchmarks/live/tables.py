"""What a run found, as tables: each policy beside Knative's rule, and at equal pod-seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.live.kinds import Kind
from benchmarks.live.outcome import Outcome
from benchmarks.live.policies import KNATIVE
from benchmarks.live.run import Run
from benchmarks.live.scores import QUANTILES, Counts, Score, counted, gone_at, scores
from benchmarks.report.page import Section
from benchmarks.scores.resampling import Estimate

BUDGETS = (1.0, 1.2, 1.5, 2.0)  # times Knative's pod-seconds
COLUMNS = ("policy", "cold", "gone", "pod-s", "times Knative's", "starts")
PARTS = ("scheduled", "started", "ready", "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run, and what was counted of it."""

    run: Run
    counts: Counts

    @classmethod
    def of(cls, run: Run) -> "Found":
        """Count a run."""
        return cls(
            run=run,
            counts=counted(run.copies, run.answers, run.pods, run.asked.span, run.begin_s),
        )

    @property
    def groups(self) -> dict[str, tuple[Kind, ...]]:
        """Kinds that are looked at together."""
        kinds = self.counts.kinds
        regular = tuple(kind for kind in kinds if kind.regular)
        groups = {"all kinds": kinds}
        if 0 < len(regular) < len(kinds):
            groups[", ".join(kind.name for kind in regular)] = regular
        return groups


def sections(found: Found) -> list[Section]:
    """All tables, those of all kinds first."""
    counts = found.counts
    tables = [
        _policies(f"{name}, {_n(counts, kinds):,} requests under each policy", counts, kinds)
        for name, kinds in found.groups.items()
    ]
    tables += [_equal_pods(found), _outcomes(found), _latencies(found)]
    tables += [
        _policies(f"{kind.name}: {kind.meaning}", counts, (kind,))
        for kind in counts.kinds
        if len(counts.kinds) > 1
    ]
    return [*tables, _start_up(found)]


def _n(counts: Counts, kinds: Sequence[Kind]) -> int:
    return scores(counts, kinds)[0].requests


def _policies(title: str, counts: Counts, kinds: Sequence[Kind]) -> Section:
    rows = tuple(_row(score) for score in scores(counts, kinds))
    return Section(title, COLUMNS, rows)


def _row(score: Score) -> tuple[str, ...]:
    alone = score.policy.name == KNATIVE
    return (
        named(score.policy.name),
        f"{score.cold:,}",
        "" if alone else _percent(score.gone),
        f"{score.pod_s:,.0f}",
        "" if alone else _times(score.pods),
        f"{score.starts:,}",
    )


def named(policy: str) -> str:
    """A policy, for people."""
    return "Knative (off)" if policy == KNATIVE else policy


def _percent(found: Estimate) -> str:
    """A share with its interval.

    >>> _percent(Estimate(value=0.8, low=0.7, high=0.85))
    '80 % (70 to 85)'
    """
    if np.isnan(found.value):
        return "none"
    return f"{100 * found.value:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f})"


def _times(found: Estimate) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _equal_pods(found: Found) -> Section:
    rows = tuple(
        (f"{budget:g}", *(_percent(gone_at(found.counts, kinds, budget)) for kinds in groups))
        for groups in [found.groups.values()]
        for budget in BUDGETS
    )
    return Section(
        "Cold requests gone by mode full at a multiple of Knative's pod-seconds",
        ("pod-seconds", *found.groups),
        rows,
    )


def _outcomes(found: Found) -> Section:
    rows = tuple(
        (named(each.policy.name), *(f"{each.outcomes[outcome]:,}" for outcome in Outcome))
        for each in scores(found.counts, found.counts.kinds)
    )
    return Section("What requests met", ("policy", *(o.value for o in Outcome)), rows)


def _latencies(found: Found) -> Section:
    rows = tuple(
        (named(each.policy.name), *(f"{value:.2f} s" for value in each.latency_s))
        for each in scores(found.counts, found.counts.kinds)
    )
    columns = ("policy", *(f"p{100 * quantile:g}" for quantile in QUANTILES))
    return Section("Latency from when a request was meant to be sent", columns, rows)


def _start_up(found: Found) -> Section:
    rows = []
    for kind in found.counts.kinds:
        revisions = {r for c in found.run.copies if c.kind == kind for r in c.revisions}
        parts = [p.parts for p in found.run.pods if p.revision in revisions and "total" in p.parts]
        means = [np.mean([p[part] for p in parts if part in p] or [np.nan]) for part in PARTS]
        said = ("none" if np.isnan(mean) else f"{mean:.1f} s" for mean in means)
        rows.append((kind.name, f"{len(parts):,}", *said))
    columns = ("kind", "starts", "scheduled", "containers up", "ready", "in all")
    return Section("A start by parts, means of whole seconds", columns, tuple(rows))


def verdict(found: Found) -> str:
    """What a reader should remember."""
    name, kinds = list(found.groups.items())[-1]
    at = {budget: gone_at(found.counts, kinds, budget) for budget in (1.2, 1.5)}
    told = [
        f"{_percent(gone)} at {b:g} times" for b, gone in at.items() if not np.isnan(gone.value)
    ]
    if not told:
        return (
            f"No price of mode full was measured within 1.5 times Knative's pod-seconds ({name})."
        )
    return (
        f"Of Knative's cold requests were gone ({name}): {', '.join(told)} its pod-seconds, from"
        " creation to gone."
    )
