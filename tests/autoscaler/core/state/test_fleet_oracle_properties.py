"""Any life of any fleet: the arrays answer as the plain rule does for each revision alone."""

import math
from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from autoscaler.core.decider import Step, decide
from autoscaler.core.kpa.zero import next_active
from autoscaler.core.state.decision import Decision
from autoscaler.core.state.fleet import Fleet, take
from autoscaler.core.state.revision import Memory, Observed, Revision
from autoscaler.core.types import FloatArray, IntArray
from tests.autoscaler.core.oracle import Answer, Kpa
from tests.autoscaler.core.stories import BASE_S, LAW, eighths, look, looks, revisions
from tests.examples import examples

AVERAGES = ("stable", "panic")
EXACT = 1e-9
LOAD = st.just(0.0) | eighths(60)


class FleetLikeKpa(RuleBasedStateMachine):
    """Everything that may happen to a fleet, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet()
        self.judges: dict[str, Kpa] = {}
        self.seen: dict[str, Observed[float, int, bool]] = {}
        self.now = BASE_S
        self.born = 0

    @initialize(specs=st.lists(revisions(), min_size=1, max_size=3))
    def begin(self, specs: list[Revision]) -> None:
        self._add(specs)

    @rule(specs=st.lists(revisions(), min_size=1, max_size=2))
    def add(self, specs: list[Revision]) -> None:
        self._add(specs)

    def _add(self, specs: list[Revision]) -> None:
        ready = [(self.born + i) % 4 for i in range(len(specs))]
        added = {f"shop/r{self.born + i}": spec for i, spec in enumerate(specs)}
        self.born += len(specs)
        self.fleet.add(added, now=self.now, ready=ready)
        self.fleet.observed.set_up[:] = True
        for (key, spec), pods in zip(added.items(), ready, strict=True):
            self.judges[key] = Kpa(spec, ready=pods, now=self.now)
            self.seen[key] = _look_at(self.fleet, key)

    @precondition(lambda self: self.judges)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.fleet.keys))
        self.fleet.remove(key)
        del self.judges[key], self.seen[key]

    @precondition(lambda self: self.judges)
    @rule(data=st.data(), revision=revisions())
    def configure(self, data: st.DataObject, revision: Revision) -> None:
        key = data.draw(st.sampled_from(self.fleet.keys))
        self.fleet.configure(key, revision)
        self.judges[key].configure(revision)

    @precondition(lambda self: self.judges)
    @rule(data=st.data(), change=looks())
    def see(self, data: st.DataObject, change: Observed[float, int, bool]) -> None:
        key = data.draw(st.sampled_from(self.fleet.keys))
        shift_s = self.now - BASE_S
        look(self.fleet, self.fleet.row(key), change, shift_s=shift_s)
        self.seen[key] = _look_at(self.fleet, key)

    @precondition(lambda self: self.judges)
    @rule(data=st.data(), late=st.integers(0, 45), load=eighths(60))
    def record(self, data: st.DataObject, late: int, load: float) -> None:
        rows = data.draw(_some_rows(len(self.fleet)))
        second = math.floor(self.now) - late
        self._record(rows, second - np.arange(len(rows)) % 2, load + rows)

    def _record(self, rows: IntArray, seconds: IntArray, loads: FloatArray) -> None:
        samples = np.stack([loads, 3 * loads])
        self.fleet.record(rows, seconds, samples)
        for row, at, (concurrency, rps) in zip(rows, seconds, samples.T, strict=True):
            self.judges[self.fleet.keys[row]].record(int(at), float(concurrency), float(rps))

    @precondition(lambda self: self.judges)
    @rule(load=LOAD, spread=st.sampled_from([0.0, 0.5]), turns=st.integers(1, 9))
    def live(self, load: float, spread: float, turns: int) -> None:
        rows = np.arange(len(self.fleet))
        loads: FloatArray = load + np.float64(spread) * rows
        for _ in range(turns):
            for _ in range(2):
                self.now += 1.0
                self._record(rows, np.full(len(rows), math.floor(self.now)), loads)
            self._tick(None)

    @rule(seconds=st.sampled_from([0.25, 1.0, 2.0, 9.5, 40.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.judges)
    @rule(data=st.data(), ticks=st.integers(1, 4))
    def tick(self, data: st.DataObject, ticks: int) -> None:
        for _ in range(ticks):
            self.now += 2.0
            everyone = data.draw(st.booleans())
            rows = None if everyone else data.draw(_some_rows(len(self.fleet)))
            self._tick(rows)

    def _tick(self, rows: IntArray | None) -> None:
        step = decide(self.fleet, None, now=self.now, rows=rows)
        self._judge(step)
        step.apply(self.fleet)

    def _judge(self, step: Step) -> None:
        ours = _by_row(self.fleet, step)
        for i, row in enumerate(step.rows):
            key = self.fleet.keys[row]
            theirs = self.judges[key].tick(self.seen[key], self.now)
            for f in fields(Answer):
                mine, right = ours[f.name][i], getattr(theirs, f.name)
                near = abs(mine - right) <= EXACT if f.name in AVERAGES else mine == right
                assert near, f"{f.name} of {key}: ours {mine}, the rule says {right}"


def _some_rows(n: int) -> st.SearchStrategy[Any]:
    some = st.lists(st.integers(0, n - 1), unique=True, min_size=1)
    return some.map(lambda rows: np.array(rows, dtype=np.int64))


def _by_row(fleet: Fleet, step: Step) -> dict[str, Any]:
    rows, decision = step.rows, step.decision
    answers = {f.name: getattr(decision, f.name) for f in fields(Decision)}
    memory = {f.name: getattr(step.memory, f.name) for f in fields(Memory)}
    active = next_active(decision.want, take(fleet.spec, rows), take(fleet.observed, rows))
    return answers | memory | {"next_active": active}


def _look_at(fleet: Fleet, key: str) -> Observed[float, int, bool]:
    row = fleet.row(key)
    return Observed(
        **{f.name: getattr(fleet.observed, f.name)[row].item() for f in fields(Observed)}
    )


def test_any_life_of_any_fleet_is_that_of_each_revision_alone() -> None:
    life = settings(LAW, max_examples=examples(15, many=50), stateful_step_count=40)
    run_state_machine_as_test(FleetLikeKpa, settings=life)
