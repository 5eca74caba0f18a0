"""The loop as a state machine: which events give which instructions."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from autoscaler.core.control import (
    Advised,
    Answered,
    Changed,
    ControlState,
    Event,
    Failed,
    Instructions,
    Reported,
    Succeeded,
    Tick,
    control,
)
from autoscaler.core.prediction.early import CASES
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, UNDECIDED, Active, Mode
from tests.autoscaler.core.stories import forecast

NOW_S = 1_700_000_000.0
NONE = np.zeros(0, dtype=np.int64)


def state(n: int = 2, *, at_zero: bool = True, **spec: Any) -> ControlState:
    """Revisions that are set up: at zero for long, or one pod at work."""
    fleet = Fleet()
    revision = replace(KNATIVE_DEFAULTS, **spec)
    fleet.add({f"shop/s{i}": revision for i in range(n)}, now=NOW_S - 1000)
    observed = fleet.observed
    for name in ("initialized", "set_up", "named"):
        getattr(observed, name)[:] = True
    observed.active[:] = int(Active.FALSE if at_zero else Active.TRUE)
    observed.ready[:] = observed.replicas[:] = 0 if at_zero else 1
    observed.active_since_s[:] = NOW_S - 1000
    fleet.memory.kpa[:] = 0 if at_zero else 1
    return ControlState(fleet=fleet)


def ticked(n: int = 2, **spec: Any) -> ControlState:
    """Revisions for which all was asked that a first tick asks."""
    made = state(n, **spec)
    control(made, Tick(), NOW_S)
    control(made, Tick(), NOW_S + 2)
    return made


def report(row: int, load: float, *, by_activator: bool = True, at: float = NOW_S + 2) -> Reported:
    return Reported(
        rows=np.array([row]),
        seconds=np.array([int(at)]),
        samples=np.array([[load], [load]]),
        by_activator=by_activator,
    )


def test_a_first_tick_asks_for_every_revision_and_the_next_for_none() -> None:
    made = state()
    assert control(made, Tick(), NOW_S).rows.tolist() == [0, 1]
    assert control(made, Tick(), NOW_S + 2).rows.tolist() == []


def test_a_tick_of_some_decides_for_them_as_a_tick_of_all() -> None:
    made, whole = state(), state()
    control(whole, Tick(), NOW_S)
    assert control(made, Tick(rows=np.array([1])), NOW_S).rows.tolist() == [1]
    assert made.fleet.decision.want.tolist() == [UNDECIDED, whole.fleet.decision.want[1]]


def test_a_request_at_zero_is_decided_in_the_same_turn() -> None:
    made = ticked()
    done = control(made, report(1, 1.0), NOW_S + 2.5)
    assert (done.rows.tolist(), done.decided.tolist()) == ([1], [1])
    asked = made.fleet.requested
    assert (asked.want[1], bool(asked.scale[1]), int(asked.active[1])) == (1, True, Active.UNKNOWN)


def test_a_request_is_decided_in_the_same_turn_where_a_forecast_let_the_last_pod_go() -> None:
    made = ticked(1, at_zero=False, mode=Mode.FULL)
    fleet = made.fleet
    fleet.early.cases[:] = CASES  # and was never missed
    for second in range(int(NOW_S) - 30, int(NOW_S) - 10):
        control(made, report(0, 1.0, by_activator=False, at=second), second)
    control(made, Advised(advice=forecast([0.0], now=NOW_S)), NOW_S + 2)
    fleet.observed.active[:], fleet.observed.probe_passed[:] = int(Active.FALSE), True
    control(made, Tick(), NOW_S + 4)
    fleet.observed.ready[:] = fleet.observed.replicas[:] = 0
    assert (fleet.memory.kpa.tolist(), fleet.decision.want.tolist()) == ([1], [0])
    control(made, report(0, 1.0, at=NOW_S + 5), NOW_S + 5.5)
    assert fleet.requested.want.tolist() == [1]


@pytest.mark.parametrize(
    "event",
    [report(1, 0.0), report(1, 1.0, by_activator=False)],
    ids=["nothing in flight", "a pod's own word"],
)
def test_other_statistics_wait_for_the_tick(event: Reported) -> None:
    assert control(ticked(), event, NOW_S + 2.5).rows.tolist() == []


def test_a_second_request_of_a_revision_on_its_way_up_waits_for_the_tick() -> None:
    made = ticked()
    control(made, report(1, 1.0), NOW_S + 2.5)
    assert control(made, report(1, 1.0), NOW_S + 2.6).rows.tolist() == []


def test_objects_that_changed_are_acted_for_without_a_decision() -> None:
    made = ticked(at_zero=False)
    decided_s = made.fleet.decision.at_s.copy()
    done = control(made, Changed(rows=np.array([0])), NOW_S + 2.5)
    assert (done.rows.tolist(), done.decided.tolist()) == ([0], [])
    assert made.fleet.decision.at_s.tolist() == decided_s.tolist()


def test_a_condition_follows_a_pod_that_became_ready() -> None:
    made = ticked()
    control(made, report(1, 1.0), NOW_S + 2.5)
    made.fleet.observed.ready[1] = 1
    control(made, Changed(rows=np.array([1])), NOW_S + 4.5)
    observed = made.fleet.observed
    assert (int(observed.active[1]), observed.active_since_s[1]) == (Active.TRUE, NOW_S + 4.5)


def test_what_is_new_is_decided_at_once() -> None:
    made = ticked()
    made.fleet.add({"shop/new": KNATIVE_DEFAULTS}, now=NOW_S + 2, ready=[1])
    made.fleet.observed.set_up[2] = made.fleet.observed.named[2] = True
    done = control(made, Changed(rows=np.array([2])), NOW_S + 2.5)
    assert (done.decided.tolist(), done.before.tolist()) == ([2], [UNDECIDED])
    assert done.initialized.tolist() == [2]


def test_nothing_is_decided_for_a_revision_that_is_not_set_up() -> None:
    made = ticked()
    made.fleet.observed.set_up[1] = False
    done = control(made, report(1, 5.0), NOW_S + 2.5)
    assert made.fleet.decision.want[1] == -1
    assert not made.fleet.requested.scale[done.rows].any()


def test_it_is_initialized_once_and_not_before_its_service_has_a_name() -> None:
    made = state(1, at_zero=False)
    made.fleet.observed.initialized[:] = made.fleet.observed.named[:] = False
    assert control(made, Tick(), NOW_S).initialized.tolist() == []
    made.fleet.observed.named[:] = True
    assert control(made, Tick(), NOW_S + 2).initialized.tolist() == [0]
    assert control(made, Tick(), NOW_S + 4).initialized.tolist() == []


def test_the_activators_answer_lets_the_last_pod_go() -> None:
    made = state(1)
    made.fleet.observed.ready[:] = made.fleet.observed.replicas[:] = 1
    control(made, report(0, 0.0), NOW_S)
    control(made, Tick(), NOW_S)
    assert made.fleet.requested.probe[0]
    control(made, Answered(rows=np.array([0])), NOW_S + 1)
    done = control(made, Tick(), NOW_S + 2)
    assert done.rows.tolist() == [0]
    assert (made.fleet.requested.want[0], bool(made.fleet.requested.scale[0])) == (0, True)


def due(made: ControlState, *, after_s: float) -> list[int]:
    return list(control(made, Tick(), NOW_S + 2 + after_s).rows)


def test_what_failed_is_asked_again_later_and_later() -> None:
    made, one = ticked(), np.array([1])
    waits = []
    for _ in range(8):
        control(made, Failed(rows=one, wait_s=np.zeros(1)), NOW_S + 2)
        waits.append(float(made.fleet.requested.wait_s[1]))
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert due(made, after_s=28) == []
    assert due(made, after_s=30) == [1]
    assert due(made, after_s=32) == []


def test_a_cluster_that_asks_for_more_time_gets_it() -> None:
    made = ticked()
    control(made, Failed(rows=np.array([1]), wait_s=np.array([55.0])), NOW_S + 2)
    assert due(made, after_s=54) == []
    assert due(made, after_s=56) == [1]


def test_success_ends_the_waiting() -> None:
    made, one = ticked(), np.array([1])
    for _ in range(5):
        control(made, Failed(rows=one, wait_s=np.zeros(1)), NOW_S + 2)
    control(made, Succeeded(rows=one), NOW_S + 2)
    assert due(made, after_s=60) == []
    control(made, Failed(rows=one, wait_s=np.zeros(1)), NOW_S + 62)
    assert made.fleet.requested.wait_s[1] == 1


def test_a_request_does_not_wait_for_what_failed() -> None:
    made = ticked()
    control(made, Failed(rows=np.array([1]), wait_s=np.array([60.0])), NOW_S + 2)
    assert control(made, report(1, 1.0), NOW_S + 2.5).rows.tolist() == [1]


def test_advice_counts_from_the_next_decision_on() -> None:
    made = ticked(mode=Mode.OUTWARD, lead_s=5.0)
    advice = forecast([150.0, np.nan], now=NOW_S + 2)
    assert control(made, Advised(advice=advice), NOW_S + 2.5).rows.tolist() == []
    assert control(made, Tick(), NOW_S + 4).rows.tolist() == [0]
    assert made.fleet.requested.want.tolist() == [2, 0]


def test_a_revision_that_went_leaves_the_others_what_was_asked_of_them() -> None:
    made = ticked(3)
    made.fleet.remove("shop/s0")
    assert control(made, Tick(), NOW_S + 4).rows.tolist() == []


def a_day() -> list[tuple[float, Event]]:
    """Events of all kinds, at random, with a fixed seed."""
    rng = np.random.default_rng(7)
    events: list[tuple[float, Event]] = []
    now = NOW_S
    for _ in range(400):
        now += float(rng.exponential(0.7))
        rows = np.unique(rng.integers(0, 5, 2))
        load = rng.poisson(1.0, (2, len(rows))).astype(np.float64)
        report_ = Reported(
            rows=rows,
            seconds=np.full(len(rows), int(now)),
            samples=load,
            by_activator=bool(rng.random() < 0.5),
        )
        advice = forecast(list(rng.gamma(1.0, 60.0, 5)), now=now)
        kinds: list[Event] = [
            Tick(),
            report_,
            Changed(rows=rows),
            Answered(rows=rows),
            Failed(rows=rows, wait_s=np.zeros(len(rows))),
            Succeeded(rows=rows),
            Advised(advice=advice),
        ]
        events.append((now, kinds[int(rng.choice(7, p=[0.3, 0.4, 0.1, 0.05, 0.05, 0.05, 0.05]))]))
    return events


def test_the_same_events_give_the_same_instructions() -> None:
    def live() -> list[Instructions]:
        made = state(5, mode=Mode.FULL)
        return [control(made, event, now) for now, event in a_day()]

    for first, second in zip(live(), live(), strict=True):
        for f in fields(Instructions):
            assert getattr(first, f.name).tolist() == getattr(second, f.name).tolist()
