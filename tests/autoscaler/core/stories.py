"""Short lives of revisions: told by plain examples, and drawn at random for the laws.

A `Story` is what happens to some revisions until a tick; `tell` makes the fleet that lived it.
Samples are multiples of an eighth, so that sums are exact in any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from autoscaler.core.decider import Step, decide
from autoscaler.core.prediction.advice import NO_PATHS, Advice
from autoscaler.core.prediction.early import CASES
from autoscaler.core.state.decision import Decision, DecisionArrays, explain, row_of
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import (
    KNATIVE_DEFAULTS,
    Active,
    Memory,
    Metric,
    Mode,
    Observed,
    Revision,
)
from autoscaler.core.types import FloatArray
from tests.examples import examples

# Repeatable, and without a deadline: speed lives in the benchmarks.
LAW = settings(max_examples=examples(10, many=30), derandomize=True, deadline=None)

BASE_S = 1_700_000_000.0  # Unix s; every story begins here, on an even second
TICK_S = 2

AT_WORK: Observed[float, int, bool] = Observed(
    ready=1,
    replicas=1,
    set_up=True,
    named=True,
    active=Active.TRUE,
    active_since_s=BASE_S - 1000.0,
    proxied_since_s=np.nan,
    probe_passed=False,
    initialized=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One revision: what was asked for, the demand of each second, the look at the last tick."""

    revision: Revision = KNATIVE_DEFAULTS
    demand: tuple[float | None, ...] = ()  # requests in flight, a second apart; None = no sample
    observed: Observed[float, int, bool] = AT_WORK


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Some revisions, each a row of its own; all see as many seconds."""

    lives: tuple[Life, ...]
    seconds: int  # from the beginning to the tick that is looked at
    base_s: float = field(default=BASE_S)  # Unix s

    @property
    def now(self) -> float:
        """When the tick that is looked at happens, Unix s."""
        return self.base_s + self.seconds + 0.25


def one(
    revision: Revision = KNATIVE_DEFAULTS,
    *,
    demand: tuple[float | None, ...] = (),
    observed: Observed[float, int, bool] = AT_WORK,
) -> Story:
    """A single revision, looked at in the second of its last sample."""
    life = Life(revision=revision, demand=demand, observed=observed)
    return Story(lives=(life,), seconds=max(len(demand) - 1, 0))


def tell(story: Story) -> Fleet:
    """The fleet that lived the story: samples every second, ticks every other, then the look.

    Before it, pods that went early were never missed.
    """
    fleet = Fleet()
    lives = story.lives
    added = {str(i): life.revision for i, life in enumerate(lives)}
    fleet.add(added, now=story.base_s, ready=[life.observed.ready for life in lives])
    fleet.early.cases[:] = CASES
    for second in range(story.seconds + 1):
        sample(fleet, [_demand(life, second) for life in lives], int(story.base_s) + second)
        if second % TICK_S == 0 and second < story.seconds:
            decide(fleet, None, now=story.base_s + second + 0.25).apply(fleet)
    for i, life in enumerate(lives):
        look(fleet, i, life.observed, shift_s=story.base_s - BASE_S)
    return fleet


def _demand(life: Life, second: int) -> float | None:
    return life.demand[second] if second < len(life.demand) else None


def sample(fleet: Fleet, demand: list[float | None], second: int) -> None:
    """Record one second of all rows; requests per second are twice those in flight."""
    rows = np.array([i for i, d in enumerate(demand) if d is not None], dtype=np.int64)
    load = np.array([d for d in demand if d is not None], dtype=np.float64)
    fleet.record(rows, np.full(len(rows), second), np.stack([load, 2 * load]))


def look(
    fleet: Fleet, row: int, observed: Observed[float, int, bool], *, shift_s: float = 0.0
) -> None:
    """Write what was seen of a row; its times move by ``shift_s``."""
    for f in fields(Observed):
        moved = shift_s if f.name.endswith("_s") else 0
        getattr(fleet.observed, f.name)[row] = getattr(observed, f.name) + moved


def step(story: Story, advice: Advice | None = None) -> Step:
    """What the tick at the end of the story decides, and leaves for the next."""
    return decide(tell(story), advice, now=story.now)


def answer(story: Story, advice: Advice | None = None) -> DecisionArrays:
    """What the tick at the end of the story decides."""
    return step(story, advice).decision


def sentence(decision: DecisionArrays, i: int = 0, upstream: str = "") -> str:
    """The i-th decision in one sentence."""
    return explain(row_of(decision, i), upstream=upstream)


def differences(left: Step, right: Step, *, ignore: tuple[str, ...] = ()) -> list[str]:
    """Names of the fields in which two answers differ; memory's fields among them."""
    one, other = left.decision, right.decision
    pairs = {f.name: (getattr(one, f.name), getattr(other, f.name)) for f in fields(Decision)}
    names = [f.name for f in fields(Memory)]
    pairs |= {f"memory.{n}": (getattr(left.memory, n), getattr(right.memory, n)) for n in names}
    kept = {name: pair for name, pair in pairs.items() if name not in ignore}
    return [n for n, (a, b) in kept.items() if not np.array_equal(a, b, equal_nan=a.dtype == float)]


def forecast(
    demand: list[float], *, now: float, window_s: float = 60.0, called: Sequence[float] = ()
) -> Advice:
    """Forecasts from now on: each row expects one demand in one window. called: of any."""
    ends = np.array([now + window_s])
    return Advice(
        starts_s=np.array([now]),
        ends_s=ends,
        worth_starting=np.array(demand)[:, None],
        worth_keeping=np.array(demand)[:, None],
        called=np.array(called or [0.0] * len(demand))[:, None],
        paths=NO_PATHS,
        layout=1,
    )


def eighths(most: int) -> st.SearchStrategy[float]:
    """Demands that binary fractions hold exactly."""
    return st.integers(0, 8 * most).map(lambda n: n / 8)


@st.composite
def revisions(draw: st.DrawFn, mode: Mode | None = None) -> Revision:
    """Any revision that passes Knative's validation, with short windows."""
    stable_window_s = draw(st.integers(6, 40))
    total = draw(st.sampled_from([1.0, 10.0, 100.0]))
    burst = draw(st.sampled_from([-1.0, 0.0, 7.0, 211.0]))
    least = draw(st.sampled_from([0, 0, 0, 1, 4]))
    return replace(
        KNATIVE_DEFAULTS,
        stable_window_s=stable_window_s,
        panic_window_s=draw(st.integers(1, stable_window_s)),
        metric=draw(st.sampled_from(Metric)),
        weighted_exponential=draw(st.booleans()),
        has_scrape_target=burst != -1,
        total=total,
        target=max(0.01, total * draw(st.sampled_from([0.1, 0.7, 1.0]))),
        pod_capacity=draw(st.sampled_from([1.0, 10.0])),
        target_burst_capacity=burst,
        panic_threshold=draw(st.sampled_from([1.1, 2.0, 10.0])),
        max_scale_up_rate=draw(st.sampled_from([1.1, 2.0, 1000.0])),
        max_scale_down_rate=draw(st.sampled_from([1.01, 2.0, 10.0])),
        scale_down_delay_s=draw(st.sampled_from([0.0, 0.0, 1.0, 5.0, 20.0])),
        activation_scale=draw(st.sampled_from([0, 1, 3])),
        min_scale=least,
        max_scale=draw(st.sampled_from([0, 0, least + 1, least + 10])),
        initial_scale=draw(st.sampled_from([0, 1, 1, 3])),
        reachable=draw(st.sampled_from([True, True, False])),
        enable_scale_to_zero=draw(st.sampled_from([True, True, False])),
        grace_s=draw(st.sampled_from([1.0, 30.0])),
        retention_s=draw(st.sampled_from([0.0, 0.0, 15.0, 45.0])),
        activation_timeout_s=draw(st.sampled_from([20.0, 630.0])),
        activator_capacity=draw(st.sampled_from([1.0, 100.0])),
        mode=draw(st.sampled_from(Mode)) if mode is None else mode,
        lead_s=draw(st.sampled_from([0.0, 5.0, 90.0])),
        drain_s=draw(st.sampled_from([0.0, 30.0])),
        cold_price_s=draw(st.sampled_from([0.0, 60.0, 600.0])),
        share=draw(st.sampled_from([0.5, 1.0])),
    )


def demands(most: int = 60) -> st.SearchStrategy[tuple[float | None, ...]]:
    """Up to half a minute in runs of equal seconds, silences among them."""
    run = st.tuples(st.integers(1, 12), st.none() | eighths(most))
    return st.lists(run, max_size=5).map(lambda runs: tuple(d for n, d in runs for _ in range(n)))


@st.composite
def looks(draw: st.DrawFn) -> Observed[float, int, bool]:
    """Anything that may be seen of a revision."""
    return Observed(
        ready=draw(st.sampled_from([0, 0, 1, 1, 2, 3, 12])),
        replicas=draw(st.sampled_from([0, 1, 1, 2, 12])),
        set_up=True,
        named=True,
        active=draw(st.sampled_from(Active)),
        active_since_s=BASE_S + draw(st.integers(-1000, 30)),
        proxied_since_s=draw(st.just(np.nan) | st.integers(-60, 30).map(lambda s: BASE_S + s)),
        probe_passed=draw(st.booleans()),
        initialized=draw(st.booleans()),
    )


@st.composite
def stories(draw: st.DrawFn, mode: Mode | None = None, rows: int = 3) -> Story:
    """Up to ``rows`` revisions over up to a minute."""
    life = st.builds(Life, revision=revisions(mode), demand=demands(), observed=looks())
    lives = draw(st.lists(life, min_size=1, max_size=rows))
    longest = max(len(life.demand) for life in lives)
    return Story(lives=tuple(lives), seconds=longest + draw(st.sampled_from([0, 1, 7, 41])))


@st.composite
def advices(draw: st.DrawFn, story: Story, *, most: float = 60.0) -> Advice:
    """Any forecasts for a story's fleet: early, current, stale or silent."""
    n, n_windows = len(story.lives), draw(st.integers(1, 4))
    starts = story.now + draw(st.sampled_from([-500.0, -10.0, 0.0, 0.0, 4.0]))
    lengths = draw(st.lists(st.sampled_from([1.0, 60.0]), min_size=n_windows, max_size=n_windows))
    edges = starts + np.concatenate([[0.0], np.cumsum(lengths)])
    cell = st.just(np.nan) | st.floats(0.0, most)
    cells = draw(st.lists(cell, min_size=n * n_windows, max_size=n * n_windows))
    start: FloatArray = np.array(cells).reshape(n, n_windows)
    more = draw(st.lists(st.floats(0.0, most), min_size=n, max_size=n))
    return Advice(
        starts_s=edges[:-1],
        ends_s=edges[1:],
        worth_starting=start,
        worth_keeping=start + np.array(more)[:, None],
        called=start / most,
        paths=NO_PATHS,
        layout=1,
    )


def current(advice: Advice, now: float) -> Advice:
    """The same advice, begun just now."""
    shift = now - advice.starts_s[0]
    return replace(advice, starts_s=advice.starts_s + shift, ends_s=advice.ends_s + shift)


def column(story: Story, name: str) -> FloatArray:
    """(n,) one setting of every revision in the story."""
    return np.array([float(getattr(life.revision, name)) for life in story.lives])
