"""A run as JSON: its scores, and every request and pod."""

from json import dumps
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.files import whole_file
from benchmarks.live.outcome import Outcomes
from benchmarks.live.report import facts
from benchmarks.live.scores import QUANTILES, Score, gone_at, scores
from benchmarks.live.tables import BUDGETS, Found, verdict
from benchmarks.scores.resampling import Estimate


def write_json(found: Found, path: Path) -> None:
    """Write scores, and every request and pod. Raises PermanentError."""
    with whole_file(path) as file:
        file.write(dumps(as_json(found), indent=1, allow_nan=False).encode())


def as_json(found: Found) -> dict[str, Any]:
    """Scores, and every request and pod, Unix s; null = not known, or it has not happened."""
    run, counts = found.run, found.counts
    judged = Outcomes(run.pods)
    groups = found.groups | {kind.name: (kind,) for kind in counts.kinds}
    return {
        "facts": dict(facts(found)),
        "verdict": verdict(found),
        "begin_s": run.begin_s,
        "gaps_of_the_watch": run.gaps,
        "scores": {
            name: [_score(score) for score in scores(counts, kinds)]
            for name, kinds in groups.items()
        },
        "gone_at_equal_pod_seconds": {
            name: {f"{budget:g}": _estimate(gone_at(counts, kinds, budget)) for budget in BUDGETS}
            for name, kinds in groups.items()
        },
        "requests": [
            {
                "kind": run.copies[a.copy].kind.name,
                "policy": run.copies[a.copy].policy.name,
                "intended_s": a.intended_s,
                "sent_s": a.sent_s,
                "done_s": a.done_s,
                "status": a.status,
                "outcome": judged.of(a, run.copies[a.copy].revisions).value,
                "pods": a.words[:8],
            }
            for a in run.answers
        ],
        "pods": [
            {
                "name": pod.name,
                "revision": pod.revision,
                "created_s": pod.created_s,
                "ready_s": _known(pod.ready_s),
                "deleted_s": _known(pod.deleted_s),
                "gone_s": _known(pod.gone_s),
                "parts": dict(pod.parts),
            }
            for pod in run.pods
        ],
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "policy": score.policy.name,
        "requests": score.requests,
        "cold": score.cold,
        "outcomes": {outcome.value: n for outcome, n in score.outcomes.items()},
        "pod_s": score.pod_s,
        "starts": score.starts,
        "gone": _estimate(score.gone),
        "pods": _estimate(score.pods),
        "latency_s": {
            f"p{100 * q:g}": _known(value)
            for q, value in zip(QUANTILES, score.latency_s.tolist(), strict=True)
        },
    }


def _estimate(found: Estimate) -> dict[str, float | None]:
    return {"value": _known(found.value), "low": _known(found.low), "high": _known(found.high)}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
