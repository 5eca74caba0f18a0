"""Numbers that nobody can mean reach no average and no ring; the sender alone is concerned."""

import numpy as np
import pytest

from knative.activators import ActivatorStat, decode
from knative.annotations import RANGES
from knative.quantities import LONGEST_S, duration_s
from knative.recorded import AHEAD_S
from knative.wire import Stat, WireStatMessage, WireStatMessages
from tests.knative.conftest import NOW_S, Cluster, a_podautoscaler

KEY = "shop/cart"


def frame(*numbers: float) -> bytes:
    messages = [
        WireStatMessage(
            namespace="shop",
            name=f"cart-{i}",
            stat=Stat(average_concurrent_requests=number, request_count=1.0),
        )
        for i, number in enumerate(numbers)
    ]
    return bytes(WireStatMessages(messages=messages).SerializeToString())


def test_a_stat_that_no_activator_can_mean_is_refused_and_the_others_are_taken() -> None:
    refused = list[str]()
    stats = decode(frame(1.0, float("nan"), -5.0, 1e300, float("inf"), 2.0), refused.append)
    assert [stat.key for stat in stats] == ["shop/cart-0", "shop/cart-5"]
    assert len(refused) == 4
    assert refused[1] == "shop/cart-2 has -5.0 requests in flight and 1.0 new; allowed: 0 to 1e+09"


def average(cluster: Cluster) -> float:
    fleet = cluster.seat.fleet
    second, metric = np.array([int(NOW_S)]), np.array([0])
    return float(fleet.stable.average(np.array([fleet.row(KEY)]), second, metric)[0])


def test_a_clock_far_ahead_does_not_make_the_others_late() -> None:
    cluster = Cluster()
    cluster.has_revision()
    stat = ActivatorStat(key=KEY, concurrency=3.0, requests=3.0, second=int(NOW_S + 3600))
    cluster.seat.statistics.record([stat])
    assert average(cluster) == 3.0  # as if it had been told for now
    cluster.seat.statistics.record(
        [ActivatorStat(key=KEY, concurrency=2.0, requests=2.0, second=0)]
    )
    assert average(cluster) == 5.0


def test_a_clock_a_little_ahead_is_believed_as_knative_does() -> None:
    cluster = Cluster()
    cluster.has_revision()
    soon = int(NOW_S + AHEAD_S)
    cluster.seat.statistics.record(
        [ActivatorStat(key=KEY, concurrency=3.0, requests=3.0, second=soon)]
    )
    fleet = cluster.seat.fleet
    row = np.array([fleet.row(KEY)])
    assert fleet.stable.at(row, np.array([soon]))[0, 0] == 3.0


def test_a_request_for_who_slept_when_we_came_is_decided_at_once() -> None:
    cluster = Cluster()
    cluster.has_revision()
    assert cluster.seat.fleet.memory.kpa[cluster.seat.fleet.row(KEY)] == -1
    stat = ActivatorStat(key=KEY, concurrency=1.0, requests=1.0, second=0)
    assert cluster.seat.statistics.record([stat]) == [KEY]


ABSURD = ("99999999999999999999h", "-1s", "1e30", "-99999999", "2562047h", "nan")


@pytest.mark.parametrize("key", RANGES)
@pytest.mark.parametrize("text", ABSURD)
def test_an_absurd_annotation_leaves_a_fleet_that_decides(key: str, text: str) -> None:
    cluster = Cluster()
    cluster.has_revision("till")
    cluster.has(a_podautoscaler(annotations={f"autoscaling.knative.dev/{key}": text}))
    cluster.seat.decide()
    fleet = cluster.seat.fleet
    assert len(fleet) == 2
    window_s = fleet.spec.stable_window_s[fleet.row(KEY)]
    assert 6 <= window_s <= 3600


def test_a_duration_that_go_cannot_tell_is_none() -> None:
    assert duration_s("2562047h") <= LONGEST_S
    with pytest.raises(ValueError, match="too long"):
        duration_s("2562048h")
