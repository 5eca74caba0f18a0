"""Policies beside Knative's rule, at equal pod-seconds, with intervals over rounds."""

import numpy as np
import pytest

from benchmarks.live.copies import Span, copies_of
from benchmarks.live.kinds import KINDS, kinds_of
from benchmarks.live.load import Answer
from benchmarks.live.outcome import Outcome
from benchmarks.live.pods import PodTimes
from benchmarks.live.policies import policies_of
from benchmarks.live.scores import Counts, counted, gone_at, on_curve, scores

POLICIES = policies_of(("full@20s", "full@60s"))
TIMER = (KINDS["timer"],)


def counts(cold: list[list[float]], pod_s: list[list[float]]) -> Counts:
    """Of one kind: a list of rounds for each policy; 100 requests in each round."""
    waited, spent = np.array(cold)[:, None, :], np.array(pod_s)[:, None, :]
    outcomes = {outcome: np.zeros_like(waited) for outcome in Outcome}
    outcomes[Outcome.WAITED] = waited
    outcomes[Outcome.WARM] = 100 - waited
    return Counts(
        policies=POLICIES[: len(cold)],
        kinds=TIMER,
        outcomes=outcomes,
        pod_s=spent,
        starts=np.zeros_like(waited),
        latency_s=tuple((np.array([0.2, 2.2]),) for _ in cold),
    )


def test_the_same_in_each_round_leaves_no_doubt() -> None:
    found = counts([[10.0] * 5, [4.0] * 5], [[100.0] * 5, [120.0] * 5])
    knative, ours = scores(found, TIMER)
    assert (knative.cold, ours.cold, ours.requests) == (50, 20, 500)
    assert (ours.gone.value, ours.gone.low, ours.gone.high) == pytest.approx((0.6, 0.6, 0.6))
    assert (ours.pods.value, ours.pods.low, ours.pods.high) == pytest.approx((1.2, 1.2, 1.2))
    assert knative.gone.value == 0


def test_rounds_that_differ_widen_the_interval() -> None:
    _, ours = scores(counts([[10.0] * 5, [0.0, 8.0, 0.0, 8.0, 4.0]], [[1.0] * 5] * 2), TIMER)
    assert ours.gone.value == pytest.approx(0.6)
    assert ours.gone.low < 0.5
    assert ours.gone.high > 0.7


def test_requests_that_were_not_answered_are_not_gone() -> None:
    found = counts([[10.0], [0.0]], [[1.0], [1.0]])
    found.outcomes[Outcome.TIMED_OUT][1] = 3
    found.outcomes[Outcome.FAILED][1] = 2
    assert [each.cold for each in scores(found, TIMER)] == [10, 5]


def test_where_knative_has_no_cold_requests_nothing_can_be_gone() -> None:
    _, ours = scores(counts([[0.0], [0.0]], [[1.0], [1.0]]), TIMER)
    assert np.isnan(ours.gone.value)


CURVE = counts([[10.0] * 4, [4.0] * 4, [1.0] * 4], [[100.0] * 4, [120.0] * 4, [160.0] * 4])


@pytest.mark.parametrize(
    ("budget", "gone"), [(0.9, np.nan), (1.0, 0.0), (1.1, 0.3), (1.2, 0.6), (1.4, 0.75), (9.0, 0.9)]
)
def test_between_prices_a_straight_line_is_bought(budget: float, gone: float) -> None:
    found = gone_at(CURVE, TIMER, budget)
    assert found.value == pytest.approx(gone, nan_ok=True)


def test_a_price_that_others_make_needless_is_left_out() -> None:
    gone, pods = np.array([0.0, 0.1, 0.9]), np.array([1.0, 1.5, 1.4])
    assert on_curve(gone, pods, 2.0) == 0.9
    assert on_curve(gone, pods, 1.2) == pytest.approx(0.45)


def test_a_price_that_costs_less_than_knative_counts() -> None:
    assert on_curve(np.array([0.0, 0.3]), np.array([1.0, 0.8]), 0.9) == 0.3


def test_without_a_price_there_is_no_curve() -> None:
    assert np.isnan(gone_at(counts([[10.0]], [[1.0]]), TIMER, 2.0).value)


# --- counting -------------------------------------------------------------------------------------

BEGIN_S, SPAN = 1000.0, Span(learning_s=100.0, round_s=50.0, rounds=2)


def sent(copy: int, at_s: float, pod: str) -> Answer:
    at_s += BEGIN_S
    return Answer(
        copy=copy, intended_s=at_s, sent_s=at_s, done_s=at_s + 0.5, status=200, words=(pod,)
    )


def test_what_was_learned_in_is_discarded_and_the_rest_falls_into_rounds() -> None:
    copies = copies_of(kinds_of(("timer", "chain")), POLICIES[:2])
    assert [copy.shift_s for copy in copies] == [0.0, 1.5, 0.0, 1.5]
    pods = [
        PodTimes(
            name="head", revision="bench-chain-full-20s-00001", created_s=BEGIN_S + 130,
            ready_s=BEGIN_S + 132, gone_s=BEGIN_S + 170, parts={},
        ),
        PodTimes(
            name="tail", revision="bench-chain-full-20s-2-00001", created_s=BEGIN_S + 160,
            ready_s=BEGIN_S + 162, parts={},
        ),
    ]  # fmt: skip
    times = [50.0, 101.4, 101.5, 151.4, 151.5, 201.4, 201.5]
    found = counted(copies, [sent(3, at_s, "head") for at_s in times], pods, SPAN, BEGIN_S)
    np.testing.assert_array_equal(found.requests[1, 1], [2, 2])
    np.testing.assert_array_equal(found.cold[1, 1], [1, 0])
    np.testing.assert_array_equal(found.pod_s[1, 1], [21.5, 18.5 + 41.5])
    np.testing.assert_array_equal(found.starts[1, 1], [1, 1])
    assert found.requests.sum() == 4
    np.testing.assert_allclose(found.latency_s[1][1], [0.5] * 4)
