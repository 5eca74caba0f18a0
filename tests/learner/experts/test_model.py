"""Experts answer as one model, whatever they are."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.special import expit, logit

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import IntArray
from learner.demand import Demand
from learner.engine import ExpertsFactory, pooled
from learner.experts.mixture import Mixture
from learner.experts.model import Experts, Unchanged
from learner.models import Forecast
from learner.models.known_rows import KnownRows
from learner.settings import LearnerSettings
from tests.learner.state.oracle import demand_of, mixed_need

SETTINGS = LearnerSettings(windows=(0, 1, 5), max_rows=2_000, rounds=10, seeds=(0,))
NEED = mixed_need(600, seed=1)


class Whatever:
    """A user's own model: it says one half of everything."""

    name, windows = "whatever", SETTINGS.windows

    def fit(self, demand: Demand, edges: Edges | None = None) -> Self:
        self.fits = getattr(self, "fits", 0) + 1
        return self

    def predict(
        self, demand: Demand, origins: IntArray, known: KnownRows | None = None
    ) -> Forecast:
        n = len(demand.services)
        exceedance = np.full((n, len(origins), 2, 3), 0.5, dtype=np.float32)
        return Forecast(demand_edges=np.zeros((n, 4)), exceedance=exceedance, reason=("",) * n)

    def followed(self, services: Sequence[str]) -> set[str]:
        return set()


def test_a_model_of_ones_own_is_one_more_expert() -> None:
    own, demand = Whatever(), demand_of(NEED)
    experts = Experts([pooled(SETTINGS), own], Mixture(2, SETTINGS.windows)).fit(demand)
    assert own.fits == 1
    forecast, alone = (
        each.predict(demand, np.array([300, 600])) for each in (experts, experts.models[0])
    )
    assert set(forecast.by) == {"pooled 70 %, whatever 30 %"}
    reached = alone.exceedance[..., :3]
    # Log odds of one half are 0.
    expected = np.where(reached > 0, expit(0.7 * logit(np.clip(reached, 1e-6, 1))), 0.0)
    np.testing.assert_allclose(forecast.exceedance[..., :3], expected, atol=1e-4)
    assert (np.diff(forecast.exceedance, axis=3) <= 0).all()


def test_a_prior_is_an_expert_that_stays_as_it_is() -> None:
    demand = demand_of(NEED)
    prior = pooled(SETTINGS).fit(demand_of(NEED[:, :100]))
    prior.name = "prior"
    before = prior.predict(demand, np.array([600])).exceedance
    experts = ExpertsFactory(SETTINGS.windows, prior)(SETTINGS).fit(demand)
    np.testing.assert_array_equal(prior.predict(demand, np.array([600])).exceedance, before)
    said = experts.predict(demand, np.array([600])).by[0]
    assert said == "pooled 70 %, recency 15 %, prior 15 %"


def test_new_fits_are_weighed_as_the_former_ones() -> None:
    make = ExpertsFactory(SETTINGS.windows)
    former = make(SETTINGS).fit(demand_of(NEED[:, :400]))
    for end in range(400, 600):
        forecast = former.predict(demand_of(NEED[:, :end]), np.array([end]))
    by = make(SETTINGS).fit(demand_of(NEED)).predict(demand_of(NEED), np.array([600])).by
    assert len(set(by)) > 1
    same = [one == other for one, other in zip(by, forecast.by, strict=True)]
    assert np.mean(same) > 0.5


def test_whom_any_of_them_follows_is_followed() -> None:
    own = Whatever()
    own.followed = lambda services: {f"{name}-db" for name in services}  # type: ignore[method-assign]
    experts = Experts([Whatever(), Unchanged(own)], Mixture(2, SETTINGS.windows))
    assert experts.followed(["shop/a"]) == {"shop/a-db"}
