"""What became of services of late: samples of both policies, bounded, in memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscaler.advisor.history import KEPT_S, LARGEST, SAMPLE_S, Past
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from tests.autoscaler.advisor.controller import Controller

CART, TILL = "shop/cart", "shop/till"
MODES = {"shop/browse": Mode.OFF, CART: Mode.SHADOW, TILL: Mode.OUTWARD}
PROMISED = 10_000  # services
MOST_BYTES = 64e6


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    controller = Controller(tmp_path, begin_s=6000.0)
    for service, mode in MODES.items():
        controller.has(f"{service}-1", spec=replace(KNATIVE_DEFAULTS, mode=mode))
    return controller


def has_twins(controller: Controller, *pods: int) -> None:
    twins = controller.fleet.twins.view
    twins.begun[:], twins.replicas[:] = True, pods


def past(controller: Controller, service: str = CART) -> Past:
    return controller.model.history.of(service)


def a_bundle(*twice_p50: float) -> ForecastBundle:
    """Minutes, each with an exceedance over 0.5 up to a half of its number."""
    n = len(twice_p50)
    return ForecastBundle(
        services=("shop/unknown", CART),
        made_at_s=6000.0,
        fitted_at_s=6000.0,
        window_edges_s=np.arange(n + 1) * np.float64(60.0),
        demand_edges=np.tile([0.0, *(np.arange(1, 9) / 2)], (2, 1)),
        exceedance=np.array(
            [[[0.6 * (i < d) + 0.3 * (i < 2 * d) + 0.05 for i in range(8)] for d in twice_p50]] * 2
        ),
        model=("pooled", "pooled"),
        reason=("", ""),
    )


def test_a_sample_holds_the_most_of_its_seconds(controller: Controller) -> None:
    for second, load in ((2, 70.0), (16, 350.0), (29, 0.0), (31, 0.0)):
        controller.fleet.observed.ready[1] = second
        controller.ticks(second, load, load, load)
    found = past(controller)
    assert found.start_s.tolist() == [6000.0, 6030.0]
    assert found.ready.tolist() == [29.0, 31.0]
    assert found.demand[0] == 70.0  # the first average; later ones are over more seconds


def test_what_is_in_force_and_what_runs_beside_it_depend_on_the_mode(
    controller: Controller,
) -> None:
    has_twins(controller, 7, 8, 9)
    controller.ticks(2, 70.0, 140.0, 210.0)
    both = {name: (past(controller, name).knative[0], past(controller, name).ahead[0])
            for name in MODES}  # fmt: skip
    assert both == {"shop/browse": (1, 1), CART: (2, 8), TILL: (9, 3)}


def test_until_a_twin_has_begun_nothing_is_known_of_it(controller: Controller) -> None:
    controller.ticks(2, 70.0, 70.0, 70.0)
    assert np.isnan([past(controller).ahead[0], past(controller, TILL).knative[0]]).all()


def test_revisions_of_a_service_are_added_up(controller: Controller) -> None:
    controller.has("shop/cart-2", CART, spec=replace(KNATIVE_DEFAULTS, mode=Mode.SHADOW))
    controller.ticks(2, 70.0, 70.0, 70.0, 140.0)
    assert (past(controller).demand[0], past(controller).knative[0]) == (210.0, 3.0)


def test_without_a_statistic_demand_is_not_known(controller: Controller) -> None:
    controller.ticks(2)
    assert np.isnan(past(controller).demand[0])


def test_each_sample_has_the_forecast_that_was_in_force_then(controller: Controller) -> None:
    controller.model.put_forecasts(a_bundle(1.0, 2.0))
    for second in (31, 61, 130):
        controller.shows(second)
    found = past(controller)
    np.testing.assert_array_equal(found.p50, [0.5, 1.0, np.nan])
    np.testing.assert_array_equal(found.p99, [4.0, 4.0, np.nan])
    controller.model.put_forecasts(None)
    controller.shows(150)
    assert np.isnan(past(controller).p50[-1])
    assert past(controller).p50[0] == 0.5  # what came then stays


def test_time_of_which_nothing_came_is_a_gap(controller: Controller) -> None:
    for second in (0, 600):
        controller.shows(second)
    assert past(controller).start_s.tolist() == [6000.0, 6600.0]


def test_samples_written_before_the_clock_was_set_back_are_dropped(
    controller: Controller,
) -> None:
    for second in (0, 600, 60):
        controller.shows(second)
    assert past(controller).start_s.tolist() == [6000.0, 6060.0]


def test_it_is_bounded_in_time_and_for_all_promised_services_in_memory(
    controller: Controller,
) -> None:
    for second in np.arange(0.0, KEPT_S + 600.0, SAMPLE_S).tolist():
        controller.shows(second)
    assert len(past(controller).start_s) == KEPT_S / SAMPLE_S
    assert controller.model.history.nbytes / len(MODES) * PROMISED < MOST_BYTES


def test_what_is_too_large_counts_as_the_largest(controller: Controller) -> None:
    controller.ticks(2, 0.0, 1e7, 0.0)
    assert past(controller).demand[0] == LARGEST


def test_a_service_that_goes_takes_its_past_along(controller: Controller) -> None:
    controller.ticks(2, 0.0, 70.0, 0.0)
    controller.loses("shop/cart-1")
    controller.ticks(4, 0.0, 0.0)
    assert len(past(controller).start_s) == 0
    for second, name in ((6, "shop/new-1"), (36, "shop/newer-1")):
        controller.has(name)  # the first has the row of the one that went
        controller.shows(second)
    assert past(controller, "shop/new").start_s.tolist() == [6000.0, 6030.0]
    assert np.isnan(past(controller, "shop/new").demand).all()
    assert past(controller, "shop/newer").start_s.tolist() == [6030.0]
    assert len(past(controller, TILL).start_s) == 2


def test_a_reader_of_a_service_that_nobody_knows_has_nothing(controller: Controller) -> None:
    controller.shows(2)
    assert len(past(controller, "shop/nobody").start_s) == 0
