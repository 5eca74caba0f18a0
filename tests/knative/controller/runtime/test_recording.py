"""A recording holds all events and what followed; replayed, the same follows again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knative.controller.runtime.recording import Recorder, as_json, read
from knative.controller.state import events as seen
from knative.controller.state.controller import Controller
from knative.controller.state.events import AdviceSeen, Event, StatisticsReceived
from knative.mirror.objects import PodAutoscaler
from knative.mirror.routes import Route
from tests.autoscaler.core.stories import LAW
from tests.examples import examples
from tests.knative.controller.recorded import NAMES, Recorded, happens
from tests.knative.controller.world import an_advice
from tests.knative.objects import NOW_S

MANY = settings(LAW, max_examples=examples(40, many=100))

# --- every event ----------------------------------------------------------------------------------


@st.composite
def statistics(draw: st.DrawFn) -> StatisticsReceived:
    keys = draw(st.lists(st.text(max_size=8), max_size=4))
    numbers = st.lists(st.floats(), min_size=2 * len(keys), max_size=2 * len(keys))
    seconds = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=len(keys), max_size=len(keys))
    return StatisticsReceived(
        keys=keys,
        samples=np.array(draw(numbers), dtype=np.float64).reshape(2, len(keys)),
        seconds=np.array(draw(seconds), dtype=np.int64),
        by_activator=draw(st.booleans()),
    )


demands = st.dictionaries(st.text(max_size=8), st.floats(0, 1e8, width=32), max_size=4)
words = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
podautoscalers = st.builds(PodAutoscaler, annotations=words)
routes = st.builds(Route, shares=st.dictionaries(st.text(max_size=8), st.floats(), max_size=3))
MADE: Mapping[type, st.SearchStrategy[Any]] = {
    StatisticsReceived: statistics(),
    AdviceSeen: st.builds(AdviceSeen, table=st.none() | demands.map(an_advice)),
    seen.PodAutoscalerSeen: st.builds(seen.PodAutoscalerSeen, object=st.none() | podautoscalers),
    seen.StatusWritten: st.builds(seen.StatusWritten, object=podautoscalers),
    seen.RouteSeen: st.builds(seen.RouteSeen, object=st.none() | routes),
    seen.ConfigSeen: st.builds(seen.ConfigSeen, data=st.none() | words),
}
any_event = st.one_of(*(MADE.get(kind, st.from_type(kind)) for kind in get_args(Event)))


@MANY
@given(events=st.lists(st.tuples(any_event, st.floats(0, 1e11)), max_size=20), plain=st.booleans())
def test_every_event_is_read_as_it_was_recorded(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[Event, float]], plain: bool
) -> None:
    path = tmp_path_factory.mktemp("run") / "run.gz"
    recorder = Recorder(path, plain=plain, now=NOW_S)
    for event, now in events:
        recorder.record(event, [], now)
    recorder.end()
    was_plain, records = read(path)
    found = list(records)
    assert was_plain is plain
    assert recorder.fault == ""
    assert [shown(record.event) for record in found] == [shown(event) for event, _ in events]
    assert [record.now for record in found] == [now for _, now in events]


def shown(event: Event) -> str:
    """All that is in an event; NaN equals NaN there."""
    if isinstance(event, AdviceSeen) and event.table:
        return repr({name: np.asarray(it).tolist() for name, it in event.table.arrays().items()})
    return repr(event)


# --- a run ----------------------------------------------------------------------------------------


@MANY
@given(names=st.lists(st.sampled_from(NAMES), max_size=40), plain=st.booleans())
def test_a_recorded_run_gives_the_same_instructions_again(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], plain: bool
) -> None:
    path = tmp_path_factory.mktemp("run") / "run.gz"
    world = Recorded(path, plain=plain)
    happens(world, names)
    world.recorder.end()
    was_plain, records = read(path)
    again = Controller(plain=was_plain)
    for record in records:
        assert as_json(again.handle(record.event, record.now)) == record.instructions
    assert repr(again.fleet.decision) == repr(world.fleet.decision)


def test_what_was_asked_for_is_in_the_recording(tmp_path: Path) -> None:
    """Else the law above would compare nothing."""
    world = Recorded(tmp_path / "run.gz")
    happens(world, ["tick", "cart is called", "tick", "tick"])
    world.recorder.end()
    kinds = [[each["kind"] for each in r.instructions] for r in read(tmp_path / "run.gz")[1]]
    assert ["ForwardTo"] in kinds
    assert ["Plan"] in kinds
