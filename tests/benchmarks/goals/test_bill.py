"""What policies cost beside Knative is told as it is."""

from dataclasses import replace

import numpy as np

from benchmarks.goals.bill import rows_of
from benchmarks.goals.simulated import Spent
from benchmarks.policies.policies import revision
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
