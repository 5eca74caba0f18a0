"""The seasonal copy expects what former seasons needed."""

import numpy as np

from learner.demand import Demand
from learner.models.seasonal import NO_SEASON, SeasonalCopy

STEP = np.arange(1000)


def test_expects_what_former_seasons_needed() -> None:
    peak = np.where(STEP % 24 < 6, 4.0, 0.0)[None, :]
    demand = Demand(
        services=("shop/day",),
        start_s=0.0,
        step_s=3600.0,
        arrivals=peak,
        peak=peak,
        capacity=np.ones(1),
    )
    model = SeasonalCopy(windows=(0, 1, 2)).fit(demand)
    busy, idle = 24 * 30 + 3, 24 * 30 + 12
    exceedance = model.predict(demand, np.array([busy, idle])).exceedance[0, :, 0]
    assert (exceedance[0, :4] > 0.9).all()
    assert (exceedance[1, :4] < 0.1).all()
    assert (exceedance[:, 4:] == 0).all()


def test_says_why_it_is_silent() -> None:
    peak = np.random.default_rng(0).poisson(1.0, (1, 500)).astype(np.float64)
    demand = Demand(
        services=("shop/noise",),
        start_s=0.0,
        step_s=60.0,
        arrivals=peak,
        peak=peak,
        capacity=np.ones(1),
    )
    assert SeasonalCopy().fit(demand).predict(demand, np.array([500])).reason == (NO_SEASON,)
