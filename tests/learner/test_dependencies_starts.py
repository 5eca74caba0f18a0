"""Whose starts follow whose: planted pulls are found, coincidence is not."""

import numpy as np
import pytest

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError
from learner.dependencies.busy_periods import BusyPeriods, busy_periods_of
from learner.dependencies.starts.coincidences import StartRules, following, trials, watched
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import Evidence, added, faded, gather

DAY_S = 86400.0


def busy_periods(calls: dict[str, FloatArray], span_s: float = DAY_S) -> BusyPeriods:
    """Spells of the calls of each service."""
    at = np.concatenate(list(calls.values()))
    who = np.repeat(np.arange(len(calls)), [len(t) for t in calls.values()])
    return busy_periods_of(tuple(calls), who, at, since_s=0.0, until_s=span_s)


def found(calls: dict[str, FloatArray], span_s: float = DAY_S) -> dict[tuple[str, str], int]:
    edges = edges_from_starts(gather(busy_periods(calls, span_s)))
    return by_name(edges)


def by_name(edges: Edges) -> dict[tuple[str, str], int]:
    ends = zip(edges.upstream, edges.downstream, strict=True)
    return {(edges.services[a], edges.services[b]): i for i, (a, b) in enumerate(ends)}


def poisson(rng: np.random.Generator, n: int, span_s: float = DAY_S) -> FloatArray:
    return np.sort(rng.uniform(0.0, span_s, n))


def late(rng: np.random.Generator, n: int, deviation_s: float = 0.3) -> FloatArray:
    return np.abs(deviation_s * rng.standard_normal(n))


def test_a_planted_pull_is_found_with_its_direction_lag_and_gain() -> None:
    rng = np.random.default_rng(1)
    a = poisson(rng, 200)
    b = a[rng.random(200) < 0.6] + 2.0
    calls = {"a": a, "b": b, "other": poisson(rng, 200), "more": poisson(rng, 300)}
    edges = edges_from_starts(gather(busy_periods(calls)))
    assert set(by_name(edges)) == {("a", "b")}
    assert edges.lag_s[0] == pytest.approx(2.0, abs=0.2)
    assert edges.gain[0] == pytest.approx(0.6, abs=0.12)
    assert edges.probability[0] >= edges.gain[0]
    assert edges.confidence[0] > 0.99
    assert edges.direct.all()
    assert edges.seen_at_s[0] == pytest.approx(b.max(), abs=1e-6)


def test_who_comes_between_explains_the_far_end() -> None:
    rng = np.random.default_rng(2)
    a = poisson(rng, 150)
    chain = {"a": a, "b": a + 2.0, "c": a + 4.0, "d": a + 6.0}
    edges = edges_from_starts(gather(busy_periods(chain)))
    ends = by_name(edges)
    assert set(ends) == {(x, y) for x, y in ("ab", "ac", "ad", "bc", "bd", "cd")}
    assert {e for e, i in ends.items() if edges.direct[i]} == {("a", "b"), ("b", "c"), ("c", "d")}


def test_a_cycle_is_found_both_ways() -> None:
    rng = np.random.default_rng(3)
    starts = poisson(rng, 300)
    by_a, by_b = starts[::2], starts[1::2]
    calls = {
        "a": np.concatenate([by_a, by_b + 2.0]),
        "b": np.concatenate([by_a + 2.0, by_b]),
        "other": poisson(rng, 100),
    }
    assert set(found(calls)) == {("a", "b"), ("b", "a")}


def test_day_and_night_make_no_edges() -> None:
    rng = np.random.default_rng(4)
    calls: dict[str, FloatArray] = {}
    for i in range(30):
        at = poisson(rng, 3000, 3 * DAY_S)
        day = np.maximum(np.sin(2 * np.pi * at / DAY_S), 0.0)
        calls[f"s{i}"] = at[rng.random(len(at)) < 0.7 * day]
    assert found(calls, 3 * DAY_S) == {}


@pytest.mark.parametrize("jitter_s", [0.0, 0.05, 0.3])
def test_timers_of_one_period_and_phase_make_no_edges(jitter_s: float) -> None:
    rng = np.random.default_rng(5)
    due = np.arange(30.0, 3 * DAY_S, 600.0)
    calls = {f"s{i}": due + late(rng, len(due), jitter_s) for i in range(6)}
    half = np.arange(30.0, 3 * DAY_S, 300.0)
    calls["faster"] = half + 3.0 + late(rng, len(half), jitter_s)
    assert found(calls, 3 * DAY_S) == {}


def test_a_timer_whose_lateness_is_passed_on_is_a_caller() -> None:
    rng = np.random.default_rng(6)
    due = np.arange(30.0, 3 * DAY_S, 600.0)
    calls: dict[str, FloatArray] = {}
    for name in ("one", "two"):
        runs = due + late(rng, len(due))
        wait = [2.0 * np.exp(0.1 * rng.standard_normal(len(due))) for _ in range(2)]
        calls |= {name: runs, f"{name}-next": runs + wait[0], f"{name}-last": runs + sum(wait)}
    assert set(found(calls, 3 * DAY_S)) == {
        (f"{name}{x}", f"{name}{y}")
        for name in ("one", "two")
        for x, y in (("", "-next"), ("", "-last"), ("-next", "-last"))
    }


def test_loops_of_one_period_that_drift_side_by_side_make_no_edges() -> None:
    rng = np.random.default_rng(13)
    calls = {}
    for i in range(5):
        calls[f"s{i}"] = 30.0 + np.cumsum(300.0 + late(rng, 800, 0.05))
    assert found(calls, 3 * DAY_S) == {}


def test_a_loop_that_drifts_and_what_it_calls_are_an_edge() -> None:
    rng = np.random.default_rng(14)
    a = 30.0 + np.cumsum(300.0 + late(rng, 800, 0.2))
    b = a + 2.0 * np.exp(0.1 * rng.standard_normal(800))
    assert set(found({"a": a, "b": b}, 3 * DAY_S)) == {("a", "b")}


def test_a_timer_at_its_usual_time_does_not_hide_a_caller_at_others() -> None:
    rng = np.random.default_rng(7)
    due = np.arange(30.0, DAY_S, 1800.0)
    a = poisson(rng, 150)
    assert set(found({"a": a, "b": np.concatenate([due, a + 2.0])})) == {("a", "b")}


def test_timers_among_many_other_callers_make_no_edge() -> None:
    """A quarter of the starts of each come by a timer, of one period and some seconds apart."""
    rng = np.random.default_rng(15)
    due = np.arange(30.0, 3 * DAY_S, 900.0)
    calls = {
        "a": np.concatenate([due + late(rng, len(due)), poisson(rng, 900, 3 * DAY_S)]),
        "b": np.concatenate([due + 15.0 + late(rng, len(due)), poisson(rng, 900, 3 * DAY_S)]),
    }
    assert found(calls, 3 * DAY_S) == {}


def test_timers_whose_lateness_keeps_time_make_no_edge() -> None:
    """Every fifth run of both finds something cold: they are late together, and always will be."""
    rng = np.random.default_rng(16)
    due = np.arange(30.0, 3 * DAY_S, 120.0)
    cold = np.where(np.arange(len(due)) % 5 == 0, 1.5, 0.0)
    calls = {name: due + after + cold + late(rng, len(due)) for name, after in (("a", 0), ("b", 4))}
    assert found(calls, 3 * DAY_S) == {}


def test_who_wakes_a_gateway_for_another_does_not_call_it() -> None:
    """A wakes the gateway that B's calls go through, every third time: B keeps its clock anyway."""
    rng = np.random.default_rng(17)
    due = np.arange(30.0, 3 * DAY_S, 300.0)
    a, b = due[::3] + late(rng, len(due[::3])), due + late(rng, len(due))
    woken = b.copy()
    woken[::3] = np.minimum(a, b[::3])
    calls = {"a": a + 2.0, "b": np.maximum(b, woken + 2.0)}
    assert ("a", "b") not in found(calls, 3 * DAY_S)


def test_a_clock_that_does_not_divide_the_hour_makes_no_edge() -> None:
    rng = np.random.default_rng(18)
    due = np.arange(30.0, 3 * DAY_S, 420.0)
    calls = {f"s{i}": due + 2.0 * i + late(rng, len(due)) for i in range(3)}
    assert found(calls, 3 * DAY_S) == {}


def test_who_has_gone_is_not_held_against_its_own_clock() -> None:
    """Loops side by side, of which one ends a day early: the other's runs then say nothing."""
    rng = np.random.default_rng(20)
    a, b = (30.0 + np.cumsum(300.0 + late(rng, 800, 0.05)) for _ in range(2))
    assert found({"a": a, "b": b[:500] + 3.0}, 3 * DAY_S) == {}


def test_three_of_fourteen_are_evidence_where_the_callee_hardly_ever_starts() -> None:
    rng = np.random.default_rng(19)
    a = poisson(rng, 14, 3 * DAY_S)
    calls = {"a": a, "b": a[[2, 7, 11]] + 2.0}
    calls |= {f"other{i}": poisson(rng, 100, 3 * DAY_S) for i in range(20)}
    assert set(found(calls, 3 * DAY_S)) == {("a", "b")}


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_services_make_hardly_any_edge(seed: int) -> None:
    """Two thousand four hundred and fifty pairs, none true; now and then one may pass."""
    rng = np.random.default_rng(seed)
    calls = {f"s{i}": poisson(rng, int(rng.integers(5, 400))) for i in range(50)}
    assert len(found(calls)) <= 1


def test_the_same_calls_under_two_names_are_no_trouble() -> None:
    a = poisson(np.random.default_rng(8), 100)
    assert set(found({"a": a, "b": a})) == {("a", "b"), ("b", "a")}


def test_nothing_makes_nothing() -> None:
    nothing = np.zeros(0)
    assert found({"a": nothing, "b": nothing}) == {}
    assert found({"a": np.array([5.0]), "b": nothing}) == {}
    assert found({"a": np.array([5.0]), "b": np.array([6.0])}) == {}
    none = np.zeros(0, dtype=np.int64)
    empty = busy_periods_of((), none, nothing, since_s=0.0, until_s=DAY_S)
    assert len(edges_from_starts(gather(empty))) == 0


def test_one_busy_service_that_never_sleeps_has_no_part_in_it() -> None:
    rng = np.random.default_rng(9)
    assert found({"busy": np.arange(0.0, DAY_S, 10.0), "a": poisson(rng, 200)}) == {}


def test_a_start_follows_only_one_that_met_it_asleep() -> None:
    """B was called 50 s before A's second start: what it does after that is its own affair."""
    when = busy_periods(
        {"a": np.array([1000.0, 2000.0]), "b": np.array([1005.0, 1950.0, 2012.0])}, 3000.0
    )
    rules, as_it_was = StartRules(), np.zeros(2)
    pairs = following(when, as_it_was, watched(when, rules), rules)
    assert when.start_s[pairs.before].tolist() == [1000.0]
    assert pairs.lag_s.tolist() == [5.0]
    assert trials(when, as_it_was, watched(when, rules), rules).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_what_is_asked_about_later_is_counted_as_later() -> None:
    """A starts; five minutes later B sleeps and follows, C is in use, D is not watched."""
    calls = {"a": [1000.0], "b": [1307.0], "c": [1290.0], "d": []}
    when = busy_periods({name: np.array(at) for name, at in calls.items()}, 3000.0)
    rules, later_s = StartRules(), np.array([0.0, 300.0, 300.0, 2500.0])
    pairs = following(when, later_s, watched(when, rules), rules)
    assert pairs.pair.tolist() == [1]
    assert pairs.lag_s.tolist() == [7.0]
    assert trials(when, later_s, watched(when, rules), rules)[0].tolist() == [0.0, 1.0, 0.0, 0.0]


def two_days(rng: np.random.Generator) -> tuple[Evidence, Evidence, Evidence]:
    """Evidence of one day, of the next, and of both at once."""
    at = poisson(rng, 300, 2 * DAY_S)
    who: IntArray = np.repeat(np.array([0, 1, 2]), [300, 300, 200])
    when = np.concatenate([at, at + 2.0, poisson(rng, 200, 2 * DAY_S)])
    parts = []
    for since, until in ((0.0, DAY_S), (DAY_S, 2 * DAY_S), (0.0, 2 * DAY_S)):
        mine = (when >= since) & (when < until)
        names = ("a", "b", "c")
        parts.append(busy_periods_of(names, who[mine], when[mine], since_s=since, until_s=until))
    return gather(parts[0]), gather(parts[1]), gather(parts[2])


def test_evidence_of_two_spans_adds_up() -> None:
    one, two, both = two_days(np.random.default_rng(10))
    total = added(one, two, half_life_s=np.inf)
    assert total.until_s == both.until_s
    np.testing.assert_allclose(total.trials, both.trials, atol=4)
    assert total.followed.sum() == pytest.approx(both.followed.sum(), abs=4)
    assert set(by_name(edges_from_starts(total))) == {("a", "b")}


def test_evidence_fades_with_age_but_the_edge_stays_with_its_own() -> None:
    one, _, _ = two_days(np.random.default_rng(11))
    old = faded(one, until_s=one.until_s + 3 * DAY_S, half_life_s=3 * DAY_S)
    before, after = edges_from_starts(one), edges_from_starts(old)
    assert set(by_name(after)) == {("a", "b")}
    np.testing.assert_allclose(after.evidence, before.evidence / 2)
    np.testing.assert_allclose(after.gain, before.gain, atol=0.02)
    np.testing.assert_array_equal(after.seen_at_s, before.seen_at_s)
    gone = faded(one, until_s=one.until_s + 60 * DAY_S, half_life_s=3 * DAY_S)
    assert len(edges_from_starts(gone)) == 0


def test_services_may_come_and_go_between_spans() -> None:
    rng = np.random.default_rng(12)
    a = poisson(rng, 100)
    first = gather(busy_periods({"a": a, "b": a + 2.0}))
    c = DAY_S + poisson(rng, 100)
    who = np.repeat(np.array([0, 1]), 100)
    later = busy_periods_of(
        ("d", "c"), who, np.concatenate([c + 3.0, c]), since_s=DAY_S, until_s=2 * DAY_S
    )
    both = added(first, gather(later), half_life_s=10 * DAY_S)
    assert set(both.services) == {"a", "b", "c", "d"}
    assert set(by_name(edges_from_starts(both))) == {("a", "b"), ("c", "d")}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"service": np.array([0, 2])}, "beyond"),
        ({"start_s": np.array([5.0, 4.0])}, "in order"),
        ({"start_s": np.array([np.nan, 4.0])}, "in order"),
        ({"end_s": np.array([0.0, 9.0])}, "before it starts"),
        ({"end_s": np.array([9.0])}, "lengths"),
    ],
)
def test_spells_that_cannot_be_are_refused(columns: dict[str, FloatArray], words: str) -> None:
    good = {
        "service": np.array([0, 1]),
        "start_s": np.array([1.0, 2.0]),
        "end_s": np.array([1.0, 3.0]),
    }
    with pytest.raises(PermanentError, match=words):
        BusyPeriods(services=("a", "b"), since_s=0.0, until_s=9.0, **(good | columns))
