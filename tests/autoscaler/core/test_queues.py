"""What waits under one policy and not the other: stepped beside requests that are served."""

import heapq
from itertools import pairwise

import numpy as np
import pytest

from autoscaler.core.control import ControlState, Reported, control
from autoscaler.core.queues import _waiting, step_queues
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS
from autoscaler.core.types import FloatArray

NOW_S, ROW = 1_700_000_000.0, np.array([0])


def served_by(pods: list[int], calls: FloatArray, takes_s: float) -> FloatArray:
    """Mean in flight of each second, where so many pods that take one request each are ready."""
    free: list[float] = []
    spans, ready = [], 0
    for second, n in enumerate(pods):
        for _ in range(n - ready):
            heapq.heappush(free, float(second))
        ready = n
    for at in calls:
        begin = max(at, heapq.heappop(free))
        spans.append((at, begin + takes_s))
        heapq.heappush(free, begin + takes_s)
    edges = np.arange(len(pods) + 1)
    a, b = np.array(spans).T
    return np.array(
        [np.clip(np.minimum(b, e) - np.maximum(a, s), 0, None).sum() for s, e in pairwise(edges)]
    )


def stepped(real: list[int], virtual: list[int], calls: FloatArray, takes_s: float) -> FloatArray:
    """Mean in flight of each second at the twin, by what is reported of what is in force."""
    fleet = Fleet()
    revision = KNATIVE_DEFAULTS
    fleet.add({"shop/cart-1": revision}, now=NOW_S)
    fleet.spec.pod_capacity[:], fleet.spec.lead_s[:] = 1.0, 5.0
    fleet.twins.view.begun[:] = True
    in_flight = served_by(real, calls, takes_s)
    came = np.histogram(calls, np.arange(len(real) + 1))[0]
    found = []
    for second, (load, n) in enumerate(zip(in_flight, came, strict=True)):
        fleet.observed.ready[:], fleet.twins.view.ready[:] = real[second], virtual[second]
        at = np.array([NOW_S + second + 1.0])
        before = _extra(fleet, at)
        samples = np.array([[load], [float(n)]])
        whole_s = np.floor(at).astype(np.int64) - 1
        report = Reported(rows=ROW, seconds=whole_s, samples=samples, by_activator=False)
        control(ControlState(fleet=fleet), report, at)
        step_queues(fleet, ROW, at, samples)
        found.append(load + _extra(fleet, at) - before)
    return np.array(found)


def _extra(fleet: Fleet, at: FloatArray) -> float:
    second = np.floor(at).astype(np.int64)
    return float(fleet.twins.stable.total(ROW, second, np.zeros(1, dtype=np.int64))[0])


SECONDS = 50


@pytest.mark.parametrize("takes_s", [0.2, 3.0, 15.0])
def test_a_call_that_waits_for_the_twins_pod_is_in_flight_for_longer(takes_s: float) -> None:
    calls = np.array([2.0])
    virtual = [0] * 7 + [1] * (SECONDS - 7)
    real = [1] * SECONDS
    truth = served_by(virtual, calls, takes_s)
    model = stepped(real, virtual, calls, takes_s)
    # What it takes longer is the five seconds it waits; and it ends no later than twice that.
    assert model.sum() - served_by(real, calls, takes_s).sum() == pytest.approx(5.0, abs=2.5)
    assert np.flatnonzero(model > 0).max() <= np.flatnonzero(truth > 0).max() + 5


@pytest.mark.parametrize("takes_s", [0.2, 3.0])
def test_a_call_that_waits_in_force_and_not_at_the_twin_is_in_flight_for_less_long(
    takes_s: float,
) -> None:
    calls = np.array([2.0, 12.0, 22.0, 32.0])
    real = [0] * 7 + [1] * (SECONDS - 7)
    model = stepped(real, [1] * SECONDS, calls, takes_s)
    assert model[:8].sum() <= served_by(real, calls, takes_s)[:8].sum() - 2.0
    assert model.min() > -0.5  # the mean of a second that is half over


@pytest.mark.parametrize("pods", [0, 1, 3])
def test_with_the_same_pods_nothing_differs(pods: int) -> None:
    calls = np.sort(np.random.default_rng(5).uniform(0, 40, 30))
    same = [0] * 5 + [max(pods, 1)] * (SECONDS - 5)
    measured = served_by(same, calls, 1.0)
    np.testing.assert_allclose(stepped(same, same, calls, 1.0), measured, atol=1e-6)


def test_too_few_pods_let_requests_pile_up_until_there_are_enough() -> None:
    calls = np.sort(np.random.default_rng(6).uniform(0, 20, 80))
    virtual = [1] * 20 + [8] * (SECONDS - 20)
    truth = served_by(virtual, calls, 0.5)
    model = stepped([8] * SECONDS, virtual, calls, 0.5)
    assert model.sum() == pytest.approx(truth.sum(), rel=0.2)
    assert model.max() == pytest.approx(truth.max(), rel=0.3)


@pytest.mark.parametrize(("n", "places"), [(5, 1), (20, 1), (10, 2), (50, 4)])
@pytest.mark.parametrize("used", [0.5, 0.85])
def test_what_waits_by_chance_within_a_second_is_as_drawn(n: int, places: int, used: float) -> None:
    random = np.random.default_rng(7)
    takes_s = used * places / n
    waited = []
    for _ in range(300):
        calls, free = np.sort(random.random(n)), [0.0] * places
        wait = 0.0
        for at in calls:
            begin = max(at, heapq.heappop(free))
            wait += begin - at
            heapq.heappush(free, begin + takes_s)
        waited.append(wait)
    one = [np.array([float(x)]) for x in (n, used * places, places)]
    assert _waiting(*one)[0] == pytest.approx(np.mean(waited), rel=0.35, abs=0.04)
