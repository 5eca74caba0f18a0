from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.core.prediction.advice import NO_PATHS, Advice
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.prediction.predictive import (
    PodCosts,
    pods_ahead,
    read_at_price,
    worth_ahead,
    worth_of_first,
)
from autoscaler.core.state.fleet import ALL, Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS

NOW = 1000.0
CURVE = [[0.9, 0.5, 0.1], [0.3, 0.05, 0.0]]


def advice(
    *worth_starting: float,
    keep: Sequence[float] | None = None,
    starts_s: float = NOW,
    window_s: float = 60.0,
) -> Advice:
    """What one row is worth in windows that follow each other; keep: the same by default."""
    edges = np.linspace(
        starts_s, starts_s + window_s * len(worth_starting), len(worth_starting) + 1
    )
    return Advice(
        starts_s=edges[:-1],
        ends_s=edges[1:],
        worth_starting=np.array([worth_starting]),
        worth_keeping=np.array([worth_starting if keep is None else keep]),
        called=np.zeros((1, len(worth_starting))),
        paths=NO_PATHS,
        layout=1,
    )


def pods(ahead: Advice, *, now: float = NOW, standing: int = 0, **spec: Any) -> int:
    fleet = Fleet()
    costs = {"lead_s": 5.0, "drain_s": 30.0}
    revision = replace(KNATIVE_DEFAULTS, **costs | {"pod_capacity": 10.0} | spec)
    fleet.add({"shop/cart": revision}, now=now)
    replicas = np.array([standing])
    return int(pods_ahead(ahead, ALL, fleet.spec, replicas, np.array([now]))[0])


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


def costs(*price_s: float, lead_s: float = 0.0, drain_s: float = 0.0) -> PodCosts:
    price = np.array(price_s)
    lead, drain = np.full_like(price, lead_s), np.full_like(price, drain_s)
    ten = np.full_like(price, 10.0)
    return PodCosts(first_s=price, further_s=price, lead_s=lead, drain_s=drain, capacity=ten)


def test_the_first_pod_has_a_price_of_its_own() -> None:
    one_each = replace(costs(60.0), capacity=np.ones(1))  # cells of the first pod, and of others
    dear = replace(one_each, first_s=np.array([1e9]))
    dearer = replace(one_each, further_s=np.array([1e9]))
    found = [read_at_price(bundle(), np.array([0]), c, layout=1) for c in (one_each, dear, dearer)]
    assert [advice.worth_starting[0, 0] for advice in found] == [1.0, 1.0, 8.0]


def read(service: int, price_s: float, **ends: float) -> tuple[list[float], list[float]]:
    """What is worth starting for, and keeping for, in each window."""
    ahead = read_at_price(bundle(), np.array([service]), costs(price_s, **ends), layout=1)
    return ahead.worth_starting[0].tolist(), ahead.worth_keeping[0].tolist()


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
    assert read(0, 60.0) == ([1.0, 0.0], [1.0, 0.0])


def test_a_higher_price_reads_further_into_the_tail() -> None:
    assert read(0, 600.0)[0] == [8.0, 0.0]
    assert read(0, 6000.0)[0] == [8.0, 2.0]


def test_to_start_in_vain_costs_lead_and_drain_as_well() -> None:
    # In vain 60 + 240 s against a price of 600 s: above one third, not above 1 in 11.
    assert read(0, 600.0, lead_s=100.0, drain_s=140.0)[0] == [2.0, 0.0]


def test_to_keep_saves_the_next_start_and_its_own_drain() -> None:
    # 60 s idle against 600 + 240 s: above 1 in 15; 300 s against it: above 5 in 19.
    assert read(0, 600.0, lead_s=100.0, drain_s=140.0)[1] == [8.0, 1.0]


def test_at_no_price_nothing_is_worth_starting() -> None:
    assert read(0, 0.0) == ([0.0, 0.0], [0.0, 0.0])
    # But what stands saves a start and a drain: 60 s against 60 s, above one half.
    assert read(0, 0.0, lead_s=20.0, drain_s=40.0) == ([0.0, 0.0], [1.0, 0.0])


def test_a_service_without_forecast_stays_without() -> None:
    assert np.isnan(read(1, 600.0)).all()


def test_a_service_that_is_not_in_the_bundle_has_no_forecast() -> None:
    assert np.isnan(read(-1, 600.0)).all()


def test_windows_are_told_in_unix_seconds() -> None:
    ahead = read_at_price(bundle(), np.array([0]), costs(600.0), layout=1)
    assert ahead.starts_s.tolist() == [1000.0, 1060.0]
    assert ahead.ends_s.tolist() == [1060.0, 1360.0]


@pytest.mark.parametrize("row", [0, 1])
def test_each_row_reads_its_own_service_at_its_own_price(row: int) -> None:
    price_s = 60.0, 6000.0
    both = read_at_price(bundle(), np.array([0, 0]), costs(*price_s), layout=1)
    assert both.worth_starting[row].tolist() == read(0, price_s[row])[0]


def test_how_likely_a_window_is_called_is_told() -> None:
    ahead = read_at_price(bundle(), np.array([0, -1]), costs(600.0, 600.0), layout=1)
    assert ahead.called[0].tolist() == [0.9, 0.3]
    assert np.isnan(ahead.called[1]).all()


def test_a_pod_that_stands_has_less_to_be_paid_for() -> None:
    pod = costs(600.0, lead_s=5.0, drain_s=30.0)
    for stands, worth in ((True, 0.5 * 600 * 5 / 47), (False, 0.5 * 600 * 5 / 80)):
        found = worth_of_first(pod, np.array([stands]), np.array([0.5]), 60.0)
        assert found == pytest.approx(worth)


@pytest.mark.parametrize(
    ("now", "called"), [(NOW - 36.0, 0.0), (NOW - 30.0, 0.3), (NOW + 30.0, 0.7), (NOW + 66.0, 0.7)]
)
def test_what_a_first_pod_is_worth_is_that_of_the_windows_that_count(
    now: float, called: float
) -> None:
    pod, stands = costs(600.0, lead_s=5.0, drain_s=30.0), np.zeros(1, np.bool_)
    ahead = replace(advice(10.0, 10.0, 10.0), called=np.array([[0.3, 0.7, np.nan]]))
    found = worth_ahead(ahead, ALL, pod, stands, np.array([now]))
    assert found == worth_of_first(pod, stands, np.array([called]), 60.0)


# --- pods that stand ------------------------------------------------------------------------------


def test_what_is_worth_keeping_but_not_starting_is_had_where_it_stands() -> None:
    ahead = advice(10.0, keep=[30.0])
    assert [pods(ahead, standing=n) for n in (0, 1, 2, 3, 9)] == [1, 1, 2, 3, 3]


def test_without_a_scale_target_nothing_stands() -> None:
    assert pods(advice(0.0, keep=[30.0]), standing=-1) == 0


def test_a_pod_is_kept_for_a_window_whose_middle_comes_before_lead_and_drain_are_over() -> None:
    ahead = replace(advice(0.0, 10.0), ends_s=NOW + np.array([60.0, 80.0]))
    assert [pods(ahead, now=NOW + s, standing=1) for s in (34.0, 35.0, 35.1)] == [0, 0, 1]
    assert [pods(ahead, now=NOW + s) for s in (25.1, 53.0, 53.1)] == [0, 0, 1]


def test_a_window_to_come_keeps_only_what_will_be_worth_starting_for_it() -> None:
    ahead = replace(advice(0.0, 10.0, keep=[0.0, 30.0]), ends_s=NOW + np.array([60.0, 80.0]))
    assert pods(ahead, now=NOW + 36.0, standing=3) == 1
    assert pods(ahead, now=NOW + 54.0, standing=3) == 3


def test_without_a_drain_a_pod_is_kept_as_long_as_one_would_be_started() -> None:
    ahead = advice(0.0, 10.0)
    due = [pods(ahead, now=NOW + s, standing=1, drain_s=0.0) for s in (53.0, 53.1)]
    assert due == [0, 1]


def test_costs_are_read_from_the_columns_of_a_fleet() -> None:
    fleet = Fleet()
    dear = replace(KNATIVE_DEFAULTS, cold_price_s=600.0, lead_s=5.0, drain_s=30.0)
    cheap = replace(KNATIVE_DEFAULTS, cold_price_s=20.0, lead_s=2.0, drain_s=40.0)
    fleet.add({"shop/cart": dear, "shop/mail": cheap}, now=NOW)
    found = PodCosts.of(fleet, ALL, fleet.spec)
    assert [c.tolist() for c in (found.first_s, found.lead_s, found.drain_s)] == [
        [600.0, 20.0],
        [5.0, 2.0],
        [30.0, 40.0],
    ]
