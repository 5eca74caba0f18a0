"""Services with settings and pods of their own, in one simulation."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from autoscaler.core.state.revision import Metric, Revision
from benchmarks.policies.policies import baselines, revision
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.events import COUNTED
from benchmarks.simulator.parts import Parts
from benchmarks.simulator.settings import Configured, only, rows
from benchmarks.simulator.simulation import Policy, Simulation, World

SECONDS = 900.0
EACH: tuple[Revision, ...] = (
    revision(1, 5.0, 30.0),
    replace(revision(0, 2.0, 10.0), retention_s=120.0, stable_window_s=30),
    replace(revision(10, 20.0, 0.0), min_scale=2, max_scale=3),
    replace(revision(3, 1.0, 5.0), metric=Metric.RPS, total=20.0, target=14.0),
)
CONCURRENCY = (1, 0, 10, 3)


def requests() -> Requests:
    """Seeded, some hundred of each service."""
    random = np.random.default_rng(3)
    arrivals = [np.sort(random.uniform(0, SECONDS, number)) for number in (40, 300, 500, 200)]
    return Requests(
        arrival_s=np.concatenate(arrivals),
        service_s=random.uniform(0.1, 4.0, sum(map(len, arrivals))),
        offset=np.concatenate([[0], np.cumsum([len(at) for at in arrivals])]).astype(np.int64),
    )


def world(services: Sequence[int], configured: Configured) -> World:
    return World(
        services=tuple(f"shop/{i}" for i in services),
        requests=requests().only(np.array(services)),
        tables={},
        concurrency=configured.concurrency,
        start_up_s=configured.revision.lead_s,
        drain_s=configured.revision.drain_s,
    )


def policies(configured: Configured) -> list[Policy]:
    return baselines(configured.revision, minutes=(1,))


def test_each_gets_what_it_gets_alone_by_its_own_settings() -> None:
    own = Configured.of(EACH, CONCURRENCY)
    together = Simulation(world(range(4), own), policies(own), start_s=0.0)
    together.run(SECONDS)
    for i, (settings, slots) in enumerate(zip(EACH, CONCURRENCY, strict=True)):
        same = Configured(revision=settings, concurrency=slots)
        alone = Simulation(world([i], same), policies(same), start_s=0.0)
        alone.run(SECONDS)
        for name in COUNTED:
            np.testing.assert_array_equal(together.counts()[name][:, [i]], alone.counts()[name])


def test_parts_of_them_keep_their_own() -> None:
    own = Configured.of(EACH, CONCURRENCY)
    whole = Simulation(world(range(4), own), policies(own), start_s=0.0)
    whole.run(300.0)
    with Parts(world(range(4), own), policies(own), start_s=0.0, n_parts=2) as parts:
        parts.run(300.0)
        for name in COUNTED:
            np.testing.assert_array_equal(parts.counts()[name], whole.counts()[name])


def test_policies_raise_what_is_set_and_never_lower_it() -> None:
    own = Configured.of(EACH, CONCURRENCY)
    knative, kept, never_zero = (policy.revision for policy in policies(own))
    assert rows(knative, 4) == list(EACH)
    assert kept.retention_s.tolist() == [60.0, 120.0, 60.0, 60.0]
    assert never_zero.min_scale.tolist() == [1, 1, 2, 1]


def test_settings_of_some_are_theirs_and_one_value_is_everybodys() -> None:
    own = Configured.of(EACH, CONCURRENCY).revision
    assert rows(only(own, np.array([2, 0])), 2) == [EACH[2], EACH[0]]
    assert only(EACH[0], np.array([2, 0])) == EACH[0]
    for one, other in pairwise(rows(EACH[0], 3)):
        assert one == other == EACH[0]
