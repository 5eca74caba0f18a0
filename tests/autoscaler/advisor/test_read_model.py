from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscaler.advisor.read_model import MOST_CHANGES, ReadModel
from autoscaler.core.prediction.dependencies import Edges, Origin
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.state.decision import Reason
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Metric, Mode
from autoscaler.errors import PermanentError
from autoscaler.health import Health
from tests.autoscaler.advisor.controller import Controller

REVISIONS = ["shop/browse-1", "shop/cart-1", "shop/cart-2"]
OUTWARD = replace(KNATIVE_DEFAULTS, mode=Mode.OUTWARD)


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    controller = Controller(tmp_path)
    for key in REVISIONS:
        controller.has(key, spec=OUTWARD)
    return controller


def a_bundle(services: tuple[str, ...], *, made_at_s: float = 0.0) -> ForecastBundle:
    n = len(services)
    return ForecastBundle(
        services=services,
        made_at_s=made_at_s,
        fitted_at_s=made_at_s,
        window_edges_s=np.array([0.0, 60.0, 120.0]),
        demand_edges=np.tile([0.0, 100.0, 200.0], (n, 1)),
        exceedance=np.tile([0.9, 0.1], (n, 2, 1)),
        model=("pooled",) * n,
        reason=("",) * n,
    )


def an_edge() -> Edges:
    sure = np.ones(1)
    return Edges(
        services=("shop/browse", "shop/cart"),
        upstream=np.array([0]),
        downstream=np.array([1]),
        lag_s=sure,
        gain=sure,
        probability=sure,
        confidence=sure,
        evidence=sure,
        seen_at_s=sure,
        direct=np.array([True]),
        origin=np.array([int(Origin.ANNOTATION)]),
    )


# --- decisions ------------------------------------------------------------------------------------


def test_shows_the_last_decision_of_each_revision_of_a_service(controller: Controller) -> None:
    controller.ticks(10, 0.0, 70.0, 210.0)
    one, two = controller.model.revisions("shop/cart")
    assert (one.name.revision, one.want, one.reason) == ("shop/cart-1", 1, Reason.STABLE)
    assert (two.name.revision, two.want, two.decision.stable) == ("shop/cart-2", 3, 210.0)
    averages = "averages 210 requests in flight"
    assert two.sentence == f"3 pods: panicking, as demand over the panic window {averages}."


def test_a_revision_by_requests_a_second_is_explained_in_that_unit(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    controller.has("shop/cart-1", spec=replace(OUTWARD, metric=Metric.RPS, target=10.0))
    (change,) = controller.ticks(10, 210.0)
    (state,) = controller.model.revisions("shop/cart")
    assert "averages 210 requests a second" in state.sentence
    assert change.sentence == state.sentence


def test_does_not_follow_the_fleet_after_the_snapshot(controller: Controller) -> None:
    controller.ticks(10, 70.0, 70.0, 70.0)
    controller.fleet.observed.ready[:] = 9
    controller.fleet.spec.mode[:] = Mode.OFF
    (state,) = controller.model.revisions("shop/browse")
    assert (state.ready, state.mode) == (0, Mode.OUTWARD)


def test_a_revision_of_which_nothing_was_decided_is_not_shown(controller: Controller) -> None:
    controller.ticks(10, 70.0, 70.0, 70.0)
    controller.has("shop/cart-3")
    controller.shows(11)
    shown = [state.name.revision for state in controller.model.revisions("shop/cart")]
    assert shown == ["shop/cart-1", "shop/cart-2"]


def test_forgets_a_revision_that_left_the_fleet(controller: Controller) -> None:
    controller.ticks(10, 70.0, 70.0, 70.0)
    controller.loses("shop/browse-1")  # the last row takes its place
    controller.ticks(12, 70.0, 70.0)
    model = controller.model
    assert model.services == ("shop/cart",)
    assert not model.knows("shop/browse")
    assert model.revisions("shop/browse") == ()
    assert model.changes("shop/browse") == ()
    assert {s.name.revision for s in model.revisions("shop/cart")} == {"shop/cart-1", "shop/cart-2"}


def test_a_revision_whose_name_has_not_come_yet_is_left_out(controller: Controller) -> None:
    names = dict(controller.names)
    controller.has("shop/till-1")
    controller.names = names
    changed = controller.ticks(10, 70.0, 70.0, 70.0, 70.0)
    assert controller.model.services == ("shop/browse", "shop/cart")
    assert [change.revision.revision for change in changed] == REVISIONS


def test_names_the_upstream_whose_calls_have_the_last_word(controller: Controller) -> None:
    controller.ticks(10, 70.0, 70.0, 70.0)
    decision = controller.fleet.decision
    decision.upstream[1] = controller.fleet.services.calls.id[0]
    decision.desired[1], decision.bounded[1], decision.want[1] = 5, 5, 5
    decision.anticipated[1] = 5
    controller.shows(12)
    one, _ = controller.model.revisions("shop/cart")
    assert (one.reason, one.upstream) == (Reason.UPSTREAM, "shop/browse")
    assert "shop/browse rose to" in one.sentence


# --- changes --------------------------------------------------------------------------------------


def test_logs_only_decisions_that_want_something_new(controller: Controller) -> None:
    for second, load in ((10, 70.0), (12, 70.0), (14, 7000.0)):
        controller.ticks(second, load, load, load)
    newest, first = controller.model.changes("shop/browse")
    assert (first.before, first.want, first.at_s) == (None, 1, 10.0)
    assert (newest.before, newest.at_s, newest.reason) == (1, 14.0, Reason.PANIC)
    assert newest.sentence.startswith(f"{newest.want} pods: ")


def test_the_log_is_bounded(controller: Controller) -> None:
    ticks = MOST_CHANGES + 20
    for i in range(ticks):
        controller.ticks(10 + 60 * i, 0.0, 70.0 * (2 + i), 0.0)  # grows: every tick wants more
    changes = controller.model.changes("shop/cart")
    assert len(changes) == MOST_CHANGES
    assert changes[0].at_s == 10.0 + 60 * (ticks - 1)


def test_changes_are_returned_and_counted_while_the_service_is_there(
    controller: Controller,
) -> None:
    heard: list[str] = []
    for second, load in ((10, 70.0), (12, 70.0), (14, 7000.0)):
        changes = controller.ticks(second, load, load, load)
        heard += [change.revision.revision for change in changes]
    model = controller.model
    assert heard == REVISIONS * 2
    assert model.changed["shop/cart", Reason.PANIC] == 2
    controller.loses("shop/browse-1")
    controller.ticks(16, 7000.0, 7000.0)
    assert {service for service, _ in model.changed} == {"shop/cart"}


def test_what_a_reader_holds_is_replaced_and_never_changed(controller: Controller) -> None:
    controller.ticks(10, 70.0, 70.0, 70.0)
    held = controller.model.changed
    before = dict(held)
    controller.ticks(14, 7000.0, 7000.0, 7000.0)
    assert held == before != controller.model.changed


# --- forecasts and dependencies -------------------------------------------------------------------


def test_a_forecast_is_cut_to_the_service() -> None:
    model = ReadModel(Health())
    model.put_forecasts(a_bundle(("shop/browse", "shop/cart")))
    cut = model.forecast("shop/cart")
    assert cut is not None
    assert cut.services == ("shop/cart",)
    assert cut.exceedance.shape == (1, 2, 2)
    assert model.forecast("shop/purchase") is None
    assert model.forecast_by("shop/cart") == "pooled"
    assert model.forecast_by("shop/purchase") == ""


def test_services_are_those_decided_and_those_forecast(controller: Controller) -> None:
    controller.model.put_forecasts(a_bundle(("jobs/nightly", "shop/cart")))
    controller.ticks(10, 70.0, 70.0, 70.0)
    assert controller.model.services == ("jobs/nightly", "shop/browse", "shop/cart")


def test_forecasts_that_are_withdrawn_are_shown_no_more(controller: Controller) -> None:
    controller.ticks(10, 70.0, 70.0, 70.0)
    controller.model.put_forecasts(a_bundle(("jobs/nightly", "shop/cart")))
    controller.model.put_forecasts(None)
    assert controller.model.forecasts is None
    assert controller.model.forecast("shop/cart") is None
    assert controller.model.services == ("shop/browse", "shop/cart")


def test_every_edge_has_a_cause_or_none_has() -> None:
    model = ReadModel(Health())
    model.put_edges(an_edge())
    assert list(model.known_edges.not_acted_on) == [""]
    model.put_edges(an_edge(), ["the upstream's namespace does not consent"])
    assert len(model.known_edges.not_acted_on) == len(model.known_edges.edges) == 1
    with pytest.raises(PermanentError, match="causes of edges are 2; allowed: 1"):
        model.put_edges(an_edge(), ["", ""])


def test_whatever_is_put_in_makes_another_version(controller: Controller) -> None:
    model, versions = controller.model, [0]
    controller.ticks(10, 70.0, 70.0, 70.0)
    versions.append(model.version)
    model.put_forecasts(a_bundle(("shop/cart",)))
    versions.append(model.version)
    model.put_edges(an_edge())
    versions.append(model.version)
    assert versions == sorted(set(versions))


# --- readiness ------------------------------------------------------------------------------------


def test_is_ready_once_something_was_decided(controller: Controller) -> None:
    model = controller.model
    assert not model.readiness(0.0).ready
    model.put_forecasts(a_bundle(("shop/cart",)))
    assert not model.readiness(0.0).ready
    controller.ticks(10, 70.0, 70.0, 70.0)
    assert model.readiness(10.0).ready


def test_is_ready_with_ticks_though_there_is_no_revision(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    controller.shows(100)
    assert controller.model.readiness(101.0).ready


@pytest.mark.parametrize(
    ("now", "degraded"),
    [
        (119.9, ()),
        (120.0, ("forecasts ended 0 s ago: deciding as Knative alone would",)),
        (195.0, ("forecasts ended 75 s ago: deciding as Knative alone would",)),
    ],
)
def test_forecasts_past_their_horizon_degrade(
    controller: Controller, now: float, degraded: tuple[str, ...]
) -> None:
    controller.shows(now)
    controller.model.put_forecasts(a_bundle(("shop/cart",)))
    state = controller.model.readiness(now)
    assert (state.ready, state.degraded) == (True, degraded)


def test_no_forecasts_at_all_degrade_but_are_ready(controller: Controller) -> None:
    controller.shows(10)
    state = controller.model.readiness(10.0)
    assert state.ready
    assert state.degraded == ("no forecasts yet: deciding as Knative alone would",)


@pytest.mark.parametrize(("silence_s", "missing"), [(10.0, ""), (10.1, "10 s ago; allowed: 10 s")])
def test_is_not_ready_when_ticks_are_not_heard_any_more(
    controller: Controller, silence_s: float, missing: str
) -> None:
    controller.shows(100)
    state = controller.model.readiness(100.0 + silence_s)
    assert state.ready == (not missing)
    assert state.missing.endswith(missing)


def test_a_fault_degrades_and_tells_more_than_is_known_of_forecasts() -> None:
    health = Health()
    health.report("pods", "refused", 1_700_000_000.0)
    health.report("forecasts", "damaged", 1_700_000_000.0)
    health.report("deployments", "", 1_700_000_000.0)
    assert ReadModel(health).readiness(1_700_000_001.0).degraded == (
        "pods since 2023-11-14T22:13:20Z: refused",
        "forecasts since 2023-11-14T22:13:20Z: damaged",
    )


def test_what_the_controller_notes_of_itself_degrades_too(controller: Controller) -> None:
    controller.notes = {
        "leadership": "another one decides",
        "faults": {"pods": "refused", "pas": ""},
    }
    controller.shows(10)
    assert controller.model.readiness(10.0).degraded[1:] == ("another one decides", "refused")


@pytest.mark.parametrize("odd", [{}, {"faults": None, "leadership": 7}, {"faults": [1]}])
def test_notes_may_lack_anything_or_hold_another_kind(
    controller: Controller, odd: dict[str, object]
) -> None:
    controller.notes = dict(odd)
    controller.shows(10)
    assert len(controller.model.readiness(10.0).degraded) == 1
