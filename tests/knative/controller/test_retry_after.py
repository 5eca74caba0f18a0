"""A write with a Retry-After: when it is tried again, and what does not wait for it."""

import numpy as np
import pytest

from autoscaler.core.control import LONGEST_WAIT_S
from knative.controller.state import events as seen
from knative.controller.state.controller import Controller
from knative.controller.state.instructions import Plan, Scale
from knative.leadership.elector import Leadership
from knative.mirror.objects import deployment, pod, podautoscaler, serverlessservice
from tests.knative.objects import (
    NOW_S,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
    an_old_status,
)

KEY, UID = "shop/cart", "uid-of-cart"
DEPLOYMENT = f"{KEY}-deployment"


class PutOff:
    """A controller that leads, of one revision with one pod, all of whose writes are put off."""

    def __init__(self, asked_s: float) -> None:
        """asked_s: s that the API server asks us to stay away for."""
        self._asked_s, self.now = asked_s, NOW_S
        self._controller = Controller()
        for event in (
            seen.LeadershipChanged(leadership=Leadership.LEADING, leader=""),
            seen.PodSeen(key="shop/cart-1", object=pod(a_pod())),
            seen.ServerlessServiceSeen(key=KEY, object=serverlessservice(a_serverlessservice())),
            seen.DeploymentSeen(key=DEPLOYMENT, object=deployment(a_deployment())),
            seen.PodAutoscalerSeen(
                key=KEY, object=podautoscaler(a_podautoscaler(status=an_old_status()))
            ),
        ):
            self._controller.handle(event, self.now)

    def ticks(self, in_flight: float) -> list[int]:
        """Pods that are asked for in the two seconds up to a tick; each write is put off."""
        asked_for: list[int] = []
        for _ in range(2):
            self.now += 1.0
            statistic = seen.StatisticsReceived(
                keys=[KEY],
                samples=np.full((2, 1), in_flight),
                seconds=np.array([int(self.now)]),
                by_activator=True,
            )
            asked_for += self._put_off(statistic)
        return asked_for + self._put_off(seen.Ticked())

    def _put_off(self, event: seen.Event) -> list[int]:
        pods: list[int] = []
        for plan in self._controller.handle(event, self.now):
            assert isinstance(plan, Plan)
            pods += [write.pods for write in plan.writes if isinstance(write, Scale)]
            failed = seen.PlanFailed(key=KEY, uid=UID, why="busy", wait_s=self._asked_s)
            self._controller.handle(failed, self.now)
        return pods


@pytest.mark.parametrize("asked_s", [12.0, 60.0])
def test_it_is_tried_when_the_server_wants_it(asked_s: float) -> None:
    story, tried_s = PutOff(asked_s), list[float]()
    while story.now < NOW_S + 200.0:
        tried_s += [story.now] * len(story.ticks(950.0))
    waits_s = np.diff(tried_s)
    assert len(waits_s) >= 3
    assert asked_s <= waits_s[0] <= asked_s + 2.0
    # Put off again and again, we stay away longer of our own accord.
    assert np.all((waits_s >= asked_s) & (waits_s <= max(asked_s, LONGEST_WAIT_S) + 2.0))


def test_new_demand_is_written_at_once_though_the_last_write_was_put_off() -> None:
    """A request from zero must not wait for a minute because of what another one met."""
    story = PutOff(50.0)
    (first,) = story.ticks(350.0)
    assert story.ticks(350.0) == []
    (then,) = story.ticks(950.0)
    assert then > first
