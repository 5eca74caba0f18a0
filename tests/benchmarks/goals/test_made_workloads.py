"""The laws of made services are those that their calls follow."""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.goals.made_workloads import (
    day_and_night,
    known,
    poisson,
    rare_regular_callers,
    sparse,
    timers,
)
from benchmarks.goals.workloads import Workload
from benchmarks.scores.forecast_score import most_ahead
from learner.models.levels import pods_needed

EDGES_S = np.array([0.0, 60.0, 120.0, 300.0, 900.0, 3600.0])


@pytest.mark.parametrize("make", [timers, rare_regular_callers, day_and_night, poisson])
def test_what_is_known_at_best_comes_as_often_as_it_says(make: Callable[[], Workload]) -> None:
    work = make()
    assert work.law
    table = known(work, work.law, EDGES_S)
    first = np.arange(work.first, work.demand.n_steps)
    need = pods_needed(work.demand)
    for window in range(len(EDGES_S) - 1):
        begin, end = (int(edge // 60) for edge in EDGES_S[window : window + 2])
        came = most_ahead(need, first + begin, end - begin) >= 1
        over = ~np.isnan(most_ahead(need, first + begin, end - begin))
        said = table.exceedance[:, :, window, 0]
        assert came[over].mean() == pytest.approx(said[over].mean(), abs=0.02)
        likely = over & (said > 0.5)
        if likely.any():
            assert came[likely].mean() == pytest.approx(said[likely].mean(), abs=0.04)


def test_sparse_services_are_idle_most_of_the_time() -> None:
    need = pods_needed(sparse().demand)
    assert 0.001 < (need > 0).mean() < 0.1
    assert (need.max(axis=1) > 0).all()
