"""The verdict's numbers, and the words for them."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.scores.resampling import Estimate
from benchmarks.whatif.answer import beside_recorded, change_rows, sentences
from benchmarks.whatif.verdict import Change, Verdict, changes_of, more_of

PASSES = Verdict(
    policy="kn-ahead full @ 600 s",
    requests=50_000,
    cold=12_410,
    cold_ahead=372,
    cold_foreseen=40,
    served_warm=Estimate(value=0.97, low=0.95, high=0.98),
    more_pods=Estimate(value=-0.04, low=-0.06, high=-0.01),
    as_good="KPA, retention 20 min",
    as_good_more_pods=Estimate(value=0.58, low=0.4, high=0.8),
    changes=(),
)


def said(verdict: Verdict) -> str:
    return "\n".join(sentences(verdict, learned_days=10.0, scored_days=4.0))


def test_the_first_sentence_says_what_is_gained_and_for_how_much() -> None:
    first = said(PASSES).splitlines()[0]
    assert first == (
        "kn-ahead full @ 600 s would have served 97% of your 12,410 cold requests warm"
        " (95% to 98%), for 4% fewer pod-hours (-6% to -1%)."
    )


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({}, "KPA, retention 20 min, costs 58% more pod-hours than that (40% to 80%)"),
        (
            {"as_good": "", "as_good_more_pods": None},
            "No keep-alive of up to 20 minutes is as good",
        ),
        (
            {"as_good_more_pods": Estimate(value=-0.3, low=-0.4, high=-0.2)},
            "The setting KPA, retention 20 min is as good, and costs 30% less",
        ),
        ({"more_pods": Estimate(value=0.001, low=-0.1, high=0.1)}, "for as many pod-hours"),
        (
            {"more_pods": Estimate(value=0.2, low=0.1, high=0.3)},
            "20% more pod-hours (+10% to +30%)",
        ),
        ({}, "372 would still be cold, 40 of them for whoever knew each minute in advance"),
        ({"cold": 0}, "there is nothing to gain here"),
    ],
)
def test_what_does_not_speak_for_us_is_said_as_well(changes: dict[str, object], part: str) -> None:
    assert part in said(replace(PASSES, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("recorded", "simulated", "part"),
    [
        (100.0, 110.0, "Knative recorded 100.0 pod-hours of ready pods there; simulated under it"),
        (100.0, 40.0, "That is far off: your settings differ"),
        (100.0, 240.0, "That is far off"),
    ],
)
def test_what_was_recorded_is_said_beside_it(recorded: float, simulated: float, part: str) -> None:
    (line,) = beside_recorded(recorded, simulated)
    assert part in line
    assert ("far off" in line) == ("far off" in part)
    assert beside_recorded(np.nan, simulated) == beside_recorded(0.0, simulated) == []


def change(service: str, cold: int, ahead: int, pod_s: float = 100.0) -> Change:
    return Change(service=service, cold=cold, cold_ahead=ahead, pod_s=100.0, pod_s_ahead=pod_s)


def test_losers_are_counted_and_come_first() -> None:
    cold = np.array([[[10.0], [5.0], [3.0], [0.0]], [[1.0], [9.0], [3.0], [0.0]]])
    pod_s = np.array([[[100.0]] * 4, [[100.0], [100.0], [250.0], [50.0]]])
    changes = changes_of(("a", "b", "c", "d"), cold, pod_s)
    assert [each.service for each in changes] == ["b", "c", "a", "d"]
    assert [each.loses for each in changes] == [True, True, False, False]
    assert "2 of 4 services would have lost" in said(replace(PASSES, changes=tuple(changes)))
    assert [row[0] for row in change_rows(changes)] == ["b", "c", "a", "d"]


def test_an_interval_holds_the_ratio_and_narrows_with_more_services() -> None:
    random = np.random.default_rng(0)

    def of(n: int) -> Estimate:
        before = random.gamma(5.0, 20.0, (n, 4))
        return more_of(before, before * random.uniform(0.5, 0.7, (n, 4)))

    few, many = of(5), of(500)
    for found in (few, many):
        assert found.low <= found.value <= found.high
        assert found.value == pytest.approx(-0.4, abs=0.1)
    assert many.high - many.low < (few.high - few.low) / 3
    nothing = more_of(np.zeros((3, 2)), np.zeros((3, 2)))
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
