from pathlib import Path
from typing import Any

import pytest

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.clock import SimulatedClock
from autoscaler.health import Health
from autoscaler.limits import REST_PAGES
from autoscaler.refusals import Refusals
from autoscaler.tick_durations import TickDurations
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.advisor.test_read_model import a_bundle
from tests.autoscaler.api.conftest import ask
from tests.autoscaler.api.metrics.scrape import of, samples, scraped

NOW_S = 1_700_000_000.0


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    return Controller(tmp_path, begin_s=NOW_S)


def noted(controller: Controller, **notes: Any) -> dict[str, float]:
    """Samples after a snapshot with such notes, by name."""
    controller.notes = notes
    controller.shows(2)
    with of(controller.model, NOW_S + 5) as client:
        return samples(client)


def test_before_the_first_snapshot_there_is_next_to_nothing() -> None:
    with of(ReadModel(Health())) as client:
        assert samples(client) == {
            "kn_ahead_services": 0,
            "kn_ahead_dependencies": 0,
            "kn_ahead_dependencies_withdrawn": 0,
        }


def test_ages_are_those_of_the_moment_though_the_page_is_made_once(controller: Controller) -> None:
    controller.shows(2)
    controller.model.put_forecasts(a_bundle(("shop/cart",), made_at_s=NOW_S - 20))
    clock = SimulatedClock(NOW_S + 2)
    with ask(create_app(controller.model, clock, Refusals())) as client:
        for age_s in (0, 3):
            seen = samples(client)
            assert seen["kn_ahead_last_tick_timestamp_seconds"] == NOW_S + 2
            assert seen["kn_ahead_snapshot_age_seconds"] == age_s
            assert seen["kn_ahead_forecast_age_seconds"] == age_s + 22
            clock.advance(3)


def test_ticks_are_measured(controller: Controller) -> None:
    durations = TickDurations()
    for took_s in (0.03, 99.0):
        durations.add(took_s)
    controller.notes = {"tick_counts": durations.counts, "tick_sum_s": durations.sum_s}
    controller.shows(2)
    name = "kn_ahead_tick_seconds"
    with of(controller.model) as client:
        seen = {s.name + s.labels.get("le", ""): s.value for s in scraped(client)}
    assert seen[f"{name}_bucket0.02"] == 0
    assert seen[f"{name}_bucket0.05"] == 1
    assert seen[f"{name}_bucket+Inf"] == seen[f"{name}_count"] == 2
    assert seen[f"{name}_sum"] == 99.03


def test_refusals_of_both_processes_are_counted_by_limit(controller: Controller) -> None:
    refusals = Refusals()
    refusals.count(REST_PAGES, "somebody", NOW_S, n=3)
    controller.notes = {"refused": {"frame_bytes": 2}}
    controller.shows(2)
    with of(controller.model, refusals=refusals) as client:
        seen = {
            (s.labels["process"], s.labels["limit"]): s.value
            for s in scraped(client)
            if s.name == "kn_ahead_refused_total"
        }
    assert seen == {("controller", "frame_bytes"): 2, ("advisor", "rest_pages"): 3}


def test_parts_of_both_processes_are_degraded_or_not(controller: Controller) -> None:
    controller.model.health.report("learner", "gone", NOW_S)
    controller.model.health.report("pods", "", NOW_S)
    controller.notes = {"faults": {"pods": "refused", "deployments": ""}}
    controller.shows(2)
    with of(controller.model) as client:
        seen = {s.labels["part"]: s.value for s in scraped(client) if s.name == "kn_ahead_degraded"}
    assert seen == {"learner": 1, "pods": 1, "deployments": 0}


def test_says_whether_this_process_decides(controller: Controller) -> None:
    assert noted(controller, leading=True)["kn_ahead_leading"] == 1
    assert noted(controller, leading=False)["kn_ahead_leading"] == 0
    assert "kn_ahead_leading" not in noted(controller)


def test_counts_what_was_forwarded_and_what_of_the_advice_was_refused(
    controller: Controller,
) -> None:
    controller.notes = {"forwarded": {"sent": 5, "dropped": 1}, "advice_refused": 4}
    controller.shows(2)
    with of(controller.model) as client:
        assert samples(client, outcome="sent") == {"kn_ahead_forwarded_frames_total": 5}
        assert samples(client, outcome="dropped") == {"kn_ahead_forwarded_frames_total": 1}
        assert samples(client)["kn_ahead_advice_refused"] == 4


def test_events_are_counted_by_what_became_of_them(controller: Controller) -> None:
    controller.model.events = {"sent": 7}
    with of(controller.model) as client:
        assert samples(client, outcome="sent") == {"kn_ahead_events_total": 7}


@pytest.mark.parametrize(
    "odd",
    [
        {"tick_counts": [1, 2], "tick_sum_s": 1.0},
        {"tick_counts": ["x"] * 11, "tick_sum_s": 1.0},
        {"tick_counts": [0] * 11, "tick_sum_s": "much"},
        {"refused": ["frame_bytes"], "faults": 3, "forwarded": None, "leading": "yes"},
        {"refused": {"frame_bytes": "many"}, "forwarded": {"sent": None}},
        {"too_long": True},
    ],
)
def test_notes_of_another_kind_have_no_sample(controller: Controller, odd: dict[str, Any]) -> None:
    assert noted(controller, **odd).keys() == {
        "kn_ahead_services",
        "kn_ahead_dependencies",
        "kn_ahead_dependencies_withdrawn",
        "kn_ahead_last_tick_timestamp_seconds",
        "kn_ahead_snapshot_age_seconds",
    }


def test_what_the_clusters_bill_has_left_is_measured(controller: Controller) -> None:
    name = "kn_ahead_cluster_bill_left_seconds"
    assert name not in noted(controller)
    assert noted(controller, cluster_bill={"max_extra": 0.1, "left_s": -2.5})[name] == -2.5
