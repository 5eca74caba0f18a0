"""Laws of decide(): what holds for any fleet, any history and any forecast."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.bounds import least
from autoscaler.core.decider import decide
from autoscaler.core.fleet import Fleet
from autoscaler.core.predictive import Outlook
from autoscaler.core.revision import Active, Mode, Revision
from autoscaler.core.types import IntArray
from tests.autoscaler.core.stories import (
    AT_WORK,
    LAW,
    Life,
    Story,
    answer,
    column,
    current,
    demands,
    differences,
    eighths,
    look,
    outlooks,
    revisions,
    sample,
    stories,
    tell,
)

SHOWN = ("predicted",)  # what a forecast may change where it is not applied


def in_mode(story: Story, mode: Mode) -> Story:
    return spelled(story, mode=mode)


def spelled(story: Story, **spec: Any) -> Story:
    """The same story with some settings of every revision spelled out."""
    lives = [replace(x, revision=replace(x.revision, **spec)) for x in story.lives]
    return replace(story, lives=tuple(lives))


@LAW
@given(data=st.data(), story=stories())
def test_what_is_wanted_is_within_bounds(data: st.DataObject, story: Story) -> None:
    fleet = tell(story)
    want = decide(fleet, data.draw(outlooks(story)), now=story.now).want
    low = least(fleet.spec, fleet.seen)
    high = np.where(fleet.spec.max_scale > 0, np.maximum(fleet.spec.max_scale, low), np.inf)
    decided = want >= 0
    assert (want >= -1).all()
    assert (want <= high).all()
    assert (want >= low)[decided & fleet.spec.reachable].all()


@LAW
@given(data=st.data(), story=stories())
def test_without_any_forecast_the_answer_is_that_of_no_outlook(
    data: st.DataObject, story: Story
) -> None:
    outlook = data.draw(outlooks(story))
    silent = replace(outlook, demand=np.full_like(outlook.demand, np.nan))
    assert not differences(answer(story, silent), answer(story))


@LAW
@given(data=st.data(), story=stories())
def test_a_stale_forecast_changes_nothing(data: st.DataObject, story: Story) -> None:
    outlook = data.draw(outlooks(story))
    over = story.now - outlook.ends_s[-1]
    stale = replace(outlook, starts_s=outlook.starts_s + over, ends_s=outlook.ends_s + over)
    assert not differences(answer(story, stale), answer(story))


@LAW
@given(data=st.data(), story=stories(), mode=st.sampled_from([Mode.OFF, Mode.SHADOW]))
def test_off_and_shadow_are_knative(data: st.DataObject, story: Story, mode: Mode) -> None:
    story = in_mode(story, mode)
    with_forecast = answer(story, data.draw(outlooks(story)))
    assert not differences(with_forecast, answer(story), ignore=SHOWN)
    assert (with_forecast.desired == with_forecast.kpa).all()


@LAW
@given(data=st.data(), story=stories(mode=Mode.OUTWARD))
def test_outward_is_never_below_knative(data: st.DataObject, story: Story) -> None:
    ours, knative = answer(story, data.draw(outlooks(story))), answer(story)
    assert (ours.desired >= knative.kpa).all()
    assert (ours.want >= knative.want).all()


@LAW
@given(data=st.data(), story=stories(mode=Mode.FULL))
def test_full_is_never_below_what_the_panic_window_sees(data: st.DataObject, story: Story) -> None:
    ours = answer(story, data.draw(outlooks(story)))
    ready = np.maximum([life.seen.ready for life in story.lives], 1)
    up = np.ceil(column(story, "max_scale_up_rate") * ready)
    by_panic = np.minimum(np.ceil(ours.panic / column(story, "target")), up)
    assert (ours.desired >= np.minimum(ours.kpa, by_panic)).all()


@LAW
@given(data=st.data(), story=stories())
def test_a_forecast_never_reaches_what_the_next_tick_remembers(
    data: st.DataObject, story: Story
) -> None:
    ours = answer(story, data.draw(outlooks(story)))
    assert not [n for n in differences(ours, answer(story)) if n.startswith(("memory", "delay"))]


@LAW
@given(revision=revisions(mode=Mode.OFF), level=eighths(20).filter(bool))
def test_constant_demand_does_not_flap(revision: Revision, level: float) -> None:
    revision = replace(revision, target=max(revision.target, 1.0), min_scale=1)
    fleet, begin = Fleet(), 1_700_000_000
    fleet.add({"shop/cart": revision}, now=float(begin))
    look(fleet, 0, AT_WORK)
    # At worst one pod a tick up to 20, a stable window of panic and a delay, one pod a tick down.
    settled, end = begin + 160, begin + 260
    wanted = []
    for second in range(begin, end):
        sample(fleet, [level], second)
        if second % 2 == 0:
            decisions = decide(fleet, None, now=second + 0.5)
            fleet.remember(decisions)
            fleet.seen.ready[0] = fleet.seen.replicas[0] = decisions.want[0]
            wanted += [int(decisions.want[0])] if second >= settled else []
    assert len(set(wanted)) == 1


@LAW
@given(data=st.data(), story=stories(), slots=st.integers(-10_000, 10_000))
def test_shifting_time_by_whole_slots_changes_nothing(
    data: st.DataObject, story: Story, slots: int
) -> None:
    outlook = data.draw(outlooks(story))
    shift = 2.0 * slots
    moved = replace(story, base_s=story.base_s + shift)
    later = current(outlook, float(outlook.starts_s[0] + shift))
    times = ("now", "delay_now", "memory.panic_since_s")
    ours, shifted = answer(story, outlook), answer(moved, later)
    assert not differences(ours, shifted, ignore=times)
    moved_by = shifted.memory.panic_since_s - ours.memory.panic_since_s
    assert np.isin(moved_by[ours.panicking], shift).all()


@LAW
@given(data=st.data(), story=stories(rows=3))
def test_a_rows_answer_does_not_depend_on_the_other_rows(data: st.DataObject, story: Story) -> None:
    outlook = data.draw(outlooks(story))
    ours = answer(story, outlook)
    for i, life in enumerate(story.lives):
        alone = answer(replace(story, lives=(life,)), only(outlook, np.array([i])))
        part = decide(tell(story), outlook, now=story.now, rows=np.array([i]))
        shared = [n for n in vars_of(ours) if getattr(ours, n)[i] != getattr(alone, n)[0]]
        assert not shared
        assert not differences(part, alone, ignore=("rows", "delay_rows"))


def only(outlook: Outlook, rows: IntArray) -> Outlook:
    return replace(outlook, demand=outlook.demand[rows])


def vars_of(decisions: object) -> list[str]:
    return ["stable", "panic", "kpa", "predicted", "desired", "want", "apply", "probe", "reason"]


@LAW
@given(data=st.data(), story=stories(rows=5))
def test_any_rows_in_any_order_get_the_same_answers(data: st.DataObject, story: Story) -> None:
    outlook, fleet = data.draw(outlooks(story)), tell(story)
    every = st.permutations(range(len(fleet)))
    rows = np.array(data.draw(every)[: data.draw(st.integers(1, len(fleet)))])
    whole = decide(fleet, outlook, now=story.now)
    part = decide(fleet, outlook, now=np.full(len(rows), story.now), rows=rows)
    for name in (*vars_of(whole), "proxy", "activators", "no_data", "panicking"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[rows]), name


@LAW
@given(data=st.data(), story=stories())
def test_deciding_changes_nothing(data: st.DataObject, story: Story) -> None:
    outlook, fleet = data.draw(outlooks(story)), tell(story)
    first = decide(fleet, outlook, now=story.now)
    assert not differences(first, decide(fleet, outlook, now=story.now))
    assert not differences(first, decide(tell(story), outlook, now=story.now))


@LAW
@given(data=st.data(), story=stories())
def test_no_decision_stays_that_unless_activating(data: st.DataObject, story: Story) -> None:
    ours = answer(story, data.draw(outlooks(story)))
    activating = np.array([life.seen.active == Active.UNKNOWN for life in story.lives])
    assert (ours.want == -1)[(ours.desired < 0) & ~activating].all()
    assert not ours.apply[ours.want < 0].any()


@LAW
@given(data=st.data(), story=stories())
def test_every_answer_can_be_explained(data: st.DataObject, story: Story) -> None:
    ours = answer(story, data.draw(outlooks(story)))
    for i in range(len(story.lives)):
        sentence = ours.explain(i)
        assert sentence.endswith(".")
        assert "\n" not in sentence


@LAW
@given(demand=demands(), late=st.integers(0, 60), life=st.builds(Life, revision=revisions()))
def test_a_silent_past_is_no_decision(
    demand: tuple[float | None, ...], late: int, life: Life
) -> None:
    revision = replace(life.revision, has_scrape_target=True)
    story = Story(lives=(replace(life, revision=revision),), seconds=late)
    ours = answer(story)
    assert ours.no_data.all()
    assert (ours.kpa == -1).all()


@LAW
@given(data=st.data(), story=stories())
def test_the_initial_scale_holds_until_it_was_reached_once(
    data: st.DataObject, story: Story
) -> None:
    want = answer(story, data.draw(outlooks(story))).want
    fresh = np.array([not life.seen.initialized for life in story.lives])
    reachable, initial = column(story, "reachable") > 0, column(story, "initial_scale")
    assert ((want >= initial) | (want < 0) | (initial <= 1))[fresh & reachable].all()


@LAW
@given(data=st.data(), story=stories())
def test_without_a_route_neither_min_scale_nor_retention_nor_delay_holds(
    data: st.DataObject, story: Story
) -> None:
    unrouted = spelled(story, reachable=False)
    free = spelled(unrouted, min_scale=0, retention_s=0.0, scale_down_delay_s=0.0)
    outlook = data.draw(outlooks(story))
    assert not differences(answer(unrouted, outlook), answer(free, outlook))
