import numpy as np
import pytest

from autoscaler.core.prediction.forecasts import ForecastBundle, Refused


@pytest.fixture
def bundle() -> ForecastBundle:
    """Two services over two windows; the second service has no forecast."""
    return ForecastBundle(
        services=("shop/cart", "shop/mail"),
        made_at_s=0.0,
        fitted_at_s=0.0,
        window_edges_s=np.array([0.0, 60.0, 300.0]),
        demand_edges=np.array([[0.0, 1.0, 2.0, 8.0], [0.0, 1.0, 1.0, 1.0]]),
        exceedance=np.array([[[0.9, 0.5, 0.1], [0.3, 0.2, 0.0]], np.full((2, 3), np.nan)]),
        model=("pooled", ""),
        reason=("", "too short"),
    )


def at(bundle: ForecastBundle, *threshold: float) -> list[float]:
    """Demand of the first service in each window."""
    return [float(demand) for demand in bundle.demand_at(np.array([threshold]))[0]]


def test_demand_is_the_upper_edge_of_the_highest_cell_that_passes(bundle: ForecastBundle) -> None:
    assert at(bundle, 0.4) == [2.0, 0.0]
    assert at(bundle, 0.05) == [8.0, 2.0]


def test_each_window_may_have_its_own_threshold(bundle: ForecastBundle) -> None:
    assert at(bundle, 0.4, 0.25) == [2.0, 1.0]


def test_each_service_may_have_its_own_threshold(bundle: ForecastBundle) -> None:
    both = bundle.demand_at(np.array([[0.05], [0.4]]))
    assert both[0].tolist() == [8.0, 2.0]


def test_a_chance_of_exactly_the_threshold_does_not_pass(bundle: ForecastBundle) -> None:
    assert at(bundle, 0.5) == [1.0, 0.0]


def test_demand_is_zero_where_no_cell_passes(bundle: ForecastBundle) -> None:
    assert at(bundle, 1.0) == [0.0, 0.0]


def test_no_forecast_is_neither_zero_nor_a_guess(bundle: ForecastBundle) -> None:
    assert np.isnan(bundle.demand_at(np.array([[0.4]]))[1]).all()


def test_what_was_refused_is_one_line_with_the_number_left_out() -> None:
    assert not Refused()
    refused = Refused(services=2, edges=1, which=("shop/cart: named twice",))
    assert refused
    assert str(refused) == (
        "2 services and 1 edges were refused: shop/cart: named twice; and 2 more"
    )
    alone = Refused(services=1, which=("shop/cart: named twice",))
    assert str(alone).endswith("refused: shop/cart: named twice")
