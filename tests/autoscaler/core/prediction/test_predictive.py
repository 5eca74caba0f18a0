from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.core.prediction.advice import NO_PATHS, Advice
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.prediction.predictive import pods_ahead, read_at_price
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS

NOW = 1000.0
CURVE = [[0.9, 0.5, 0.1], [0.3, 0.05, 0.0]]


def advice(*demand: float, starts_s: float = NOW, window_s: float = 60.0) -> Advice:
    """One row's demand in windows that follow each other."""
    edges = np.linspace(starts_s, starts_s + window_s * len(demand), len(demand) + 1)
    return Advice(
        starts_s=edges[:-1], ends_s=edges[1:], demand=np.array([demand]), paths=NO_PATHS, layout=1
    )


def pods(ahead: Advice, *, now: float = NOW, **spec: Any) -> int:
    fleet = Fleet()
    revision = replace(KNATIVE_DEFAULTS, **{"lead_s": 5.0, "pod_capacity": 10.0} | spec)
    fleet.add({"shop/cart": revision}, now=now)
    return int(pods_ahead(ahead, ahead.demand, fleet.spec, np.array([now]))[0])


def bundle() -> ForecastBundle:
    return ForecastBundle(
        services=("shop/cart", "shop/mail"),
        made_at_s=NOW,
        fitted_at_s=NOW,
        window_edges_s=np.array([0.0, 60.0, 360.0]),
        demand_edges=np.array([[0.0, 1.0, 2.0, 8.0]] * 2),
        exceedance=np.array([CURVE, np.full((2, 3), np.nan)]),
        model=("made", ""),
        reason=("", "too short"),
    )


def read(service: int, price: float) -> list[float]:
    ahead = read_at_price(bundle(), np.array([service]), np.array([price]), layout=1)
    return [float(demand) for demand in ahead.demand[0]]


def test_pods_are_the_demand_by_what_a_pod_takes_rounded_up() -> None:
    assert [pods(advice(10.0)), pods(advice(10.5)), pods(advice(0.0))] == [1, 2, 0]


def test_a_revision_serves_its_share_of_the_service() -> None:
    assert pods(advice(40.0), share=0.25) == 1


def test_a_window_counts_from_the_lead_and_a_tick_before_it_begins() -> None:
    ahead = advice(0.0, 50.0)
    assert pods(ahead, now=NOW + 53.0) == 0
    assert pods(ahead, now=NOW + 53.5) == 5


def test_a_window_counts_until_it_ends() -> None:
    ahead = advice(50.0, 10.0)
    assert pods(ahead, now=NOW + 59.5) == 5
    assert pods(ahead, now=NOW + 60.0) == 1


def test_the_highest_window_within_the_lead_decides() -> None:
    assert pods(advice(10.0, 50.0, 20.0, 90.0), lead_s=100.0) == 5


def test_after_its_last_window_a_forecast_is_stale() -> None:
    assert pods(advice(10.0), now=NOW + 60.0) == -1


def test_a_forecast_from_the_future_is_none() -> None:
    assert pods(advice(10.0, starts_s=NOW + 1.0)) == -1


def test_without_a_forecast_there_are_no_pods_not_zero() -> None:
    assert pods(advice(np.nan, np.nan)) == -1


def test_a_missing_window_leaves_the_others_their_say() -> None:
    assert pods(advice(np.nan, 30.0), lead_s=100.0) == 3


def test_a_pod_is_worth_its_idling_where_chance_times_price_exceeds_it() -> None:
    # 60 s idle against a price of 60 s: worth it above one half; 300 s against it: above 5 in 6.
    assert read(0, 60.0) == [1.0, 0.0]


def test_a_higher_price_reads_further_into_the_tail() -> None:
    assert read(0, 600.0) == [8.0, 0.0]
    assert read(0, 6000.0) == [8.0, 2.0]


def test_at_no_price_nothing_is_worth_a_pod() -> None:
    assert read(0, 0.0) == [0.0, 0.0]


def test_a_service_without_forecast_stays_without() -> None:
    assert np.isnan(read(1, 600.0)).all()


def test_a_service_that_is_not_in_the_bundle_has_no_forecast() -> None:
    assert np.isnan(read(-1, 600.0)).all()


def test_windows_are_told_in_unix_seconds() -> None:
    ahead = read_at_price(bundle(), np.array([0]), np.array([600.0]), layout=1)
    assert ahead.starts_s.tolist() == [1000.0, 1060.0]
    assert ahead.ends_s.tolist() == [1060.0, 1360.0]


@pytest.mark.parametrize("row", [0, 1])
def test_each_row_reads_its_own_service_at_its_own_price(row: int) -> None:
    service, price = np.array([0, 0]), np.array([60.0, 6000.0])
    both = read_at_price(bundle(), service, price, layout=1)
    assert both.demand[row].tolist() == read(0, float(price[row]))
