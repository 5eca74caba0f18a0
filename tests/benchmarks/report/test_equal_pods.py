"""Cold requests are compared where pods cost the same."""

from dataclasses import replace

import pytest

from benchmarks.policies.policies import ALWAYS, FULL, KPA, RETENTION
from benchmarks.report.equal_pods import AS_MANY, COLUMNS, equal_pods, section
from benchmarks.scores.score import PolicyScore
from tests.benchmarks.finished import Finished


def scored(like: PolicyScore, policy: str, cold: int, pod_hours: float) -> PolicyScore:
    total = replace(like.total, cold_requests=cold, allocated_pod_s=pod_hours * 3600)
    return replace(like, policy=policy, total=total)


@pytest.fixture
def scores(finished: Finished) -> list[PolicyScore]:
    """One annotation has fewer cold requests than the default price, for far more pods."""
    figures = {
        KPA: (2574, 198.5),
        f"{RETENTION} 20 min": (168, 267.0),
        ALWAYS: (0, 150.0),
        f"{FULL} @ 200 s": (400, 160.0),
        f"{FULL} @ 600 s": (264, 179.8),
        f"{FULL} @ 6000 s": (60, 250.0),
        f"{FULL} @ 9000 s": (20, 300.0),
    }
    return [scored(finished[1][0], name, *figure) for name, figure in figures.items()]


def test_each_setting_meets_the_best_price_on_no_more_pods(scores: list[PolicyScore]) -> None:
    assert [each.price for each in equal_pods(scores)] == ["600 s", "6000 s", ""]


def test_no_price_in_budget_has_fewer_cold_requests(finished: Finished) -> None:
    ours = [score for score in finished[1] if score.policy.startswith(FULL)]
    for each in equal_pods(finished[1]):
        budget = AS_MANY * each.setting.total.allocated_pod_s
        cold = [s.total.cold_requests for s in ours if s.total.allocated_pod_s <= budget]
        assert (each.ours.total.cold_requests if each.ours else None) == min(cold, default=None)


def test_the_words_name_what_both_cost(scores: list[PolicyScore]) -> None:
    as_it_is, kept, always = (each.sentence() for each in equal_pods(scores))
    assert as_it_is == (
        "Knative as it is had 2,574 cold requests on 198 pod-hours; on 180, kn-ahead had only 264"
        " (price 600 s)."
    )
    assert kept.startswith("Knative with its last pod kept for 20 min had 168 cold requests on 267")
    assert kept.endswith("on 250, kn-ahead had only 60 (price 6000 s).")
    assert always == (
        "Knative that never goes to zero had 0 cold requests on 150 pod-hours; every price of"
        " kn-ahead costs more."
    )


def test_the_table_has_a_row_a_setting(scores: list[PolicyScore]) -> None:
    table = section(equal_pods(scores))
    assert table.columns == COLUMNS
    assert table.rows[1] == (f"{RETENTION} 20 min", "267.0", "168", "6000 s", "250.0", "60")
    assert table.rows[2][3:] == ("none", "", "")
