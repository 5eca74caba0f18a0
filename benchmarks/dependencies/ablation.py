"""The learner's search without one of its parts: what each of them buys."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import numpy as np

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray
from benchmarks.dependencies.baselines import Past
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts import timed_starts
from learner.dependencies.starts.coincidences import StartRules, observed_span
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import SCATTER, Evidence, gather

SLOPE = 5  # column of the evidence's delays


def as_it_is(past: Past) -> Edges:
    """The whole search."""
    return edges_from_starts(past.evidence)


def without_ends(past: Past) -> Edges:
    """Without the ends of busy periods: a service is idle a minute after its start."""
    return edges_from_starts(gather(replace(past.busy, end_s=past.busy.start_s)))


def without_clocks(past: Past) -> Edges:
    """Without the base rate whole cycles of a timer later, and what only matters with it."""
    return edges_from_starts(_without_clocks(past.evidence))


def without_loops(past: Past) -> Edges:
    """Without loops: gaps that recur without a phase."""
    with _no_loops():
        return edges_from_starts(gather(past.busy))


def without_delays(past: Past) -> Edges:
    """Without correlated delays: what a timer explains is no edge."""
    delay = past.evidence.delay.copy()
    delay[:, SLOPE] = 0.0
    return edges_from_starts(replace(past.evidence, delay=delay))


def without_soloists(past: Past) -> Edges:
    """Without looking whether a timer starts without its upstream."""
    own_timer = np.zeros_like(past.evidence.own_timer)
    return edges_from_starts(replace(past.evidence, own_timer=own_timer))


def without_shifted_rates(past: Past) -> Edges:
    """With one base rate of a service for all times, instead of that of the minutes around."""
    return edges_from_starts(_at_global_rates(past))


def without_life_times(past: Past) -> Edges:
    """With a base rate by timers over all time, before a service was created as well."""
    with mock.patch("learner.dependencies.starts.evidence.active_span", observed_span):
        return edges_from_starts(gather(past.busy))


def without_both(past: Past) -> Edges:
    """Without clocks, and at one base rate of a service for all times."""
    return edges_from_starts(_without_clocks(_at_global_rates(past)))


ABLATIONS: dict[str, Callable[[Past], Edges]] = {
    "the learner": as_it_is,
    "- ends of busy periods": without_ends,
    "- clocks, and all below": without_clocks,
    "- loops": without_loops,
    "- correlated delays": without_delays,
    "- soloists": without_soloists,
    "- life times": without_life_times,
    "- shifted base rates": without_shifted_rates,
    "- shifted rates and clocks": without_both,
}


def _without_clocks(evidence: Evidence) -> Evidence:
    delay = np.zeros_like(evidence.delay)
    delay[:, SCATTER] = 1.0
    return replace(
        evidence,
        clock_trials=np.zeros_like(evidence.clock_trials),
        clock_followed=np.zeros_like(evidence.clock_followed),
        delay=delay,
        own_timer=np.zeros_like(evidence.own_timer),
    )


def _at_global_rates(past: Past) -> Evidence:
    evidence, rules = past.evidence, StartRules()
    rate = _starts_by_idle_s(past.busy, rules)
    up, down = np.divmod(evidence.pair, past.busy.n)
    trials = evidence.near_trials[up, down]
    expected = trials * np.minimum(rate[down] * rules.bin_s, 1.0 / rules.n_bins)
    return replace(evidence, near_followed=np.repeat(expected[:, None], rules.n_bins, axis=1))


def _starts_by_idle_s(busy: BusyPeriods, rules: StartRules) -> FloatArray:
    """(n,) starts for every second in which a service is idle."""
    n_starts = np.bincount(busy.service, minlength=busy.n)
    busy_s = np.bincount(busy.service, busy.end_s - busy.start_s + rules.idle_s, busy.n)
    return np.asarray(n_starts / np.maximum(busy.until_s - busy.since_s - busy_s, rules.idle_s))


@contextmanager
def _no_loops() -> Iterator[None]:
    def none(busy: BusyPeriods) -> tuple[FloatArray, FloatArray]:
        return np.full(len(busy.service), np.nan), np.full(busy.n, np.nan)

    with mock.patch.object(timed_starts, "_loops", none):
        yield
