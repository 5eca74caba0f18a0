"""The baselines choose the pairs that they should on a clear case."""

import sys

import numpy as np
import pytest

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.errors import PermanentError
from benchmarks.dependencies.baselines import Past, granger, pc, same_minute, share_alone
from learner.dependencies.busy_periods import busy_periods_of
from learner.dependencies.starts.evidence import gather

NAMES, SPAN_S = ("a", "b", "other"), 86_400.0


def past() -> Past:
    """A is followed by b after twelve seconds; another is called on its own."""
    rng = np.random.default_rng(1)
    a, other = (np.sort(rng.uniform(0.0, SPAN_S - 20.0, 200)) for _ in range(2))
    at, who = np.concatenate([a, a + 12.0, other]), np.repeat([0, 1, 2], 200)
    busy = busy_periods_of(NAMES, who, at, since_s=0.0, until_s=SPAN_S)
    counts = np.stack([np.histogram(at[who == i], 8640, (0, SPAN_S))[0] for i in range(3)])
    return Past(busy=busy, evidence=gather(busy), counts=counts.astype(np.float64))


def ends(edges: Edges) -> set[tuple[str, str]]:
    pairs = zip(edges.upstream, edges.downstream, strict=True)
    return {(NAMES[a], NAMES[b]) for a, b in pairs}


def test_the_share_alone_takes_every_pair_with_a_few_starts() -> None:
    edges = share_alone(past())
    assert ("a", "b") in ends(edges)
    assert ("a", "other") in ends(edges)
    assert edges.probability.max() == 1.0


def test_the_same_minute_has_no_direction() -> None:
    assert ends(same_minute(past())) <= {("a", "b"), ("b", "a")}
    assert ("a", "b") in ends(same_minute(past()))


def test_granger_has_a_direction() -> None:
    assert ends(granger(past())) == {("a", "b")}


def test_pc_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "causallearn.search.ConstraintBased.PC", None)  # not there
    with pytest.raises(PermanentError, match="pip install causal-learn"):
        pc(past())
