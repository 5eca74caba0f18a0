"""What policies cost beside Knative is told as it is."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core import billing
from autoscaler.core.prediction.bill import free_in_turn
from autoscaler.core.types import FloatArray
from benchmarks.goals.bill import Row, common_row, rows_of
from benchmarks.goals.made_workloads import known, rare_regular_callers
from benchmarks.goals.simulated import Spent
from benchmarks.goals.workloads import Workload
from benchmarks.policies.policies import revision
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import Policy


def test_services_that_cost_more_than_their_bill_are_counted() -> None:
    base = revision(1, 5.0, 30.0)
    policies = [
        Policy(name="Knative", revision=base),
        Policy(name="bill", revision=replace(base, max_extra=0.2, extra_allowance_s=100.0)),
        Policy(name="no bill", revision=base),
    ]
    spent = Spent(
        requests=np.full((3, 2), 9),
        cold=np.array([[4.0, 4.0], [1.0, 2.0], [0.0, 0.0]]),
        pod_s=np.array([[1000.0, 1000.0], [1300.0, 1301.0], [9000.0, 1000.0]]),
    )
    knative, bill, none = rows_of(policies, spent)
    assert (knative.of_knative, knative.over) == (1.0, 0)
    assert (bill.cold, bill.pod_s, bill.of_knative, bill.over) == (3.0, 2601.0, 1.3005, 1)
    assert none.over == 0


def few_rare_callers() -> tuple[Workload, ForecastTable]:
    """With what can be known of them at best."""
    work, rows = rare_regular_callers(), np.arange(0, 96, 4)
    assert work.law
    table = known(work, work.law, np.array([0.0, 60.0, 120.0, 300.0, 900.0, 3600.0])).only(rows)
    demand = work.demand.only(rows).until(work.first + 180)
    return replace(work, demand=demand, requests=work.requests.only(rows)), table


def test_one_bill_of_all_buys_more_in_the_order_of_what_pods_are_worth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work, table = few_rare_callers()
    knative = Row(policy="Knative", cold=0.0, pod_s=1e9, of_knative=1.0, over=0)
    by_worth = common_row(work, table, knative, 0.1)

    def by_name(free_s: float, cost_s: FloatArray, worth: FloatArray) -> FloatArray:
        return free_in_turn(free_s, cost_s, np.zeros_like(worth))

    monkeypatch.setattr(billing, "free_in_turn", by_name)
    assert common_row(work, table, knative, 0.1).cold > 1.1 * by_worth.cold
