"""Forecasts of shards are those of all services at once."""

from dataclasses import replace

import numpy as np
import pytest

from learner.demand import Demand
from learner.models.pooled import Pooled
from learner.models.upstream import UpstreamPairs
from learner.sharding.local import Local
from learner.sharding.shards import Shards
from learner.state.carried import CarriedState
from learner.state.ring import as_need, as_pods
from tests.learner.state.oracle import demand_of, mixed_need

WINDOWS = (0, 1, 5)
N_STEPS = 700
NEED = mixed_need(N_STEPS, seed=3, copies=2)


@pytest.fixture(scope="module")
def model() -> Pooled:
    fitted = Pooled(windows=WINDOWS, seeds=(0,), max_rows=3_000, rounds=20)
    fitted = fitted.fit(demand_of(NEED[:, :500]))
    fitted.pairs_ = UpstreamPairs(
        upstream=("shop/service-010", "shop/service-011"),
        service=("shop/service-003", "shop/service-020"),
        lag=np.array([30, 2]),
        pods_per_request=np.array([0.5, 2.0]),
    )
    return fitted


def until(end: int, begin: int = 0) -> Demand:
    return demand_of(NEED[:, begin:end], start=begin)


@pytest.mark.parametrize("services_a_shard", [3, 10, 100])
def test_forecasts_are_those_of_all_services_at_once(model: Pooled, services_a_shard: int) -> None:
    shards, carried = Shards(Local(), services_a_shard), CarriedState()
    for end in (500, 501, 504, 540, 700):
        demand = until(end)
        newest = carried.newest_rows(demand, WINDOWS)
        expected = model.predict(demand, np.array([end]), newest)
        found = shards.forecast(model, demand)
        np.testing.assert_array_equal(found.exceedance, expected.exceedance)
        np.testing.assert_array_equal(found.demand_edges, expected.demand_edges)
        assert (found.reason, shards.fault) == (expected.reason, "")


def test_what_is_asked_twice_is_answered_alike(model: Pooled) -> None:
    shards = Shards(Local(), 4)
    shards.forecast(model, until(500))
    once, twice = (shards.forecast(model, until(501)).exceedance for _ in range(2))
    np.testing.assert_array_equal(once, twice)


def test_some_of_the_services_are_answered_as_among_all(model: Pooled) -> None:
    shards, some = Shards(Local(), 4), np.array([20, 3, 10, 11])
    of_all = shards.forecast(model, until(500))
    of_some = shards.forecast(model, until(500).only(some))
    n_cells = of_some.exceedance.shape[3]
    np.testing.assert_array_equal(of_some.exceedance, of_all.exceedance[some][..., :n_cells])


def test_an_error_in_the_state_of_a_shard_is_said_and_the_past_answers(
    model: Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("broken")

    shards = Shards(Local(), 4)
    before = shards.forecast(model, until(500))
    with monkeypatch.context() as patched:
        patched.setattr("learner.state.carried.features", broken)
        from_past = shards.forecast(model, until(500))
        assert shards.fault == "ZeroDivisionError('broken')"
    np.testing.assert_allclose(from_past.exceedance, before.exceedance, atol=0.05)
    after = shards.forecast(model, until(501))
    assert shards.fault == ""
    np.testing.assert_array_equal(
        after.exceedance, Shards(Local(), 4).forecast(model, until(501)).exceedance
    )


def test_services_whose_pods_take_more_are_counted_anew(model: Pooled) -> None:
    shards = Shards(Local(), 4)
    shards.forecast(model, until(500))
    demand = until(501)
    changed = replace(demand, capacity=np.where(np.arange(len(NEED)) % 3, 1.0, 2.0))
    after = shards.forecast(model, changed)
    assert shards.fault == ""
    anew = Shards(Local(), 4).forecast(model, changed)
    np.testing.assert_array_equal(after.exceedance, anew.exceedance)
    assert not np.array_equal(after.exceedance, shards.forecast(model, demand).exceedance)


def test_the_number_of_shards_follows_the_services_and_never_shrinks(model: Pooled) -> None:
    shards = Shards(Local(), 4)
    few = until(500).only(np.arange(4))
    for demand, expected in ((few, 1), (until(500), 8), (few, 8)):
        shards.forecast(model, demand)
        assert shards._n_shards == expected


def test_the_past_that_is_handed_over_is_all_that_a_state_knows_of() -> None:
    pods = as_pods(NEED)
    np.testing.assert_array_equal(as_pods(as_need(pods)), pods)
