"""Histories of fleets under the real control loop, for the laws of the bill: anything may happen.

Forecasts, edges, demand, start-ups, calls between ticks, changed modes and prices, revisions that
come and go are drawn from a seed; what Knative alone would want is worked out by `oracle`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.control import (
    Advised,
    Answered,
    Changed,
    ControlState,
    Instructions,
    Reported,
    Tick,
    control,
)
from autoscaler.core.prediction.advice import Advice, Paths
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import Mode, Observed, Revision
from tests.autoscaler.core.oracle import Kpa

BEGIN_S = 1_700_000_000.0
TICK_S = 2.0
NEVER_S = 1e9  # a start-up that does not end


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one decision wants of a revision."""

    revision: Revision  # its settings then
    pods: int
    knative: int  # of Knative's rule alone in the same state
    replicas: int  # of the scale target, once that was written


@dataclass(slots=True)
class History:
    """A fleet that lives; everything but the settings follows from the seed."""

    revisions: list[Revision]
    seed: int
    state: ControlState = field(default_factory=ControlState)
    now: float = BEGIN_S
    rng: np.random.Generator = field(init=False)
    wanted: dict[str, Wanted] = field(default_factory=dict)  # by each revision's last decision
    _pods: dict[str, list[float]] = field(default_factory=dict)  # Unix s at which each is ready
    _added: int = 0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        for revision in self.revisions:
            self._add(revision)

    @property
    def fleet(self) -> Fleet:
        return self.state.fleet

    def run(
        self, ticks: int, *, ticked: Callable[[], None], decided: Callable[[], None] | None = None
    ) -> None:
        """Live for so many ticks. decided: called after decisions between ticks."""
        for _ in range(ticks):
            tick_s = self.now + TICK_S
            self._between()
            if decided:
                decided()
            self.now = tick_s
            self._decide(lambda: control(self.state, Tick(), self.now))
            ticked()

    # --- what happens --------------------------------------------------------------------------

    def _between(self) -> None:
        """A second with anything but a tick."""
        self.now += TICK_S / 2
        if self._sometimes(0.1):
            self._change()
        if self._sometimes(0.3):
            control(self.state, Advised(advice=self._advice()), self.now)
        if not len(self.fleet):
            return
        every = np.arange(len(self.fleet))
        self._observe()
        control(
            self.state,
            Answered(rows=every[self.rng.random(len(every)) < 0.3]),
            self.now,
        )
        if self._sometimes(0.3):
            self._decide(lambda: control(self.state, Changed(rows=every), self.now))
        self._report(by_activator=False)
        for _ in range(self.rng.integers(0, 3)):
            self.now += 1 / 16  # by which it is known what was decided thereupon
            self._decide(lambda: self._report(by_activator=True))

    def _sometimes(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _add(self, revision: Revision) -> None:
        self._added += 1
        key = f"shop/s{self._added}"
        ready = int(self.rng.integers(0, 3))
        self.fleet.add({key: revision}, now=self.now, ready=[ready])
        self._pods[key] = [self.now] * ready
        row = self.fleet.row(key)
        self.fleet.observed.set_up[row] = self.fleet.observed.named[row] = True
        self.fleet.observed.initialized[row] = self._sometimes(0.7)

    def _change(self) -> None:
        """A revision comes, goes, or is set to something else."""
        rng, fleet = self.rng, self.fleet
        kind = rng.integers(0, 5)
        if kind == 0:
            self._add(self.revisions[int(rng.integers(len(self.revisions)))])
        if not len(fleet):
            return
        row = int(rng.integers(len(fleet)))
        key = fleet.keys[row]
        if kind == 1:
            fleet.remove(key)
            del self._pods[key]
            self.wanted.pop(key, None)
        elif kind == 2:
            fleet.observed.set_up[row] = self._sometimes(0.8)
        elif kind == 3:
            fleet.spec.mode[row] = rng.integers(len(Mode))
        else:
            fleet.spec.cold_price_s[row] = rng.choice([0.0, 60.0, 600.0])
            fleet.spec.lead_s[row] = rng.choice([0.0, 5.0, 60.0])

    def _advice(self) -> Advice | None:
        """Forecasts of anything, and paths between any services."""
        rng, n = self.rng, len(self.fleet)
        if self._sometimes(0.1):
            return None
        most = rng.choice([0.0, 1.0, 10.0, 1e6])
        demand = rng.random((n, 3)) * most * (rng.random((n, 3)) < 0.7)
        demand[rng.random((n, 3)) < 0.1] = np.nan
        lengths_s = rng.choice([1.0, 2.0, 6.0, 60.0], 3)
        edges_s = (
            self.now + rng.choice([-10.0, 0.0, 4.0]) + np.concatenate([[0], lengths_s]).cumsum()
        )
        return Advice(
            starts_s=edges_s[:-1],
            ends_s=edges_s[1:],
            worth_starting=demand,
            worth_keeping=demand + rng.random((n, 1)) * most,
            called=rng.random((n, 3)) + 0.0 * demand,
            paths=self._paths(),
            layout=self.fleet.layout,
        )

    def _paths(self) -> Paths:
        rng, n = self.rng, len(self.fleet.services)
        up, down = np.nonzero(~np.eye(n, dtype=np.bool_) & (rng.random((n, n)) < 0.5))
        m = len(up)
        return Paths(
            upstream=up.astype(np.int64),
            downstream=down.astype(np.int64),
            probability=rng.random(m),
            confidence=rng.random(m),
            gain=rng.choice([1.0, 30.0], m),
            lag_s=rng.choice([0.0, 2.0, 20.0], m),
        )

    def _report(self, *, by_activator: bool) -> Instructions:
        n = len(self.fleet)
        burst = self.rng.random(n) < 0.15
        load = np.round(self.rng.gamma(1.0, 10.0, n)) * burst
        rows = np.flatnonzero((load > 0) | (self.rng.random(n) < 0.7))
        event = Reported(
            rows=rows,
            seconds=np.full(len(rows), int(self.now)),
            samples=np.stack([load[rows], load[rows]]),
            by_activator=by_activator,
        )
        return control(self.state, event, self.now)

    # --- what the cluster does -----------------------------------------------------------------

    def _observe(self) -> None:
        observed = self.fleet.observed
        for key, pods in self._pods.items():
            row = self.fleet.row(key)
            observed.ready[row] = sum(at <= self.now for at in pods)
            proxied = self.fleet.decision.proxy[row]
            since_s = observed.proxied_since_s[row]
            observed.proxied_since_s[row] = np.fmin(since_s, self.now) if proxied else np.nan

    def _decide(self, act: Callable[[], Instructions]) -> None:
        """Decide, note what is wanted beside what Knative alone would want, and scale."""
        before = {key: self._seen(key) for key in self.fleet.keys}
        done = act()
        decision, requested = self.fleet.decision, self.fleet.requested
        for row in done.rows[requested.scale[done.rows]].tolist():
            self._scale(self.fleet.keys[row], int(requested.want[row]))
        for row in np.flatnonzero(decision.at_s == self.now).tolist():
            key = self.fleet.keys[row]
            revision, observed = before[key]
            alone = Kpa(revision, ready=0, now=self.now)
            alone.desired = int(decision.kpa[row])
            knative = alone.want(observed, self.now)[0] if observed.set_up else -1
            self.wanted[key] = Wanted(
                revision=revision,
                pods=int(decision.want[row]),
                knative=knative,
                replicas=int(self.fleet.observed.replicas[row]),
            )

    def _seen(self, key: str) -> tuple[Revision, Observed[float, int, bool]]:
        row = self.fleet.row(key)
        return self.fleet._spec.row(row), self.fleet._observed.row(row)

    def _scale(self, key: str, pods: int) -> None:
        row, there = self.fleet.row(key), self._pods[key]
        self.fleet.observed.replicas[row] = pods
        del there[pods:]
        start_up_s = self.rng.choice([0.0, 3.0, 20.0, NEVER_S], p=[0.3, 0.4, 0.25, 0.05])
        there.extend([self.now + start_up_s] * (min(pods, 1000) - len(there)))
