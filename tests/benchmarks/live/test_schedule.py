"""Who is called when: the same for all policies, by the law of each kind."""

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.live.copies import Span, copies_of, schedule_of
from benchmarks.live.kinds import KINDS, Kind, kinds_of
from benchmarks.live.policies import DEFAULT, policies_of, policy_of

SPAN = Span(learning_s=600.0, round_s=300.0, rounds=4)
POLICIES = policies_of(("off", "full@60s"))


def test_all_policies_get_the_same_requests_a_little_apart() -> None:
    copies = copies_of(kinds_of(()), POLICIES)
    schedule = schedule_of(copies, SPAN, seed=1)
    assert (np.diff(schedule.at_s) >= 0).all()
    for i in range(0, len(copies), len(POLICIES)):
        knative, ours = (schedule.at_s[schedule.copy == j] - copies[j].shift_s for j in (i, i + 1))
        assert len(knative)
        np.testing.assert_allclose(knative, ours)


def test_no_copy_is_warned_in_time_by_the_requests_of_another() -> None:
    shifts_s = [copy.shift_s for copy in copies_of(kinds_of(()), policies_of(DEFAULT))]
    assert max(shifts_s) < min(kind.start_s for kind in KINDS.values())


def test_a_kind_is_called_alike_whoever_is_called_beside_it() -> None:
    alone, among = (
        schedule_of(copies_of(kinds_of(names), POLICIES), SPAN, seed=1)
        for names in (("poisson",), ("poisson", "chain"))
    )
    np.testing.assert_array_equal(alone.at_s[alone.copy == 0], among.at_s[among.copy == 0])


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_law_keeps_to_its_time(kind: Kind) -> None:
    for until_s in (0.0, 5.0, 3600.0):
        at_s = kind.law(np.random.default_rng(0), until_s)
        assert (np.diff(at_s) >= 0).all()
        assert ((at_s >= 0) & (at_s < until_s)).all()
    assert len(at_s) > 5


def test_a_regular_kind_has_a_period_that_does_not_divide_the_learner_s_step() -> None:
    rare = KINDS["rare"].law(np.random.default_rng(0), 36_000.0)
    assert np.diff(rare).mean() == pytest.approx(180.0, abs=1.0)
    assert np.abs(np.diff(rare) - 180.0).max() <= 10.0


def test_poisson_has_nothing_to_learn() -> None:
    gaps = np.diff(KINDS["poisson"].law(np.random.default_rng(0), 1e6))
    assert gaps.mean() == pytest.approx(100.0, rel=0.05)
    assert gaps.std() == pytest.approx(100.0, rel=0.05)


def test_nobody_calls_by_night() -> None:
    at_s = KINDS["daynight"].law(np.random.default_rng(0), 24_000.0)
    assert (at_s % 240.0 <= 120.0).all()


def test_rounds_of_a_copy_move_with_its_requests() -> None:
    first, second = copies_of(kinds_of(("timer",)), POLICIES)
    np.testing.assert_array_equal(SPAN.edges_s(first), [600.0, 900.0, 1200.0, 1500.0, 1800.0])
    np.testing.assert_array_equal(SPAN.edges_s(second) - SPAN.edges_s(first), [1.5] * 5)


def test_knative_s_rule_is_always_among_the_policies_and_first() -> None:
    assert [each.name for each in policies_of(("full@20s", "off"))] == ["off", "full@20s"]
    assert policy_of("outward@600s").annotations == {
        "kn-ahead.dev/mode": "outward",
        "kn-ahead.dev/cold-price": "600s",
    }


@pytest.mark.parametrize("text", ["", "full", "full@", "full@-1s", "full@60", "shadow@60s", "kpa"])
def test_a_policy_that_is_none_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(PermanentError, match=f"policy {text!r} is not known; allowed: off"):
        policy_of(text)


def test_a_kind_that_is_none_is_refused_with_all_that_are() -> None:
    with pytest.raises(PermanentError, match="kind 'weekly' is not known; allowed: timer, rare"):
        kinds_of(("timer", "weekly"))
