"""Counted bit by bit, evidence is what it would be counted at once; it outlives a restart."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError, TransientError
from learner.dependencies.activity import OBSERVATION_S, Activity
from learner.dependencies.busy_periods import busy_periods_of
from learner.dependencies.start_search import REREAD_S, WINDOW_S, StartSearch
from learner.dependencies.starts.evidence import gather
from learner.dependencies.starts.evidence_file import load_evidence

T0 = 1_700_000_010.0
HOUR_S = 3600.0
FOUND = {
    ("shop/a", "shop/b"),
    ("till/hourly", "till/nightly"),
    ("till/nightly", "till/hourly"),
}


class Recorded:
    """Calls, as they would have been seen at any time."""

    def __init__(self, calls: dict[str, FloatArray]) -> None:
        self.calls = calls
        self.asked: list[tuple[float, float]] = []
        self.gone = False

    def read(self, *, start_s: float, end_s: float) -> Activity:
        self.asked.append((start_s, end_s))
        if self.gone:
            raise TransientError("Prometheus cannot be reached")
        seen = {name: at[at <= end_s] for name, at in self.calls.items() if at[0] <= end_s}
        started, last_calls = {}, {}
        for name, at in seen.items():
            new = np.diff(at, prepend=-np.inf) >= 60.0
            starts, ends = at[new], at[np.append(new[1:], True)]
            first = max(int(np.searchsorted(starts, start_s, "right")) - 1, 0)
            started[name], last_calls[name] = starts[first:], ends[ends >= start_s]
        since_s = np.ceil(start_s / OBSERVATION_S) * OBSERVATION_S
        observed_s = np.arange(since_s, end_s, OBSERVATION_S)
        return Activity(starts=started, last_calls=last_calls, observed_s=observed_s)


def calls(span_s: float, seed: int = 1) -> dict[str, FloatArray]:
    """A calls b; an hourly pair comes together; one is on its own."""
    rng = np.random.default_rng(seed)
    a = T0 + np.sort(rng.uniform(0.0, span_s, int(span_s / 400.0)))
    due = T0 + np.arange(100.0, span_s, HOUR_S)
    return {
        "shop/a": a,
        "shop/b": a[rng.random(len(a)) < 0.8] + 2.0,
        "till/hourly": due + np.abs(0.2 * rng.standard_normal(len(due))),
        "till/nightly": due + np.abs(0.2 * rng.standard_normal(len(due))),
        "till/own": T0 + np.sort(rng.uniform(0.0, span_s, int(span_s / 500.0))),
    }


def pairs(edges: Edges) -> set[tuple[str, str]]:
    ends = zip(edges.upstream, edges.downstream, strict=True)
    return {(edges.services[up], edges.services[down]) for up, down in ends}


def test_bit_by_bit_is_as_at_once(tmp_path: Path) -> None:
    span_s = 8 * HOUR_S
    source = Recorded(calls(span_s))
    start_search = StartSearch(source, tmp_path / "evidence.npz")
    for minute in range(30, int(span_s / 60.0) + 1, 3):
        start_search.update(T0 + 60.0 * minute)
    part = load_evidence(tmp_path / "evidence.npz")
    names = tuple(sorted(source.calls))
    who = np.repeat(np.arange(len(names)), [len(source.calls[name]) for name in names])
    at = np.concatenate([source.calls[name] for name in names])
    whole = gather(busy_periods_of(names, who, at, since_s=T0, until_s=part.until_s))
    assert part.services == whole.services
    assert part.until_s > T0 + span_s - REREAD_S - 700.0
    # What was counted hours ago has decayed by some percent.
    np.testing.assert_array_equal(part.pair, whole.pair)
    for name in ("starts", "trials", "expected", "followed"):
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name), rtol=0.06, atol=1.5)
    assert ("shop/a", "shop/b") in pairs(start_search.edges)


def test_after_a_day_the_call_is_known_and_that_timers_come_together(
    tmp_path: Path,
) -> None:
    start_search = StartSearch(Recorded(calls(30 * HOUR_S)), tmp_path / "evidence.npz")
    for half_hour in range(1, 61):
        start_search.update(T0 + 1800.0 * half_hour)
    assert pairs(start_search.edges) == FOUND


def test_at_first_two_days_are_read_then_what_is_new(tmp_path: Path) -> None:
    source = Recorded(calls(HOUR_S))
    start_search = StartSearch(source, tmp_path / "evidence.npz")
    for now in (T0 + HOUR_S, T0 + HOUR_S + 60.0):
        start_search.update(now)
    source.gone = True
    with pytest.raises(TransientError):
        start_search.update(T0 + HOUR_S + 120.0)
    source.gone = False
    start_search.update(T0 + HOUR_S + 180.0)
    begun = [T0 + HOUR_S + ago for ago in (-WINDOW_S, -REREAD_S, 60 - REREAD_S, 60 - REREAD_S)]
    assert [start for start, _ in source.asked] == begun


def test_a_restart_goes_on_where_counting_had_come_to(tmp_path: Path) -> None:
    span_s = 12 * HOUR_S
    recorded = calls(span_s)
    first = StartSearch(Recorded(recorded), tmp_path / "evidence.npz")
    first.update(T0 + 6 * HOUR_S)
    before = load_evidence(tmp_path / "evidence.npz")
    second = StartSearch(Recorded(recorded), tmp_path / "evidence.npz")
    second.restore(T0 + 9 * HOUR_S)
    assert pairs(second.edges) == pairs(first.edges) >= {("shop/a", "shop/b")}
    second.update(T0 + span_s)
    after = load_evidence(tmp_path / "evidence.npz")
    once = StartSearch(Recorded(recorded), tmp_path / "once.npz")
    once.update(T0 + span_s)
    at_once = load_evidence(tmp_path / "once.npz")
    assert before.trials.sum() < after.trials.sum()
    np.testing.assert_allclose(after.trials, at_once.trials, rtol=0.06, atol=1.5)


def test_evidence_of_the_future_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evidence.npz"
    StartSearch(Recorded(calls(6 * HOUR_S)), path).update(T0 + 6 * HOUR_S)
    with pytest.raises(PermanentError, match="which is to come; allowed: up to"):
        StartSearch(Recorded({}), path).restore(T0)


def test_services_that_went_are_forgotten_when_hardly_anything_is_left_of_them(
    tmp_path: Path,
) -> None:
    early, path = calls(6 * HOUR_S), tmp_path / "evidence.npz"
    later_s = 80 * 86_400.0
    late = {f"new/{name[5:]}": at + later_s for name, at in calls(6 * HOUR_S, seed=2).items()}
    start_search = StartSearch(Recorded(early | late), path)
    start_search.update(T0 + 6 * HOUR_S)
    assert set(load_evidence(path).services) == set(early)
    start_search.update(T0 + later_s + 6 * HOUR_S)
    kept = load_evidence(path)
    assert set(kept.services) == set(late)
    assert ("new/a", "new/b") in pairs(start_search.edges)


def test_a_place_that_cannot_be_written_is_said_and_edges_stay(tmp_path: Path) -> None:
    start_search = StartSearch(Recorded(calls(6 * HOUR_S)), tmp_path / "missing" / "evidence.npz")
    with pytest.raises(PermanentError, match="cannot be written"):
        start_search.update(T0 + 6 * HOUR_S)
    assert pairs(start_search.edges) == FOUND
