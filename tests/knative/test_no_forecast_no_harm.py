"""The second promise: forecasts gone, stale, damaged or absurd, and we are Knative to the digit.

Two seats live through the same demand in the same world. One has a bundle that is spoiled midway,
as a file is; the other never had any. From then on their decisions are the same in every number.
"""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.core.decision import Decisions
from autoscaler.core.revision import Seen
from knative.bundles import Bundles
from knative.objects import pod, replicas
from knative.seat import Seat
from learner.bundle import load_bundle, save_bundle
from tests.autoscaler.core.stories import differences, eighths
from tests.knative.conftest import (
    NAMESPACE,
    NOW_S,
    Cluster,
    a_bundle,
    a_deployment,
    a_pod,
)
from tests.knative.test_bundles import DAMAGE

TICK_S = 2.0
MOST_STEPS = 25  # before the loss, and after it
KEY = f"{NAMESPACE}/cart"
WORLD = ("active", "active_since_s", "initialized", "probe_passed")


def from_the_future(path: Path) -> None:
    begin_s = NOW_S + 2 * MOST_STEPS * TICK_S + 1.0  # after the last step, if only just
    save_bundle(replace(a_bundle(900.0), made_at_s=begin_s), path)


def left_alone(path: Path) -> None:
    """It grows stale at the moment of the loss."""


def silent(path: Path) -> None:
    """A bundle of others' services alone."""
    save_bundle(a_bundle(900.0, "shop/other-service"), path)


LOSSES: dict[str, Callable[[Path], None]] = DAMAGE | {
    "from the future": from_the_future,
    "stale": left_alone,
    "of others": silent,
}


@dataclass(frozen=True)
class Step:
    """Two seconds of the world."""

    demand: float | None  # requests in flight; None = nobody reports
    pods: int  # ready


STEPS = st.lists(st.builds(Step, st.none() | eighths(700), st.integers(0, 4)), max_size=MOST_STEPS)


class Life:
    """One seat in the world."""

    def __init__(self, mode: str) -> None:
        self.cluster = Cluster()
        annotations = {
            "kn-ahead.dev/mode": mode,
            "autoscaling.knative.dev/window": "10s",
            "autoscaling.knative.dev/target": "100",
        }
        self.cluster.has_revision("cart", annotations=annotations)
        self.seat: Seat = self.cluster.seat

    def live(self, step: Step) -> Decisions:
        seat = self.seat
        self.cluster.clock.advance(TICK_S)
        for i in range(4):
            seen = pod(a_pod(f"cart-{i}", "cart", address=f"10.0.0.{i}"))
            seat.saw_pod(f"{NAMESPACE}/cart-{i}", seen if i < step.pods else None)
        seat.saw_deployment(f"{NAMESPACE}/cart-deployment", replicas(a_deployment(pods=step.pods)))
        if step.demand is not None:
            self.cluster.hears(KEY, concurrency=step.demand, seconds=2)
        return seat.decide()


def align(ours: Seat, twin: Seat) -> None:
    """The world is what both find: what forecasts made of it up to now included."""
    for name in WORLD:
        getattr(twin.fleet.seen, name)[:] = getattr(ours.fleet.seen, name)
    assert set(WORLD) < set(Seen.__dataclass_fields__)


def lives(
    mode: str, before: list[Step], after: list[Step], spoil: Callable[[Path], None]
) -> tuple[list[Decisions], list[Decisions], list[Decisions]]:
    """Decisions before the loss; and after it, ours and the twin's."""
    ours, twin = Life(mode), Life(mode)
    until_lost_s = TICK_S * len(before)
    end_s = 660.0 if spoil is not left_alone else 60.0 + until_lost_s + TICK_S / 2
    bundle = a_bundle(900.0)
    bundle.window_edges_s[1] = end_s
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forecasts.npz"
        save_bundle(bundle, path)
        bundles = Bundles(path, load_bundle)

        def look() -> None:
            asyncio.run(bundles.poll(ours.cluster.clock.now()))
            ours.seat.forecast(bundles.bundle)

        look()
        had = []
        for step in before:
            had.append(ours.live(step))
            known = twin.live(step)
            assert had[-1].kpa.tolist() == known.kpa.tolist()
        spoil(path)
        look()
    align(ours.seat, twin.seat)
    return had, [ours.live(step) for step in after], [twin.live(step) for step in after]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    mode=st.sampled_from(["outward", "full"]),
    before=STEPS,
    after=STEPS,
    loss=st.sampled_from(sorted(LOSSES)),
)
def test_without_forecasts_every_number_is_that_of_a_seat_that_never_had_any(
    mode: str, before: list[Step], after: list[Step], loss: str
) -> None:
    _, ours, twins = lives(mode, before, after, LOSSES[loss])
    for our, twin in zip(ours, twins, strict=True):
        assert not differences(our, twin)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_forecast_had_added_pods_until_it_was_lost(loss: str) -> None:
    """Else the law above would hold of nothing."""
    idle = [Step(demand=50.0, pods=1)] * MOST_STEPS
    had, ours, _ = lives("outward", idle, idle, LOSSES[loss])
    assert [said.want.tolist() for said in had] == [[9]] * MOST_STEPS
    assert [said.want.tolist() for said in ours] == [[1]] * MOST_STEPS


def test_forecasts_that_cannot_be_read_at_a_price_are_left_out_and_end_no_tick() -> None:
    life = Life("outward")
    odd = replace(a_bundle(900.0), exceedance=np.ones((1, 1)))  # a dimension is missing
    life.seat.forecast(odd)
    said = life.live(Step(demand=50.0, pods=1))
    assert (said.want.tolist(), said.predicted.tolist()) == ([1], [-1])
    assert life.seat.bundle is None
