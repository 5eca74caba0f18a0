"""Laws of the sequential test: rarely wrong, soon sure, never rash, never for ever."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.advisor.withdrawal.evidence import (
    FALSE_WITHDRAWAL,
    KNOWN_H,
    SAFETY,
    Evidence,
    Hour,
)
from autoscaler.core.types import FloatArray
from tests.examples import examples

LAW = settings(max_examples=examples(10, many=100), derandomize=True, deadline=None)
PRICE_S, YEAR_H, SERVICES = 600.0, 8760, 200
# Lost without the benefit of the doubt, which alone would make the law easy to keep.
DOUBT_FREE = 1.05
Draw = Callable[[np.random.Generator, int], Any]


def hour(cold: Any, *, pod_s: Any = 0.0, spared: float = 1.0) -> Hour:
    """Of so many (n,) that Knative lets wait a part is spared a wait, for s of pod."""
    nothing = np.zeros(len(cold))
    return Hour(
        price_s=nothing + PRICE_S,
        knative_short=cold,
        ahead_short=(1.0 - spared) * cold,
        knative_pod_s=nothing,
        ahead_pod_s=nothing + pod_s,
    )


def first_withdrawn(hours: list[Hour]) -> FloatArray:
    """(n,) how many hours it took; inf = it never came to that."""
    evidence = Evidence.none(len(hours[0].price_s))
    first = np.full(len(evidence.withdrawn), np.inf)
    for i, one in enumerate(hours, 1):
        evidence = evidence.after(one)
        first = np.where(np.isinf(first) & evidence.withdrawn, i, first)
    return first


# Requests that an hour saves; the mean of each is paid for it.
NOT_WORTH: dict[str, tuple[float, Draw]] = {
    "every other hour": (0.5, lambda random, n: 1.0 * (random.random(n) < 0.5)),
    "once a day": (1 / 24, lambda random, n: 1.0 * (random.random(n) < 1 / 24)),
    "once a month": (1 / 720, lambda random, n: 1.0 * (random.random(n) < 1 / 720)),
    "Poisson": (3.0, lambda random, n: 1.0 * random.poisson(3.0, n)),
    "heavy tails": (
        0.1 * 2,
        lambda random, n: (random.random(n) < 0.1) * (random.pareto(2, n) + 1),
    ),
}


@pytest.mark.parametrize("name", NOT_WORTH)
def test_what_is_worth_what_it_costs_is_withdrawn_in_a_year_as_seldom_as_stated(name: str) -> None:
    mean, draw = NOT_WORTH[name]
    random = np.random.default_rng(1)
    taken = DOUBT_FREE * mean * PRICE_S
    first = first_withdrawn([hour(draw(random, SERVICES), pod_s=taken) for _ in range(YEAR_H)])
    assert np.isfinite(first).mean() <= YEAR_H * FALSE_WITHDRAWAL


@pytest.mark.parametrize(
    ("share", "within_h"),
    [(100.0, KNOWN_H + 4), (6.0, KNOWN_H + 12), (1.0, KNOWN_H + 60), (0.25, KNOWN_H + 240)],
)
def test_a_clear_loss_is_found_within_hours(share: float, within_h: int) -> None:
    """Share: of a cold request's price, lost an hour, where one in five hours has one."""
    random = np.random.default_rng(2)
    cold = [1.0 * (random.random(200) < 0.2) for _ in range(within_h)]
    first = first_withdrawn([hour(one, pod_s=(0.2 + share) * PRICE_S) for one in cold])
    assert np.median(first) <= within_h
    assert first.min() > KNOWN_H


@LAW
@given(lost=st.lists(st.integers(-40, 20), min_size=30, max_size=400))
def test_nothing_is_withdrawn_that_did_not_lose_as_much_as_fourteen_bounds(
    lost: list[int],
) -> None:
    """Whatever the order of hours: many small costs do not outweigh what they buy."""
    known = [hour(np.array([20.0])) for _ in range(KNOWN_H)]
    bound_s = SAFETY * 20.0 * PRICE_S
    values = np.array(lost) * PRICE_S
    hours = [hour(np.array([max(v, 0) / PRICE_S]), pod_s=max(-v, 0.0)) for v in values]
    total = np.append(0, np.cumsum(values))
    drawdown = np.max(np.maximum.accumulate(total) - total)
    if drawdown < np.log(1 / FALSE_WITHDRAWAL) * bound_s * 0.5 ** (len(lost) / (28 * 24)):
        assert np.isinf(first_withdrawn([*known, *hours])).all()


def test_one_rare_request_at_a_high_price_outweighs_small_costs_all_day() -> None:
    """It comes at nine; all other hours cost, together as much as nine tenths of it."""
    days = [
        hour(np.array([1.0 * (i % 24 == 9)]), pod_s=0.9 * PRICE_S / 23 * (i % 24 != 9))
        for i in range(24 * 365)
    ]
    assert np.isinf(first_withdrawn(days)).all()


def lived(evidence: Evidence, hours: list[Hour]) -> tuple[Evidence, list[bool]]:
    states = []
    for one in hours:
        evidence = evidence.after(one)
        states.append(bool(evidence.withdrawn[0]))
    return evidence, states


ONE = np.ones(1)


def test_what_was_earned_long_ago_does_not_put_off_what_is_lost_now() -> None:
    evidence, good = lived(Evidence.none(1), [hour(ONE)] * 4000)
    _, bad = lived(evidence, [hour(ONE, pod_s=36_000.0)] * 12)
    assert (any(good), bad[-1]) == (False, True)


def test_it_comes_back_once_it_would_pay_again_however_bad_it_was() -> None:
    evidence, bad = lived(Evidence.none(1), [hour(ONE, pod_s=180_000.0)] * 48)
    assert bad[-1]
    _, good = lived(evidence, [hour(ONE, pod_s=60.0)] * 24 * 14)
    assert not good[-1]
    assert good[:KNOWN_H] == [True] * KNOWN_H


def test_what_would_still_lose_does_not_come_back() -> None:
    _, states = lived(Evidence.none(1), [hour(ONE, pod_s=1_000.0)] * 4000)
    first = states.index(True)
    assert all(states[first:])


@LAW
@given(data=st.data())
def test_nothing_changes_twice_within_a_day(data: st.DataObject) -> None:
    cold = data.draw(st.lists(st.sampled_from([0.0, 1.0, 5e4]), min_size=5, max_size=20))
    pods = data.draw(st.lists(st.sampled_from([0.0, 1e4, 1e9]), min_size=5, max_size=20))
    hours = [hour(np.array([cold[i % len(cold)]]), pod_s=pods[i % len(pods)]) for i in range(200)]
    _, states = lived(Evidence.none(1), hours)
    changes = np.flatnonzero(np.diff(np.array([False, *states])))
    assert (np.diff(changes, prepend=0) > KNOWN_H).all()
    assert len(changes) <= 1 + len(states) // (KNOWN_H + 1)


def test_within_the_doubt_about_the_twin_nothing_is_evidence() -> None:
    """A hundred pods, one of which the twin overlooks."""
    one = Hour(
        price_s=ONE * PRICE_S,
        knative_short=0 * ONE,
        ahead_short=0 * ONE,
        knative_pod_s=99 * 3600.0 * ONE,
        ahead_pod_s=100 * 3600.0 * ONE,
    )
    assert np.isinf(first_withdrawn([one] * 2000)).all()


@LAW
@given(seed=st.integers(0, 1000))
def test_services_are_judged_apart(seed: int) -> None:
    random = np.random.default_rng(seed)
    pod_s = random.choice([0.0, 100.0, 5000.0], 5)
    cold = [1.0 * random.poisson(1.0, 5) for _ in range(100)]
    together = first_withdrawn([hour(one, pod_s=pod_s) for one in cold])
    apart = [
        first_withdrawn([hour(one[i : i + 1], pod_s=pod_s[i : i + 1]) for one in cold])[0]
        for i in range(5)
    ]
    assert together.tolist() == apart
