"""Evidence of several spans adds up, and decays with age."""

import numpy as np
import pytest

from autoscaler.core.types import IntArray
from learner.dependencies.busy_periods import busy_periods_of
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import Evidence, added, decayed, gather
from tests.learner.dependencies.starts.made import DAY_S, busy_periods, by_name, poisson


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


def test_evidence_decays_with_age_but_the_edge_stays() -> None:
    one, _, _ = two_days(np.random.default_rng(11))
    old = decayed(one, until_s=one.until_s + 3 * DAY_S, half_life_s=3 * DAY_S)
    before, after = edges_from_starts(one), edges_from_starts(old)
    assert set(by_name(after)) == {("a", "b")}
    np.testing.assert_allclose(after.evidence, before.evidence / 2)
    np.testing.assert_allclose(after.gain, before.gain, atol=0.02)
    np.testing.assert_array_equal(after.seen_at_s, before.seen_at_s)
    gone = decayed(one, until_s=one.until_s + 60 * DAY_S, half_life_s=3 * DAY_S)
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
