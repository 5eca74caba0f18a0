"""Rows that are left out of seconds and ticks, because those would change nothing.

A row is steady from a tick on if it decided as before, no request is in the system, and Knative's
rule gives the same at both ends between which its averages can lie. Until a request arrives, a pod
becomes ready or is gone, a sample falls out of a window, a time limit is over, or the forecast asks
for other pods, every tick would decide the same again. What was left out (reports of zero requests,
the time of pods) is made up for before the row goes on, so results are the same to the bit.
"""

import numpy as np

from autoscaler.core.control import ControlState
from autoscaler.core.decider import may_be_blind
from autoscaler.core.kpa.reactive import Averages, react
from autoscaler.core.prediction.predictive import TICK_S, pods_ahead
from autoscaler.core.state.fleet import Fleet, take
from autoscaler.core.state.revision import NO_ANSWER, SpecArrays
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.simulator.cluster import Cluster

SLACK_S = 1.0  # before a time limit, as sums of seconds round
EACH_SECOND = -np.inf


class Steady:
    """Which rows are steady, and until when."""

    def __init__(self, state: ControlState, cluster: Cluster) -> None:
        n = len(state.fleet)
        self._state, self._cluster = state, cluster
        self._until = np.full(n, EACH_SECOND)  # Unix s at which something happens or may change
        self._ahead = np.zeros(n, np.int64)  # pods that forecasts ask for, of steady rows
        self._checks_s = np.zeros(0)  # Unix s of ticks before which that may change, to come

    @property
    def next_s(self) -> float:
        """Unix s at which the first row may have to go on; -inf = some are not steady."""
        return float(min([np.inf, *self._checks_s[:1], self._until.min(initial=np.inf)]))

    def others(self, now: float) -> IntArray:
        """Rows that have to go on in the second up to whole Unix s ``now``."""
        due = np.flatnonzero(self._until <= now)
        self._wake(due[self._until[due] != EACH_SECOND], now - 1.0)
        return due

    def advised(self, now: float) -> None:
        """The advice in force was replaced at Unix s ``now``."""
        self._checks_s = np.zeros(0)
        advice = self._state.advice
        if advice:
            edges_s = np.unique([advice.starts_s, advice.middles_s, advice.ends_s])
            times_s = _may_change_at(edges_s, self._state.fleet.spec) - SLACK_S
            ticks = np.ceil(times_s / TICK_S) * TICK_S
            ticks = np.unique(np.concatenate([[now], ticks, ticks + TICK_S]))
            self._checks_s = ticks[ticks >= now]

    def check_forecasts(self, now: float) -> None:
        """Before a tick at Unix s ``now``: rows of which other pods are forecast go on.

        Statistics up to ``now`` are made up for.
        """
        if not len(self._checks_s) or self._checks_s[0] > now:
            return
        self._checks_s = self._checks_s[self._checks_s > now]
        steady = np.flatnonzero(self._until != EACH_SECOND)
        spec = take(self._state.fleet.spec, steady)
        other = self._pods_ahead(steady, spec, now) != self._ahead[steady]
        self._wake(steady[other], now)

    def wake(self, rows: IntArray, now: float) -> None:
        """Let some rows go on after Unix s ``now``."""
        self._wake(rows[self._until[rows] != EACH_SECOND], now)

    def make_up(self, now: float) -> None:
        """Count the time of steady rows up to Unix s ``now``."""
        self._cluster.pass_seconds(np.flatnonzero(self._until != EACH_SECOND), now)

    def note(self, rows: IntArray, now: float) -> None:
        """Find those that are steady of rows for which a tick at ``now`` requested nothing."""
        if not len(rows):
            return
        spec = take(self._state.fleet.spec, rows)
        until = np.minimum(
            self._cluster.next_events(rows), _constant_until(self._state.fleet, rows, spec, now)
        )
        self._until[rows] = np.where(until > now, until, EACH_SECOND)
        self._ahead[rows] = self._pods_ahead(rows, spec, now)

    def _wake(self, rows: IntArray, second: float) -> None:
        if not len(rows):
            return
        fleet = self._state.fleet
        reported = rows[fleet.observed.ready[rows] > 0]
        for window in (fleet.stable, fleet.panic):
            window.pass_zeros(reported, int(second))
        self._cluster.pass_seconds(rows, second)
        self._until[rows] = EACH_SECOND

    def _pods_ahead(self, rows: IntArray, spec: SpecArrays, now: float) -> IntArray:
        """(k,) what the advice in force asks for."""
        fleet, advice = self._state.fleet, self._state.advice
        if advice is None or not len(rows):
            return np.full(len(rows), NO_ANSWER)
        at = np.full(len(rows), now)
        return pods_ahead(advice, rows, spec, fleet.observed.replicas[rows], at)


def may_be_steady(fleet: Fleet) -> bool:
    """Whether decisions depend on nothing that is not looked at here."""
    spec = fleet.spec
    bills = np.isfinite([*spec.max_extra, fleet.cluster_credit.max_extra])
    delays = (spec.scale_down_delay_s > 0) | spec.weighted_exponential
    return not (bills.any() or delays.any() or may_be_blind(spec).any())


def _may_change_at(edges_s: FloatArray, spec: SpecArrays) -> FloatArray:
    """Unix s at which what a forecast asks for may change. edges_s: of its windows, Unix s."""
    lead_s, drain_s = np.unique(np.stack([spec.lead_s, spec.drain_s]), axis=1)
    before_s = np.unique(np.concatenate([[0.0], lead_s + TICK_S, lead_s + drain_s]))
    return np.unique(edges_s[:, None] - before_s)


def _constant_until(fleet: Fleet, rows: IntArray, spec: SpecArrays, now: float) -> FloatArray:
    """(k,) Unix s until which nothing but events and forecasts changes; -inf = changes now."""
    same, no_data = _rule_is_constant(fleet, rows, spec, now)
    last = fleet.stable.span(rows)[1]
    silent = (fleet.observed.ready[rows] == 0) & spec.has_scrape_target & ~no_data
    until = _sample_falls_out(fleet, rows, spec, now)
    for limit in (
        np.where(silent, last + spec.stable_window_s, np.inf),
        fleet.memory.panic_since_s[rows] + spec.stable_window_s,
        *_last_pod_limits(fleet, rows, spec),
    ):
        # None is NaN, which compares False.
        until = np.fmin(until, np.where(limit > now - SLACK_S, limit - SLACK_S, np.inf))
    return np.where(same, until, EACH_SECOND)


def _sample_falls_out(fleet: Fleet, rows: IntArray, spec: SpecArrays, now: float) -> FloatArray:
    """(k,) Unix s at which the next sample other than zero falls out of a window; inf = never."""
    row, second = fleet.stable.samples(rows)  # the panic window has none that this one has not
    out_s = np.concatenate([second + spec.panic_window_s[row], second + spec.stable_window_s[row]])
    row, to_come = np.concatenate([row, row]), out_s > now
    found = np.full(len(rows), np.inf)
    np.minimum.at(found, row[to_come], out_s[to_come])
    return found


def _rule_is_constant(
    fleet: Fleet, rows: IntArray, spec: SpecArrays, now: float
) -> tuple[BoolArray, BoolArray]:
    """(k,) whether Knative's rule repeats its last answer, and (k,) whether that has no data."""
    ready, memory = fleet.observed.ready[rows], take(fleet.memory, rows)
    second = np.full(len(rows), int(now))
    no_data = fleet.stable.empty(rows, second) & spec.has_scrape_target
    stable, panic = (
        window.bounds(rows, second, spec.metric, ready > 0)
        for window in (fleet.stable, fleet.panic)
    )
    # The rule is monotonic in both averages: what is the same at both ends is so between.
    at = np.full(len(rows), now)
    found = react(spec, memory, ready, Averages(stable=stable, panic=panic, no_data=no_data), at)
    since, before = found.panic_since_s, memory.panic_since_s
    repeats = (
        (found.desired == memory.kpa)
        & (found.max_panic_pods == memory.max_panic_pods)
        & (found.excess_burst_capacity == memory.excess_burst_capacity)
        & ((since == before) | (np.isnan(since) & np.isnan(before)))
        & (found.seen_by_panic == found.seen_by_panic[0])
    )
    return repeats.all(axis=0), no_data


def _last_pod_limits(fleet: Fleet, rows: IntArray, spec: SpecArrays) -> list[FloatArray]:
    """(k,) each: Unix s at which the last pod may go, where nothing else keeps it."""
    observed = fleet.observed
    since = observed.active_since_s[rows]
    limits = [
        since + limit
        for limit in (
            spec.activation_timeout_s,
            spec.stable_window_s,
            spec.grace_s,
            spec.retention_s,
        )
    ]
    limits.append(observed.proxied_since_s[rows] + spec.grace_s)
    at_zero = fleet.decision.bounded[rows] == 0
    return [np.where(at_zero, limit, np.inf) for limit in limits]
