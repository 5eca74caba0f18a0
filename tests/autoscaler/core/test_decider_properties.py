"""Laws of decide(): what holds for any fleet, any history and any forecast."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.decider import Step, decide
from autoscaler.core.kpa.bounds import least
from autoscaler.core.prediction.advice import Advice
from autoscaler.core.state.decision import reasons
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import Active, Mode, Revision
from autoscaler.core.types import IntArray
from tests.autoscaler.core.stories import (
    AT_WORK,
    LAW,
    Life,
    Story,
    advices,
    answer,
    column,
    current,
    demands,
    differences,
    eighths,
    look,
    revisions,
    sample,
    sentence,
    step,
    stories,
    tell,
)
from tests.examples import examples

MORE = settings(LAW, max_examples=examples(100, many=300))
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
    want = decide(fleet, data.draw(advices(story)), now=story.now).decision.want
    low = least(fleet.spec, fleet.observed)
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
    advice = data.draw(advices(story))
    nothing = np.full_like(advice.worth_starting, np.nan)
    silent = replace(advice, worth_starting=nothing, worth_keeping=nothing, called=nothing)
    assert not differences(step(story, silent), step(story))


@LAW
@given(data=st.data(), story=stories())
def test_a_stale_forecast_changes_nothing(data: st.DataObject, story: Story) -> None:
    advice = data.draw(advices(story))
    over = story.now - advice.ends_s[-1]
    stale = replace(advice, starts_s=advice.starts_s + over, ends_s=advice.ends_s + over)
    assert not differences(step(story, stale), step(story))


@MORE
@given(data=st.data(), story=stories(), mode=st.sampled_from([Mode.OFF, Mode.SHADOW]))
def test_off_and_shadow_are_knative(data: st.DataObject, story: Story, mode: Mode) -> None:
    story = in_mode(story, mode)
    with_forecast = step(story, data.draw(advices(story)))
    assert not differences(with_forecast, step(story), ignore=SHOWN)
    assert (with_forecast.decision.desired == with_forecast.decision.kpa).all()


@MORE
@given(data=st.data(), story=stories(rows=3))
def test_what_is_withdrawn_is_as_in_shadow_and_the_others_as_before(
    data: st.DataObject, story: Story
) -> None:
    n = len(story.lives)
    which = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    advice, withdrawn = data.draw(advices(story)), np.array(which)
    made = step(story, replace(advice, withdrawn=withdrawn))
    lives = tuple(
        replace(life, revision=replace(life.revision, mode=Mode.SHADOW))
        if out and life.revision.mode >= Mode.OUTWARD
        else life
        for life, out in zip(story.lives, which, strict=True)
    )
    assert not differences(made, step(replace(story, lives=lives), advice), ignore=("withdrawn",))
    knative = made.decision.desired == made.decision.kpa
    assert knative[withdrawn].all()
    applied = column(story, "mode") >= Mode.OUTWARD
    assert (made.decision.withdrawn == withdrawn & applied).all()


@MORE
@given(data=st.data(), story=stories(mode=Mode.OUTWARD))
def test_outward_is_never_below_knative(data: st.DataObject, story: Story) -> None:
    ours, knative = answer(story, data.draw(advices(story))), answer(story)
    assert (ours.desired >= knative.kpa).all()
    assert (ours.want >= knative.want).all()


@MORE
@given(data=st.data(), story=stories(mode=Mode.FULL))
def test_full_is_never_below_what_the_panic_window_sees(data: st.DataObject, story: Story) -> None:
    ours = answer(story, data.draw(advices(story)))
    ready = np.maximum([life.observed.ready for life in story.lives], 1)
    up = np.ceil(column(story, "max_scale_up_rate") * ready)
    by_panic = np.minimum(np.ceil(ours.panic / column(story, "target")), up)
    assert (ours.desired >= np.minimum(ours.kpa, by_panic)).all()


@LAW
@given(data=st.data(), story=stories())
def test_a_forecast_never_reaches_what_the_next_tick_remembers(
    data: st.DataObject, story: Story
) -> None:
    ours = step(story, data.draw(advices(story)))
    without = step(story)
    assert not [n for n in differences(ours, without) if n.startswith("memory")]
    assert ours.delayed.tolist() == without.delayed.tolist()


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
            decide(fleet, None, now=second + 0.5).apply(fleet)
            want = int(fleet.decision.want[0])
            fleet.observed.ready[0] = fleet.observed.replicas[0] = want
            wanted += [want] if second >= settled else []
    assert len(set(wanted)) == 1


@LAW
@given(data=st.data(), story=stories(), slots=st.integers(-10_000, 10_000))
def test_shifting_time_by_whole_slots_changes_nothing(
    data: st.DataObject, story: Story, slots: int
) -> None:
    advice = data.draw(advices(story))
    shift = 2.0 * slots
    moved = replace(story, base_s=story.base_s + shift)
    later = current(advice, float(advice.starts_s[0] + shift))
    times = ("at_s", "memory.panic_since_s")
    ours, shifted = step(story, advice), step(moved, later)
    assert not differences(ours, shifted, ignore=times)
    moved_by = shifted.memory.panic_since_s - ours.memory.panic_since_s
    assert np.isin(moved_by[ours.decision.panicking], shift).all()


@LAW
@given(data=st.data(), story=stories(rows=3))
def test_a_rows_answer_does_not_depend_on_the_other_rows(data: st.DataObject, story: Story) -> None:
    advice = data.draw(advices(story))
    ours = answers(step(story, advice))
    for i, life in enumerate(story.lives):
        alone = step(replace(story, lives=(life,)), only(advice, np.array([i])))
        part = decide(tell(story), advice, now=story.now, rows=np.array([i]))
        assert not [n for n, theirs in answers(alone).items() if ours[n][i] != theirs[0]]
        assert not differences(part, alone)


def only(advice: Advice, rows: IntArray) -> Advice:
    return replace(
        advice,
        worth_starting=advice.worth_starting[rows],
        worth_keeping=advice.worth_keeping[rows],
        called=advice.called[rows],
    )


def answers(made: Step) -> dict[str, Any]:
    decision = made.decision
    names = ("stable", "panic", "kpa", "predicted", "desired", "want", "scale", "probe")
    return {n: getattr(decision, n) for n in names} | {"reason": reasons(decision)}


@LAW
@given(data=st.data(), story=stories(rows=5))
def test_any_rows_in_any_order_get_the_same_answers(data: st.DataObject, story: Story) -> None:
    advice, fleet = data.draw(advices(story)), tell(story)
    every = st.permutations(range(len(fleet)))
    rows = np.array(data.draw(every)[: data.draw(st.integers(1, len(fleet)))])
    whole = decide(fleet, advice, now=story.now)
    part = decide(fleet, advice, now=np.full(len(rows), story.now), rows=rows)
    ours, of_all = answers(part), answers(whole)
    for name in ("proxy", "activators", "no_data", "panicking"):
        ours[name], of_all[name] = (getattr(s.decision, name) for s in (part, whole))
    assert not [n for n in ours if not np.array_equal(ours[n], of_all[n][rows])]


@LAW
@given(data=st.data(), story=stories())
def test_deciding_changes_nothing(data: st.DataObject, story: Story) -> None:
    advice, fleet = data.draw(advices(story)), tell(story)
    first = decide(fleet, advice, now=story.now)
    assert not differences(first, decide(fleet, advice, now=story.now))
    assert not differences(first, decide(tell(story), advice, now=story.now))


@LAW
@given(data=st.data(), story=stories())
def test_no_decision_stays_that_unless_activating(data: st.DataObject, story: Story) -> None:
    ours = answer(story, data.draw(advices(story)))
    activating = np.array([life.observed.active == Active.UNKNOWN for life in story.lives])
    assert (ours.want == -1)[(ours.desired < 0) & ~activating].all()
    assert not ours.scale[ours.want < 0].any()


@LAW
@given(data=st.data(), story=stories())
def test_every_answer_can_be_explained(data: st.DataObject, story: Story) -> None:
    ours = answer(story, data.draw(advices(story)))
    for i in range(len(story.lives)):
        said = sentence(ours, i)
        assert said.endswith(".")
        assert "\n" not in said


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
    want = answer(story, data.draw(advices(story))).want
    fresh = np.array([not life.observed.initialized for life in story.lives])
    reachable, initial = column(story, "reachable") > 0, column(story, "initial_scale")
    assert ((want >= initial) | (want < 0) | (initial <= 1))[fresh & reachable].all()


@LAW
@given(data=st.data(), story=stories())
def test_without_a_route_neither_min_scale_nor_retention_nor_delay_holds(
    data: st.DataObject, story: Story
) -> None:
    unrouted = spelled(story, reachable=False)
    free = spelled(unrouted, min_scale=0, retention_s=0.0, scale_down_delay_s=0.0)
    advice = data.draw(advices(story))
    assert not differences(step(unrouted, advice), step(free, advice))
