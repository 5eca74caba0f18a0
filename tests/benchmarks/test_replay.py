from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.policies.policies import KPA, ORACLE
from benchmarks.replay import ORIGINS_AT_ONCE, STEPS_AT_ONCE, WARM_UP_S, Replay, ReplaySettings
from benchmarks.scores.score import PolicyScore
from benchmarks.traces.trace import Trace
from learner.demand import Demand
from learner.engine import NOTHING_SEEN
from learner.settings import LearnerSettings

LEARNER = LearnerSettings(max_rows=2000, rounds=10, windows=(0, 1, 2))
START_S = 1_612_051_200.0
FIT_STEPS, N_STEPS = 120, 180


def trace(n_steps: int = N_STEPS, **changes: Any) -> Trace:
    """A steady service, one every ten minutes, a rare one; seeded."""
    rng = np.random.default_rng(0)
    steps = np.arange(n_steps)
    counts = [rng.poisson(3.0, n_steps), 2 * (steps % 10 == 3), rng.random(n_steps) < 0.1]
    fields: dict[str, Any] = {
        "services": ("shop/browse", "shop/sync", "shop/refund"),
        "start_s": START_S,
        "step_s": 60.0,
        "counts": np.array(counts, dtype=np.float64),
        "duration_s": np.full((3, n_steps), 0.5),
        "kind": "counts",
    }
    return Trace(**fields | changes)


def settings(**changes: Any) -> ReplaySettings:
    fields: dict[str, Any] = {"fit_until_s": START_S + FIT_STEPS * 60.0, "learner": LEARNER}
    return ReplaySettings(**fields | changes)


def fitted(given: Trace, **changes: Any) -> Replay:
    replay = Replay(given, settings(**changes))
    replay.fit()
    return replay


def by_name(scores: list[PolicyScore]) -> dict[str, PolicyScore]:
    return {score.policy: score for score in scores}


@pytest.fixture(scope="module")
def finished() -> tuple[Replay, list[PolicyScore]]:
    replay = fitted(trace())
    return replay, replay.run()


def test_every_policy_meets_the_same_requests(finished: tuple[Replay, list[PolicyScore]]) -> None:
    replay, scores = finished
    from_s = replay.table.made_at_s[0] + WARM_UP_S
    arrived = int((replay.requests.arrival_s >= from_s).sum())
    assert len(scores) == len(replay.policies()) == 18
    assert all(abs(score.total.requests - arrived) <= 3 for score in scores)  # who waits at an end


def test_replays_the_whole_rest_and_scores_all_but_the_warm_up(
    finished: tuple[Replay, list[PolicyScore]],
) -> None:
    replay, scores = finished
    assert replay.scored_from_s == START_S + FIT_STEPS * 60.0 + WARM_UP_S
    assert replay.simulation.now == replay.demand.end_s
    assert replay.share_done == 1.0
    always = by_name(scores)["KPA, min-scale 1"].services[2]
    assert always.allocated_pod_s >= (N_STEPS - FIT_STEPS) * 60.0 - WARM_UP_S


def test_the_oracle_and_a_retained_pod_have_no_more_cold_requests_than_knative(
    finished: tuple[Replay, list[PolicyScore]],
) -> None:
    found = {name: score.total for name, score in by_name(finished[1]).items()}
    assert found[ORACLE].cold_requests < found[KPA].cold_requests
    assert found["KPA, retention 20 min"].cold_requests <= found[KPA].cold_requests
    assert found["KPA, retention 20 min"].allocated_pod_s > found[KPA].allocated_pod_s


def test_series_add_up_to_the_scores(finished: tuple[Replay, list[PolicyScore]]) -> None:
    replay, scores = finished
    n = len(replay.demand.services)
    for place, score in enumerate(scores):
        rows = slice(place * n, (place + 1) * n)
        assert replay.series.cold[rows].sum() == score.total.cold_requests
        pods_s = replay.series.pods[rows].sum() * 60.0
        assert pods_s == pytest.approx(score.total.allocated_pod_s, rel=1e-5)


def test_spans_beside_each_other_are_all_of_it(
    finished: tuple[Replay, list[PolicyScore]],
) -> None:
    _, scores = finished
    replay = fitted(trace())
    span_s = (replay.demand.end_s - replay.table.made_at_s[0] - WARM_UP_S) / 4
    in_spans = replay.run(span_s=span_s)
    spans = replay.simulation.spans
    assert (spans.number, replay.scored_from_s) == (4, spans.begin_s)
    assert replay.simulation.now == replay.demand.end_s
    assert replay.share_done == 1.0
    test_series_add_up_to_the_scores((replay, in_spans))
    for one, other in zip(in_spans, scores, strict=True):
        assert one.policy == other.policy
        assert one.total.requests == pytest.approx(other.total.requests, rel=0.05)
        assert one.total.cold_requests == pytest.approx(other.total.cold_requests, abs=1)
        if one.policy.startswith(KPA):
            assert one.total.allocated_pod_s == pytest.approx(other.total.allocated_pod_s, rel=0.05)


def test_the_last_bundle_is_of_the_last_step(finished: tuple[Replay, list[PolicyScore]]) -> None:
    replay, _ = finished
    bundle = replay.last_bundle()
    assert bundle.made_at_s == replay.demand.end_s - 60.0
    assert bundle.fitted_at_s == START_S + FIT_STEPS * 60.0
    np.testing.assert_array_equal(bundle.exceedance, replay.table.exceedance[:, -1])


def test_it_is_reported_every_few_steps() -> None:
    replay = fitted(trace(150))
    seen: list[tuple[float, float]] = []
    replay.run(lambda running: seen.append((running.simulation.now, running.share_done)))
    ends = replay.scored_from_s + 60.0 * np.arange(1, replay.series.pods.shape[1] + 1)
    steps = [*range(STEPS_AT_ONCE, len(ends), STEPS_AT_ONCE), len(ends)]
    assert [now for now, _ in seen] == [ends[step - 1] for step in steps]
    assert seen[-1] == (replay.demand.end_s, 1.0)


def test_progress_of_fitting_and_forecasting_is_reported() -> None:
    stages: list[str] = []
    Replay(trace(150), settings()).fit(progress=lambda what, share: stages.append(what))
    assert "forecasting" in stages
    assert "fitting" in stages


def test_the_same_seed_gives_the_same_scores_and_another_one_others() -> None:
    def scores(seed: int) -> list[PolicyScore]:
        return fitted(trace(145), seed=seed).run()

    first = scores(0)
    assert scores(0) == first
    assert scores(1) != first


def test_no_forecast_sees_what_comes_after_it() -> None:
    whole, cut = trace(), FIT_STEPS + 20
    counts, duration = whole.counts.copy(), whole.duration_s.copy()
    counts[-1, cut:] = 3.0  # only the last service's: instants are drawn service by service
    duration[:, cut:] = 20.0
    before = fitted(whole).table
    after = fitted(replace(whole, counts=counts, duration_s=duration)).table
    n_cells = before.exceedance.shape[3]
    np.testing.assert_array_equal(before.exceedance[:, :21], after.exceedance[:, :21, :, :n_cells])
    assert not after.exceedance[:, :21, :, n_cells:].any()
    assert not np.array_equal(before.exceedance, after.exceedance[..., :n_cells])


def test_forecasts_are_made_at_every_step_of_the_rest() -> None:
    table = fitted(trace(150)).table
    np.testing.assert_array_equal(table.made_at_s, START_S + 60.0 * np.arange(FIT_STEPS, 150))
    assert table.exceedance.shape[:3] == (3, 30, 2)


@pytest.mark.parametrize("other", [3.0, 90.0], ids=["beside smaller", "beside larger"])
def test_demand_that_outgrows_the_past_is_forecast_too(other: float) -> None:
    n_steps = FIT_STEPS + ORIGINS_AT_ONCE + 40
    whole = trace(n_steps, duration_s=np.full((3, n_steps), 20.0))
    whole.counts[0, -30:] = 60.0
    whole.counts[1] = other
    replay = fitted(whole)
    assert replay.table.exceedance.shape[1] == n_steps - FIT_STEPS
    greatest = replay.demand.peak[:, FIT_STEPS:].max(axis=1)
    assert (replay.table.demand_edges[:, -1] >= greatest).all()


def test_a_past_that_is_not_known_is_no_forecast_and_ends_as_knative() -> None:
    unknown = trace(90)
    unknown.counts[:, :30] = np.nan
    replay = fitted(unknown, fit_until_s=START_S + 30 * 60.0)
    found = by_name(replay.run())
    assert np.isnan(replay.table.exceedance).all()
    assert replay.table.reason == (NOTHING_SEEN,) * 3
    ours = replace(found["kn-ahead full @ 600 s"], policy=KPA)
    assert ours == found[KPA]


@pytest.mark.parametrize("steps", [1, 160])
def test_fit_until_may_be_anywhere_that_leaves_a_past_and_a_rest(steps: int) -> None:
    assert Replay(trace(), settings(fit_until_s=START_S + steps * 60.0)).first == steps


@pytest.mark.parametrize("seconds", [-60.0, 0.0, 161 * 60.0, 1e9, np.inf])
def test_fit_until_outside_the_trace_is_one_clear_line(seconds: float) -> None:
    with pytest.raises(PermanentError, match=r"fit-until is .*; allowed: > 0 and <= 9600 s"):
        Replay(trace(), settings(fit_until_s=START_S + seconds))


def test_a_trace_that_begins_between_two_seconds_is_refused() -> None:
    # Decisions are made at even seconds: the simulator's clock would never meet one.
    with pytest.raises(PermanentError, match=r"allowed: .*whole"):
        Replay(trace(start_s=START_S + 0.5), settings())


@pytest.mark.parametrize("step_s", [1.5, np.nan])
def test_a_step_that_is_no_whole_seconds_is_refused(step_s: float) -> None:
    with pytest.raises(PermanentError, match=r"allowed: .*whole"):
        Replay(trace(), settings(step_s=step_s))


def test_steps_of_one_second_are_replayed_to_the_end_and_no_further() -> None:
    replay = Replay(trace(42, step_s=30.0), settings(step_s=1.0, fit_until_s=START_S + 60.0))
    replay.fit()
    replay.run()
    assert replay.simulation.now == replay.demand.end_s
    assert replay.series.pods.shape[1] == 42 * 30 - 60 - int(WARM_UP_S)


def recorded(**changes: Any) -> Demand:
    """What a Prometheus would have recorded of the trace's past."""
    return replace(Replay(trace(150), settings()).demand.until(FIT_STEPS), **changes)


def test_a_recorded_past_equal_to_the_traces_own_changes_nothing() -> None:
    own, read = fitted(trace(150)), Replay(trace(150), settings())
    read.fit(recorded())
    np.testing.assert_array_equal(read.table.exceedance, own.table.exceedance)


def test_a_recorded_past_may_name_more_services_in_another_order() -> None:
    past = recorded()
    order = [2, 0, 1, 0]
    shuffled = replace(
        past,
        services=("shop/refund", "shop/browse", "shop/sync", "other/one"),
        arrivals=past.arrivals[order],
        peak=past.peak[order],
        capacity=past.capacity[order],
    )
    own, read = Replay(trace(150), settings()), Replay(trace(150), settings())
    read.fit(shuffled)
    assert read.demand.services == own.demand.services
    np.testing.assert_array_equal(read.demand.peak, own.demand.peak)


def test_the_recorded_past_is_learned_from() -> None:
    past = recorded()
    gappy = past.peak.copy()
    gappy[:, 5:9] = np.nan
    read = Replay(trace(150), settings())
    read.fit(replace(past, peak=gappy))
    assert np.isnan(read.demand.peak[:, 5:9]).all()
    assert not np.isnan(read.demand.peak[:, FIT_STEPS:]).any()


def test_a_service_that_the_recorded_past_lacks_is_named() -> None:
    lacking = recorded(services=("shop/browse", "shop/sync", "other/one"))
    with pytest.raises(PermanentError, match=r"'shop/refund'; it has shop/browse, shop/sync"):
        Replay(trace(150), settings()).fit(lacking)


def test_a_recorded_past_of_another_length_is_named() -> None:
    with pytest.raises(PermanentError, match=r"119 steps of 60 s; allowed: 120 of 60 s"):
        Replay(trace(150), settings()).fit(recorded().until(FIT_STEPS - 1))


def test_a_recorded_past_of_another_step_is_named() -> None:
    with pytest.raises(PermanentError, match=r"120 steps of 30 s; allowed: 120 of 60 s"):
        Replay(trace(150), settings()).fit(recorded(step_s=30.0))
