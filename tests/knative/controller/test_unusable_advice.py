"""The second promise: advice gone, stale, damaged or absurd, and we are Knative to the digit.

Two controllers live through the same demand in the same world. One has advice that is spoiled
midway, as a file is; the other never had any. From then on their decisions are the same in every
number.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.state.revision import Observed
from autoscaler.exchange.advice import LAYOUT, NAME
from knative.controller.runtime.advice_file import AdviceFile
from knative.controller.state import events as seen
from tests.autoscaler.core.stories import LAW, eighths
from tests.examples import examples
from tests.knative.controller.runtime.test_advice_file import DAMAGE
from tests.knative.controller.world import KEY, World, an_advice
from tests.knative.objects import NOW_S, a_deployment, a_pod

TICK_S = 2.0
MOST_STEPS = 25  # before the loss, and after it
WORLD = ("active", "active_since_s", "initialized", "probe_passed")


def written(demand: float = 900.0, key: str = KEY, **times: Any) -> Callable[[Path], None]:
    return lambda path: an_advice({key: demand}, **times).write(path)


def absurd(demand: float) -> Callable[[Path], None]:
    """A number that the controller refuses when it reads the file."""
    arrays = an_advice({KEY: 1.0}).arrays() | {"worth_starting": [[demand]]}
    return lambda path: LAYOUT.write(path, arrays)


def damaged(data: Callable[[], bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.unlink()
        path.write_bytes(data())

    return write


LATER_S = NOW_S + 2 * MOST_STEPS * TICK_S + 1.0  # after the last step, if only just
LOSSES: dict[str, Callable[[Path], None]] = {
    "gone": Path.unlink,
    "stale": lambda path: None,  # it is over at the moment of the loss
    "from the future": written(starts_s=LATER_S, ends_s=LATER_S + 600.0),
    "of others": written(key="shop/other"),
    "below zero": absurd(-1.0),
    "no number": absurd(float("nan")),
    "infinite": absurd(float("inf")),
    "more than there can be": absurd(1e30),
    **{name: damaged(data) for name, data in DAMAGE.items()},
}


@dataclass(frozen=True)
class Step:
    """Two seconds of the world."""

    demand: float | None  # requests in flight; None = nobody reports
    pods: int  # ready


STEPS = st.lists(st.builds(Step, st.none() | eighths(700), st.integers(0, 4)), max_size=MOST_STEPS)


class Life(World):
    """A controller in the world, with a file of advice or without."""

    def __init__(self, mode: str, folder: Path | None = None) -> None:
        super().__init__()
        self._advice = AdviceFile(folder) if folder else None
        annotations = {
            "kn-ahead.dev/mode": mode,
            "autoscaling.knative.dev/window": "10s",
            "autoscaling.knative.dev/target": "100",
        }
        self.has_revision(annotations=annotations)

    def live(self, step: Step) -> str:
        """What is decided at the end of a step, in every number."""
        for i in range(4):
            if i < step.pods:
                self.sees(a_pod(f"cart-{i}", address=f"10.0.0.{i}"))
            else:
                self.loses("Pod", f"shop/cart-{i}")
        self.sees(a_deployment(pods=step.pods))
        self.clock.advance(TICK_S)
        if step.demand is not None:
            self.receives(KEY, concurrency=step.demand, seconds=2)
        self.look()
        self.tick()
        return repr(self.decided())

    def look(self) -> None:
        if self._advice and self._advice.poll():
            self.handle(seen.AdviceSeen(table=self._advice.table))


def align(ours: World, twin: World) -> None:
    """The world is what both find: what advice made of it up to now included."""
    assert set(WORLD) < set(Observed.__dataclass_fields__)
    for name in WORLD:
        getattr(twin.fleet.observed, name)[:] = getattr(ours.fleet.observed, name)


def lives(
    mode: str, before: list[Step], after: list[Step], loss: str
) -> tuple[list[int], list[str], list[str]]:
    """Pods that were wanted before the loss; and decisions after it, ours and the twin's."""
    until_lost_s = TICK_S * len(before)
    end_s = NOW_S + (until_lost_s + TICK_S / 2 if loss == "stale" else 600.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        written(ends_s=end_s)(path)
        ours, twin = Life(mode, path.parent), Life(mode)
        wanted = []
        for step in before:
            ours.live(step)
            twin.live(step)
            wanted.append(ours.decided().want)
            assert ours.decided().kpa == twin.decided().kpa
        ours.look()
        LOSSES[loss](path)
        align(ours, twin)
        return wanted, [ours.live(step) for step in after], [twin.live(step) for step in after]


@settings(LAW, max_examples=examples(30, many=100))
@given(
    mode=st.sampled_from(["outward", "full"]),
    before=STEPS,
    after=STEPS,
    loss=st.sampled_from(sorted(LOSSES)),
)
def test_without_advice_every_number_is_that_of_a_controller_that_never_had_any(
    mode: str, before: list[Step], after: list[Step], loss: str
) -> None:
    _, ours, twins = lives(mode, before, after, loss)
    assert ours == twins


@pytest.mark.parametrize("loss", LOSSES)
def test_the_advice_had_added_pods_until_it_was_lost(loss: str) -> None:
    """Else the law above would hold of nothing."""
    idle = [Step(demand=50.0, pods=1)] * MOST_STEPS
    had, ours, twins = lives("outward", idle, idle, loss)
    assert had == [9] * MOST_STEPS
    assert ours == twins
    assert all(" want=1," in said for said in ours)
