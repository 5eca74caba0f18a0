"""Bills in the life of a few revisions, tick by tick."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from autoscaler.core.control import Advised, ControlState, Tick, control
from autoscaler.core.decider import decide
from autoscaler.core.prediction.bill import DAY_S
from autoscaler.core.prediction.early import CASES
from autoscaler.core.state.decision import explain, row_of
from autoscaler.core.state.fleet import ALL, Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active, Mode
from autoscaler.core.types import FloatArray
from tests.autoscaler.core.stories import AT_WORK, BASE_S, forecast, look

BUSY = replace(
    KNATIVE_DEFAULTS,
    mode=Mode.OUTWARD,
    lead_s=4.0,
    drain_s=10.0,
    max_extra=0.2,
    extra_allowance_s=60.0,
)  # a pod more costs 16 s at least: start, tick and drain


class Ticks:
    """Revisions with a pod each and the demand for it, and a forecast of more; ticks follow."""

    def __init__(
        self,
        *specs: Any,
        demand: FloatArray | float = 30.0,
        expected: float = 250.0,
        called: Sequence[float] = (),
    ) -> None:
        self.fleet, self.now, self.called = Fleet(), BASE_S, called
        self.demand, self.expected = demand, expected
        self.fleet.add({f"shop/s{i}": spec for i, spec in enumerate(specs)}, now=BASE_S)
        for row in range(len(specs)):
            look(self.fleet, row, AT_WORK)
        self.state = ControlState(fleet=self.fleet)

    def tick(self, n: int = 1) -> list[int]:
        """So many ticks; the pods that the last one wants."""
        for _ in range(n):
            self.now += 2.0
            rows = np.arange(len(self.fleet))
            load = np.broadcast_to(self.demand, (2, len(rows)))
            self.fleet.record(rows, np.full(len(rows), int(self.now)), load)
            made = forecast([self.expected] * len(rows), now=self.now, called=self.called)
            advice = replace(made, layout=self.fleet.layout)
            control(self.state, Advised(advice=advice), self.now)
            control(self.state, Tick(), self.now)
            scaled, observed = self.fleet.decision.scale, self.fleet.observed
            observed.replicas[scaled] = self.fleet.decision.want[scaled]
            observed.ready[:] = observed.replicas
        return [int(pods) for pods in self.fleet.decision.want]


def no_pods(fleet: Fleet, rows: slice = ALL) -> None:
    """They are idle."""
    fleet.observed.ready[rows] = fleet.observed.replicas[rows] = 0
    fleet.observed.active[rows] = int(Active.FALSE)


def test_an_account_is_spent_and_then_lives_on_what_knatives_pods_earn() -> None:
    ticks = Ticks(BUSY)
    extra = []
    for _ in range(500):
        extra.append(ticks.tick()[0] - 1)
        assert ticks.fleet.credit.left_s >= 0.0
    assert extra[:10] == [2] * 10
    ends = sum(max(0, a - b) for a, b in pairwise(extra))
    spent_s = 2.0 * sum(extra) + 10.0 * (ends + extra[-1])
    assert 0.0 <= 60.0 + 0.2 * 2.0 * 500 - spent_s < 16.0 + 0.2 * 2.0


def test_a_pod_is_started_only_if_its_end_is_paid_for() -> None:
    ticks = Ticks(replace(BUSY, extra_allowance_s=15.0, max_extra=0.0))
    assert [ticks.tick() for _ in range(3)] == [[1], [1], [1]]
    ticks.fleet.configure("shop/s0", replace(BUSY, extra_allowance_s=16.0, max_extra=0.0))
    ticks.fleet.credit.left_s[:] = 16.0
    wanted = [ticks.tick()[0] for _ in range(12)]
    assert wanted == [2] * 3 + [1] * 9


def test_what_was_earned_within_a_day_is_the_most_that_is_saved_up() -> None:
    ticks = Ticks(BUSY, expected=0.0)
    ticks.tick(500)
    assert 255.0 < ticks.fleet.credit.left_s < 60.0 + 0.2 * 2.0 * 500
    ticks.fleet.credit.day_s[:] = 0.2 * DAY_S
    ticks.fleet.credit.left_s[:] = 1e9
    ticks.tick(500)
    assert np.isclose(ticks.fleet.credit.left_s, 60.0 + 0.2 * DAY_S)


def test_what_goes_early_may_be_spent() -> None:
    ticks = Ticks(replace(BUSY, mode=Mode.FULL, max_extra=0.0), demand=250.0, expected=600.0)
    ticks.fleet.early.cases[:] = CASES  # in which no pod was missed
    ticks.tick(30)
    assert ticks.fleet.credit.left_s < 2.0
    ticks.demand, ticks.expected = 0.0, 0.0
    ticks.tick(4)
    assert ticks.fleet.decision.want < ticks.fleet.decision.kpa
    assert ticks.fleet.credit.left_s > 2.0


def test_a_bill_that_begins_finds_a_full_account() -> None:
    ticks = Ticks(replace(BUSY, max_extra=np.inf))
    assert ticks.tick(20) == [3]
    ticks.fleet.configure("shop/s0", BUSY)
    assert ticks.tick() == [3]
    assert 50.0 < ticks.fleet.credit.left_s < 60.0


def test_in_shadow_nothing_is_paid() -> None:
    ticks = Ticks(replace(BUSY, mode=Mode.SHADOW))
    assert ticks.tick(20) == [1]
    assert ticks.fleet.credit.left_s >= 60.0


def test_an_activation_scale_is_kept_whole_or_not_at_all() -> None:
    idle = replace(BUSY, activation_scale=3, extra_allowance_s=500.0, max_extra=0.0)
    ticks = Ticks(idle, demand=0.0)
    no_pods(ticks.fleet)
    extra = []
    for _ in range(300):
        ticks.tick()
        extra.append(int(ticks.fleet.decision.extra[0]))
    assert set(extra) == {3, 0}


def test_pods_that_nobody_calls_cost_no_more_than_the_allowance() -> None:
    idle = replace(BUSY, extra_allowance_s=500.0, grace_s=6.0, stable_window_s=10)
    ticks = Ticks(idle, demand=0.0)
    no_pods(ticks.fleet)
    stood = started = 0
    for i in range(2_000):
        ticks.expected = 80.0 if i % 40 == 0 else 0.0
        before = int(ticks.fleet.observed.replicas[0])
        ticks.fleet.observed.probe_passed[:] = True
        ticks.tick()
        stood += int(ticks.fleet.observed.replicas[0])
        started += int(ticks.fleet.observed.replicas[0]) > before
    assert started > 3
    assert 2.0 * stood + 10.0 * started <= 500.0


def test_the_clusters_bill_pays_further_pods_of_the_higher_price_first() -> None:
    dear = replace(BUSY, max_extra=np.inf, cold_price_s=900.0)
    ticks = Ticks(replace(dear, cold_price_s=60.0), dear, dear)
    ticks.fleet.limit_cluster(0.0, 60.0)
    assert ticks.tick() == [1, 3, 2]
    ticks.tick(20)
    assert ticks.tick() == [1, 1, 1]
    assert explain(row_of(ticks.fleet.decision, 1)).startswith(
        "1 pod: the cluster's bill allows 0 of 2 pods ahead: 0 % of the pods that Knative wants"
    )


def test_the_clusters_bill_pays_first_pods_first_by_what_they_save() -> None:
    spec = replace(BUSY, max_extra=np.inf, drain_s=0.0, grace_s=0.0, stable_window_s=10)
    ticks = Ticks(spec, spec, spec, spec, called=[0.9, 0.1, 0.5, 0.7])
    ticks.demand = np.array([30.0, 0.0, 0.0, 0.0])
    no_pods(ticks.fleet, slice(1, None))
    ticks.fleet.limit_cluster(0.0, 33.0)  # a first pod costs 16 s: start, stay and tick
    assert ticks.tick() == [1, 0, 1, 1]
    ticks.fleet.cluster_credit = replace(ticks.fleet.cluster_credit, left_s=999.0)
    assert ticks.tick() == [3, 3, 3, 3]


def test_pods_that_are_started_between_ticks_leave_less_for_others_at_once() -> None:
    ticks = Ticks(replace(BUSY, max_extra=np.inf), BUSY, expected=0.0)
    ticks.fleet.limit_cluster(0.0, 35.0)
    ticks.tick()
    made = forecast([250.0, 250.0], now=ticks.now)
    advice = replace(made, layout=ticks.fleet.layout)
    for row, pods in ((0, 3), (1, 1)):
        decide(ticks.fleet, advice, now=ticks.now + 0.5, rows=np.array([row])).apply(ticks.fleet)
        assert ticks.fleet.decision.want[row] == pods
    assert ticks.fleet.credit.ahead.tolist() == [2, 0]
    assert ticks.fleet.cluster_credit.left_s == 35.0 - 2 * 2.0


def test_a_changed_bill_of_the_cluster_keeps_its_credit() -> None:
    ticks = Ticks(replace(BUSY, max_extra=np.inf))
    ticks.fleet.limit_cluster(0.0, 47.0)
    ticks.tick()
    ticks.fleet.limit_cluster(0.5, 100.0)
    assert ticks.fleet.cluster_credit.left_s == 43.0
    ticks.fleet.limit_cluster(np.inf, 100.0)
    ticks.fleet.limit_cluster(0.5, 100.0)
    assert ticks.fleet.cluster_credit.left_s == 100.0


def test_what_knatives_delay_keeps_of_many_pods_is_not_cut() -> None:
    many = replace(BUSY, scale_down_delay_s=20.0, max_scale_down_rate=10.0, drain_s=0.0)
    ticks = Ticks(replace(many, extra_allowance_s=2000.0), demand=0.0, expected=80_000.0)
    no_pods(ticks.fleet)
    wanted, kept = [], []
    for _ in range(20):
        wanted += ticks.tick()
        kept.append(int(ticks.fleet.decision.kpa[0]))
    assert max(kept) > 10
    assert all(pods >= floor for pods, floor in zip(wanted, kept, strict=True))
