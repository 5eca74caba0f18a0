"""Ours is read at a rival's pods and at its cold requests; what cannot be known is not told."""

import math

import pytest

from benchmarks.harness.chosen import KPA
from benchmarks.harness.page import said
from benchmarks.harness.results import TraceResult, result
from benchmarks.harness.tables import brief, short
from benchmarks.policies.contenders import contenders
from tests.benchmarks.harness.small import sweep

ALL = contenders()


def of(ours_cold: list[float], ours_pod_s: list[float], kpa: tuple[float, float]) -> TraceResult:
    return result(
        "small",
        [
            sweep(ALL["KPA"], [kpa[0] + 1, kpa[0]], [kpa[1] - 1, kpa[1]]),
            sweep(ALL["min-scale"], [0.0], [1000.0]),
            sweep(ALL["keep-alive"], [40.0, 20.0, 10.0], [200.0, 300.0, 400.0]),
            sweep(ALL["kn-ahead"], ours_cold, ours_pod_s),
        ],
    )


def test_ours_is_read_at_as_many_pods_and_at_as_many_cold_requests() -> None:
    beside = of([60.0, 20.0], [100.0, 200.0], (50.0, 150.0)).against(KPA)
    assert beside
    assert beside.our_cold == 2 * 40
    assert beside.cold_change.value == pytest.approx(-0.2)
    assert beside.our_pod_s == 2 * 125
    assert beside.pod_s_ratio.value == pytest.approx(125 / 150)


def test_at_more_pods_ours_is_read_there() -> None:
    beside = of([60.0, 20.0], [100.0, 200.0], (50.0, 150.0)).against(KPA, pods=1.2)
    assert beside
    assert beside.our_cold == 2 * 28


def test_where_each_of_our_settings_takes_more_nothing_is_told() -> None:
    beside = of([60.0, 20.0], [100.0, 200.0], (50.0, 90.0)).against(KPA)
    assert beside
    assert math.isnan(beside.our_cold)
    assert math.isnan(beside.cold_change.value)


def test_the_keep_alive_that_is_spared_least_is_named() -> None:
    kept = of([60.0, 5.0], [100.0, 350.0], (50.0, 90.0)).best_kept()
    assert kept
    # 10 cold requests at 327 of 400 pod-seconds, 20 at 282 of 300, 40 at 191 of 200.
    assert kept.knob == 1.0
    assert kept.pod_s_ratio.value == pytest.approx((100 + 250 * 20 / 55) / 200)


def test_services_that_are_alike_leave_no_doubt() -> None:
    beside = of([60.0, 20.0], [100.0, 200.0], (50.0, 150.0)).against(KPA)
    assert beside
    assert beside.cold_change.low == pytest.approx(beside.cold_change.high)


def test_the_page_begins_with_the_answer() -> None:
    first = said(of([60.0, 20.0], [100.0, 200.0], (50.0, 150.0)))[0]
    assert first == (
        "small: on as many pod-hours kn-ahead has 80 cold requests where Knative has 100: -20%;"
        " on 1.2 times as many, -44%."
    )


def test_the_short_table_has_a_row_for_each_rival_at_its_default() -> None:
    found = of([60.0, 20.0], [100.0, 200.0], (50.0, 150.0)).as_json()
    table = short({"ours": "kn-ahead", "traces": [found]}).splitlines()
    assert [line.split(" | ")[1] for line in table[2:5]] == ["KPA", "min-scale", "keep-alive"]
    assert table[2] == "| small | KPA | 100 | 0.1 | -20% | 83% |"


def test_a_second_table_has_all_of_them_by_rivals_rules() -> None:
    found = of([60.0, 20.0], [100.0, 200.0], (50.0, 150.0)).as_json()
    for score in found["entries"][0]["scores"]:
        score["femux_rules"]["rum"] = None
    table = short({"ours": "kn-ahead", "traces": [found]}).split("\n\n")[1].splitlines()
    names = [line.split(" | ")[1] for line in table[2:]]
    assert names == ["KPA", "min-scale", "keep-alive", "kn-ahead"]
    assert table[2] == "| small | KPA | 2 | 2 | \N{EN DASH} | 200% | 200% |"


def test_rum_is_of_cold_starts_and_waste() -> None:
    found = of([60.0, 20.0], [100.0, 200.0], (50.0, 150.0)).entries[0].own["femux_rules"]
    assert found["cold_start_s"] == pytest.approx(2 * 0.808)
    assert found["rum"] == pytest.approx(2 * 0.808 + 2 / 99.69)
    assert found["rum_mem"] == pytest.approx(2 * 0.808 + 4 * 2 / 99.69)


def test_a_run_from_before_there_were_rules_has_the_first_table_alone() -> None:
    found = of([60.0, 20.0], [100.0, 200.0], (50.0, 150.0)).as_json()
    for entry in found["entries"]:
        for score in entry["scores"]:
            del score["femux_rules"], score["wild_rules"]
    recorded = {"ours": "kn-ahead", "traces": [found]}
    assert len(short(recorded).splitlines()) == 5
    assert brief(brief(recorded)) == brief(recorded)


def test_what_is_brief_has_the_same_tables() -> None:
    found = of([60.0, 20.0], [100.0, 200.0], (50.0, 150.0)).as_json()
    recorded = {"ours": "kn-ahead", "traces": [found]}
    assert short(brief(recorded)) == short(recorded)
