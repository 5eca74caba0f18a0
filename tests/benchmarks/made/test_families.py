"""Each made workload follows the law that its docstring states."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.made.families import FAMILIES, START_UP_S, make
from benchmarks.made.processes import DAY_S, HOUR_S, crowd, expected_calls, regular, swing, varying
from benchmarks.made.traffic import MadeTraffic
from benchmarks.traces.trace import read_trace

DAYS = 8
every_family = pytest.mark.parametrize("name", FAMILIES)


def calls_of(made: MadeTraffic) -> list[FloatArray]:
    return [made.requests.arrival_s[a:b] for a, b in pairwise(made.requests.offset)]


def dispersion(at_s: FloatArray, step_s: float = 600.0) -> float:
    """Variance of counts by their mean: 1 of a Poisson process."""
    counts = np.bincount((at_s / step_s).astype(np.int64), minlength=int(DAYS * DAY_S / step_s))
    return float(counts.var() / counts.mean())


def by_hour(at_s: FloatArray) -> FloatArray:
    """(24,) calls by hour of the day."""
    return np.bincount((at_s / HOUR_S).astype(np.int64) % 24, minlength=24).astype(np.float64)


@every_family
def test_calls_are_in_order_and_within_the_time(name: str) -> None:
    made = make(name, services=6, days=DAYS, seed=1)
    assert len(made.services) == len(set(made.services)) == len(made.start_up_s)
    assert all(service.startswith("made/") for service in made.services)
    assert sum(len(at) for at in calls_of(made)) == len(made.requests.service_s) > 0
    for at in calls_of(made):
        assert (np.diff(at) >= 0).all()
        assert ((at >= 0) & (at < DAYS * DAY_S)).all()
    assert (made.requests.service_s > 0).all()
    assert made.trace.counts.sum() == len(made.requests.arrival_s)


@every_family
def test_the_same_seed_makes_the_same_bytes(name: str, tmp_path: Path) -> None:
    def written(seed: int) -> bytes:
        path = tmp_path / "made.npz"
        make(name, services=4, days=2, seed=seed).write(path)
        return path.read_bytes()

    assert written(5) == written(5)
    assert written(5) != written(6)


@every_family
def test_what_is_written_is_read_as_the_trace_that_it_is(name: str, tmp_path: Path) -> None:
    made = make(name, services=3, days=2, seed=2)
    made.write(tmp_path / "made.npz")
    trace = read_trace(tmp_path / "made.npz")
    assert trace.services == made.services
    np.testing.assert_array_equal(trace.counts, made.trace.counts)
    np.testing.assert_allclose(trace.duration_s, made.trace.duration_s)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in {"chains", "fan_outs"}])
def test_there_are_as_many_services_as_asked_for_and_no_edges(name: str) -> None:
    made = make(name, services=5, days=1, seed=0)
    assert len(made.services) == 5
    assert not len(made.edges)


def test_poisson_has_nothing_to_learn() -> None:
    for at in calls_of(make("poisson", services=20, days=DAYS, seed=0)):
        assert 60 * 0.9 < DAYS * DAY_S / len(at) < 7200 * 1.3
        assert dispersion(at) == pytest.approx(1.0, abs=0.25)
        gaps = np.diff(at)
        assert gaps.std() == pytest.approx(gaps.mean(), rel=0.35)


def test_timers_have_one_period() -> None:
    for at in calls_of(make("timers", services=20, days=DAYS, seed=0)):
        gaps = np.diff(at)
        assert 59 < gaps.mean() < 3601
        assert gaps.std() == pytest.approx(np.sqrt(2), rel=0.3)  # of two exponential seconds


def test_sparse_services_come_again_after_about_as_long() -> None:
    for at in calls_of(make("sparse", services=20, days=DAYS, seed=0)):
        gaps = np.diff(at)
        assert gaps.max() <= 1.5 * gaps.min() * 1.05
        assert 180 <= gaps.min() <= 2400 * 1.02


def test_bursts_are_far_from_even() -> None:
    made = make("bursty", services=20, days=DAYS, seed=0)
    assert np.median([dispersion(at) for at in calls_of(made)]) > 2.5
    assert all(np.median(np.diff(at)) < 120 for at in calls_of(made))


def test_the_day_s_top_is_forty_times_its_bottom() -> None:
    grid_s = np.arange(0, DAY_S + 1, 60.0)
    factor = swing(grid_s, 0.3)
    assert factor.max() / factor.min() == pytest.approx(40.0, rel=0.01)
    for at in calls_of(make("diurnal", services=10, days=DAYS, seed=0)):
        hours = np.convolve(np.tile(by_hour(at), 2), np.ones(3))[2:26]  # three hours in a row
        assert hours.max() > 12 * hours.min()
        assert 60 * 0.3 < DAYS * DAY_S / len(at) < 2000 * 0.7  # the mean is twice the geometric


def test_a_varying_rate_brings_as_many_calls_as_expected() -> None:
    grid_s = np.array([0.0, 1000.0, 2000.0])
    expected = expected_calls(grid_s, np.array([0.0, 10.0, 0.0]))
    assert expected.tolist() == [0.0, 5000.0, 10_000.0]
    at = varying(np.random.default_rng(0), grid_s, expected)
    assert len(at) == pytest.approx(10_000, rel=0.05)
    assert (at < 1000).mean() == pytest.approx(0.5, abs=0.02)
    assert (at < 500).mean() == pytest.approx(0.25, abs=0.02)


def test_weekly_services_are_called_in_office_hours_only() -> None:
    for at in calls_of(make("weekly", services=10, days=14, seed=0)):
        assert ((at % DAY_S >= 8 * HOUR_S) & (at % DAY_S < 18 * HOUR_S)).all()
        assert (at // DAY_S % 7 < 5).all()
        assert len(np.unique(at // DAY_S)) == 10


def test_a_crowd_doubles_every_five_minutes_three_times() -> None:
    grid_s = np.arange(0.0, 7200.0, 60.0)
    factor = crowd(grid_s, 600.0)
    at = dict(zip(grid_s.tolist(), factor.tolist(), strict=True))
    assert [at[600.0], at[900.0], at[1200.0], at[1500.0]] == [1, 2, 4, 8]
    assert (at[2400.0], at[3000.0], at[4200.0]) == (8, 4, 1)
    made = make("flash_crowd", services=10, days=DAYS, seed=0)
    n_crowds = 0
    for counts in made.trace.counts.reshape(10, -1, 5).sum(axis=2):
        usual = np.median(counts)
        n_crowds += int((np.diff((counts > 5 * usual).astype(int)) == 1).sum() > 0)
        assert counts.max() < 12 * usual + 30
    assert n_crowds >= 8  # of ten, where each has a crowd a day on average


def test_a_drift_changes_the_level_and_not_the_hours() -> None:
    made = make("drift", services=30, days=14, seed=0)
    ratios = [np.log2((at > 7 * DAY_S).sum() / (at <= 7 * DAY_S).sum()) for at in calls_of(made)]
    per_week = np.abs(ratios)
    assert np.median(per_week) > 0.5 * 0.8  # halves or doubles every 14 days at least
    assert per_week.max() < 7 / 3 * 1.2
    assert 8 < sum(ratio > 0 for ratio in ratios) < 22  # up as often as down


def test_a_release_changes_start_up_in_the_middle() -> None:
    made = make("release", services=200, days=2, seed=0)
    assert made.start_up_from_s.tolist() == [0.0, DAY_S]
    before, after = made.start_up_s.T
    change = np.maximum(before, after) / np.minimum(before, after)
    assert ((change >= 3) & (change <= 6)).all()
    assert ((made.start_up_s.min(axis=1) >= 2) & (made.start_up_s.min(axis=1) <= 8)).all()
    assert 0.4 < (after > before).mean() < 0.6


def test_an_outage_stops_all_and_they_come_back_twice_as_often() -> None:
    made = make("outage", services=200, days=3, seed=0)
    total = made.trace.counts.sum(axis=0)
    quiet = np.flatnonzero(total == 0)
    first, last = int(quiet[0]), int(quiet[-1])
    assert last - first + 1 == len(quiet)  # one outage
    assert 28 <= len(quiet) <= 122
    assert first >= len(total) * 2 // 3
    back, then = total[last + 3 : last + 9].mean(), total[last + 15 : last + 45].mean()
    assert back / then == pytest.approx(2.0, rel=0.2)


def test_after_clocks_change_all_comes_an_hour_earlier() -> None:
    made = make("dst_change", services=10, days=14, seed=0)
    for at in calls_of(made):
        before, after = at[at < 7 * DAY_S], at[at >= 7 * DAY_S]
        assert np.flatnonzero(by_hour(before)).tolist() == list(range(8, 18))
        assert np.flatnonzero(by_hour(after)).tolist() == list(range(7, 17))


def test_large_models_take_minutes_to_start_and_seconds_to_answer() -> None:
    made = make("slow_start", services=100, days=2, seed=0)
    assert ((made.start_up_s >= 120) & (made.start_up_s <= 300)).all()
    assert made.start_up_s.std() > 30
    assert np.median(made.requests.service_s) == pytest.approx(20.0, rel=0.1)
    assert (make("sparse", services=3, days=2, seed=0).start_up_s == START_UP_S).all()


def test_each_service_of_a_chain_calls_the_next_at_once() -> None:
    made = make("chains", services=14, days=2, seed=0)
    assert len(made.services) == 14
    assert len(made.edges) == 1 + 3 + 7
    at = calls_of(made)
    for caller, callee in made.edges:
        assert len(at[caller]) == len(at[callee])
        np.testing.assert_allclose(at[callee] - at[caller], 0.05, atol=1e-3)


def test_calls_fan_out_along_the_graph_s_edges() -> None:
    made = make("fan_outs", services=20, days=2, seed=0)
    at, out = calls_of(made), np.bincount(made.edges[:, 0], minlength=len(made.services))
    assert out.max() >= 2  # some call several
    for callee in np.unique(made.edges[:, 1]):
        callers = np.concatenate([at[a] for a, b in made.edges if b == callee])
        assert len(at[callee]) <= len(callers)


def test_recorded_graphs_give_shapes_to_fan_outs() -> None:
    graphs = [
        {
            "service": "checkout",
            "edges": [
                ["0", "USER", "MS_1", "http", 0, 90],
                ["0.1", "MS_1", "MS_2", "rpc", 10, 20],
                ["0.2", "MS_1", "MS_3", "rpc", 10, 30],
            ],
        }
    ]
    made = make("fan_outs", services=1, days=1, seed=0, graphs=graphs)
    at = calls_of(made)
    assert made.services == ("made/ms-1", "made/ms-2", "made/ms-3")
    assert made.edges.tolist() == [[0, 1], [0, 2]]
    np.testing.assert_allclose(at[2] - at[0], 0.01, atol=1e-3)
    with pytest.raises(PermanentError, match="graphs for 'poisson'; allowed: for fan_outs"):
        make("poisson", services=1, days=1, seed=0, graphs=graphs)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda: make("steady", services=1, days=1, seed=0),
            "made workload 'steady'; allowed: diu",
        ),
        (
            lambda: make("poisson", services=0, days=1, seed=0),
            "0 services and 1 days; allowed: one",
        ),
        (
            lambda: make("poisson", services=1, days=0, seed=0),
            "1 services and 0 days; allowed: one",
        ),
    ],
)
def test_what_cannot_be_made_is_named(wrong: Callable[[], MadeTraffic], said: str) -> None:
    with pytest.raises(PermanentError) as caught:
        wrong()
    assert said in str(caught.value)


def test_a_parameter_that_is_given_is_not_drawn() -> None:
    gaps = np.diff(regular(np.random.default_rng(0), DAY_S, 600.0))
    assert ((gaps >= 600) & (gaps <= 900)).all()


def test_every_family_says_its_law() -> None:
    assert all(len(family.__doc__ or "") > 40 for family in FAMILIES.values())
