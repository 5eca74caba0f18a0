"""Results of a replay as a table, a JSON file and an HTML report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.core.prediction.forecasts import demand_at
from autoscaler.core.types import FloatArray
from autoscaler.files import whole_file
from benchmarks.policies.policies import (
    ALWAYS,
    COPY,
    FULL,
    KPA,
    ORACLE,
    OUTWARD,
    RETENTION,
    priced,
)
from benchmarks.replay import Replay
from benchmarks.report.figures import Curve, Timeline
from benchmarks.report.page import Report, Section
from benchmarks.scores.score import PolicyScore

COLUMNS = (
    "policy",
    "cold",
    "rate",
    "p75",
    "p99, s",
    "pod-h",
    "memory",
    "starts",
)
BAND = (0.5, 0.9, 0.99)
NOTES = (
    "The time within its step at which a request arrives is drawn (uniform, seeded): synthetic.",
    "cold: requests that waited for a pod that was not ready when they arrived; rate: their share; "
    "p75: the 75th percentile of the services' rates; p99: of waits, s; pod-h: pod-hours; starts: "
    "pods started.",
    "memory: normalised, pod-seconds from creation to gone / pod-seconds with a request in flight.",
    "Forecasts are fitted on the time before the replayed part, and each is made from the steps "
    "before its own. The oracle knows each step's peak in advance, and decides as kn-ahead does; "
    "as a week ago: what came in the same minute of the week before is expected again.",
    "outward: forecasts only add pods to Knative's answer. full: they may also remove pods early, "
    "never below the demand of the panic window.",
)


def rows(scores: Sequence[PolicyScore]) -> list[tuple[str, ...]]:
    """The table's cells, as `COLUMNS` names them."""
    return [
        (
            s.policy,
            f"{s.total.cold_requests:,}",
            percent(s.total.cold_rate),
            percent(s.cold_rate_p75),
            f"{s.total.wait_s['p99']:.2f}",
            f"{s.total.allocated_pod_s / 3600:,.1f}",
            f"{s.total.normalised_memory:.1f}",
            f"{s.total.pods_started:,}",
        )
        for s in scores
    ]


def percent(share: float) -> str:
    """Three digits, two decimals at most.

    >>> percent(1.0), percent(0.2861), percent(0.00434), percent(0.0)
    ('100%', '28.6%', '0.43%', '0%')
    """
    if share >= 0.0995:
        return f"{100 * share:.3g}%"
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def headline(scores: Sequence[PolicyScore], price_s: float) -> list[PolicyScore]:
    """The scores without those of other prices."""
    shown = {priced(name, price_s) for name in (OUTWARD, FULL)}
    return [s for s in scores if "@" not in s.policy or s.policy in shown]


def write_json(
    replay: Replay, scores: Sequence[PolicyScore], path: Path, **more: Mapping[str, Any]
) -> None:
    """Write settings and scores, per policy and service, and more."""
    found = {
        "settings": asdict(replay.settings),
        "services": list(replay.demand.services),
        "models": list(replay.table.model),
        "policies": [s.as_json() for s in scores],
        **more,
    }
    with whole_file(path) as file:
        file.write(json.dumps(found, indent=1).encode())


def report(
    replay: Replay,
    scores: Sequence[PolicyScore],
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    service: str = "",
    said: Sequence[str] = (),
    sections: Sequence[Section] = (),
) -> Report:
    """The page. service: shown over time; by default the one with most cold requests under KPA."""
    shown = service or coldest(scores)
    return Report(
        title=title,
        said=tuple(said),
        sections=tuple(sections),
        facts=tuple(facts),
        columns=COLUMNS,
        rows=tuple(rows(headline(scores, replay.settings.price_s))),
        curves=_curves(scores),
        timelines=(_timeline(replay, shown),),
        notes=NOTES,
    )


def coldest(scores: Sequence[PolicyScore]) -> str:
    """The service with most cold requests under Knative's own rule."""
    kpa = next(s for s in scores if s.policy == KPA)
    return max(kpa.services, key=lambda s: s.cold_requests).service


def _curves(scores: Sequence[PolicyScore]) -> tuple[Curve, ...]:
    names = {s.policy: s for s in scores}
    sweeps = {mode: [n for n in names if n.startswith(mode)] for mode in (OUTWARD, FULL)}
    retained = [KPA, *(n for n in names if n.startswith(RETENTION))]
    lines = [(mode, found, "@ ") for mode, found in sweeps.items()] + [
        (RETENTION, retained, RETENTION)
    ]
    return (
        *(_curve(name, [names[n] for n in found], cut, line=True) for name, found, cut in lines),
        *(_curve(n, [names[n]], n, line=False) for n in (KPA, ALWAYS, COPY, ORACLE) if n in names),
    )


def _curve(name: str, found: Sequence[PolicyScore], cut: str, *, line: bool) -> Curve:
    return Curve(
        name=name,
        normalised_memory=np.array([s.total.normalised_memory for s in found]),
        cold_rate=np.array([s.total.cold_rate for s in found]),
        labels=tuple(s.policy.partition(cut)[2].strip() for s in found),
        line=line,
    )


def _timeline(replay: Replay, service: str) -> Timeline:
    lines, n = replay.series, len(replay.demand.services)
    i = replay.demand.services.index(service)
    origins = slice(len(replay.table.made_at_s) - lines.pods.shape[1], None)
    policies = {p.name: at * n + i for at, p in enumerate(replay.simulation.policies)}
    shown = (KPA, priced(FULL, replay.settings.price_s))
    return Timeline(
        service=service,
        start_s=float(replay.table.made_at_s[origins][0]),
        step_s=replay.settings.step_s,
        peak=replay.demand.peak[i, replay.first :][origins].astype(float),
        band=tuple((q, _quantile(replay, i, q)[origins]) for q in BAND),
        pods=tuple((name, lines.pods[policies[name]].astype(float)) for name in shown),
        cold=tuple((name, lines.cold[policies[name]].astype(float)) for name in shown),
    )


def _quantile(replay: Replay, i: int, q: float) -> FloatArray:
    """(n_origins,) demand at a quantile over each origin's own step."""
    curves = replay.table.exceedance[i, :, :1]
    edges = np.broadcast_to(replay.table.demand_edges[i], (len(curves), curves.shape[2] + 1))
    return demand_at(curves, edges, np.array([[1.0 - q]]))[:, 0]
