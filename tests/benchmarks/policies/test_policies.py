from dataclasses import replace

import pytest

from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from benchmarks.policies.policies import FULL, ORACLE, baselines, oracle, ours, priced, revision

BASE = revision(1, 5.0, 30.0)


@pytest.mark.parametrize(
    ("concurrency", "total", "target"), [(1, 1.0, 0.7), (10, 10.0, 7.0), (0, 100.0, 70.0)]
)
def test_targets_are_knatives_for_a_pods_concurrency(
    concurrency: int, total: float, target: float
) -> None:
    made = revision(concurrency, 5.0, 30.0)
    assert (made.total, made.pod_capacity) == (total, total)
    assert (made.lead_s, made.drain_s) == (5.0, 30.0)
    assert made.target == pytest.approx(target)


def test_a_service_without_a_limit_is_knatives_default_with_forecasts_off() -> None:
    default = KNATIVE_DEFAULTS
    assert replace(default, mode=Mode.OFF) == revision(0, default.lead_s, default.drain_s)


def test_the_baselines_see_no_forecast() -> None:
    assert [p.name for p in baselines(BASE)] == [
        "Knative (KPA)",
        "KPA, retention 5 min",
        "KPA, retention 10 min",
        "KPA, retention 20 min",
        "KPA, min-scale 1",
    ]
    assert {(p.forecasts, p.revision.mode) for p in baselines(BASE)} == {("", Mode.OFF)}


def test_the_baselines_keep_their_last_pod_as_long_as_they_say() -> None:
    retention = [(p.revision.retention_s, p.revision.min_scale) for p in baselines(BASE)]
    assert retention == [(0.0, 0), (300.0, 0), (600.0, 0), (1200.0, 0), (0.0, 1)]


def test_ours_sweep_the_price_in_the_modes_asked_for() -> None:
    made = ours(BASE, 600.0, "model", swept=(FULL,))
    assert [(p.name, p.revision.mode, p.revision.cold_price_s) for p in made] == [
        ("kn-ahead outward @ 600 s", Mode.OUTWARD, 600.0),
        ("kn-ahead full @ 20 s", Mode.FULL, 20.0),
        ("kn-ahead full @ 60 s", Mode.FULL, 60.0),
        ("kn-ahead full @ 200 s", Mode.FULL, 200.0),
        ("kn-ahead full @ 600 s", Mode.FULL, 600.0),
        ("kn-ahead full @ 1800 s", Mode.FULL, 1800.0),
        ("kn-ahead full @ 6000 s", Mode.FULL, 6000.0),
    ]
    assert {p.forecasts for p in made} == {"model"}


@pytest.mark.parametrize("price_s", [600.0, 45.0, 0.7, 1234.5, 1_000_003.0])
def test_the_price_asked_for_is_in_the_sweep_under_its_name(price_s: float) -> None:
    names = [p.name for p in ours(BASE, price_s, "model")]
    assert len(set(names)) == len(names) == 12
    assert priced("kn-ahead full", price_s) in names


def test_the_oracle_may_do_all_that_ours_may() -> None:
    made = oracle(BASE, "truth")
    assert (made.name, made.forecasts, made.revision.mode) == (ORACLE, "truth", Mode.FULL)
