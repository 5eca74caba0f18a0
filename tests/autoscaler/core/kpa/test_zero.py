"""The scale-to-zero machine, one row of its table a test."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.core.kpa.zero import last_pod, next_active
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active, Revision
from tests.autoscaler.core.stories import AT_WORK, BASE_S, look

HOLD = (-1, False)
STAYS = (1, True)
WAITS = (0, False)
GOES = (0, True)


def row(revision: Revision, **seen: Any) -> Fleet:
    fleet = Fleet()
    fleet.add({"shop/cart": revision}, now=BASE_S)
    look(fleet, 0, replace(AT_WORK, **{"active_since_s": BASE_S} | seen))
    return fleet


def fate(
    after_s: float, revision: Revision = KNATIVE_DEFAULTS, bounded: int = 0, **seen: Any
) -> tuple[int, bool]:
    """Pods wanted and whether that is applied, some seconds after Active changed."""
    fleet = row(revision, **seen)
    now = np.array([BASE_S + after_s])
    last = last_pod(np.array([bounded]), fleet.spec, fleet.observed, now)
    return int(last.want[0]), bool(last.apply[0])


def probes(revision: Revision = KNATIVE_DEFAULTS, bounded: int = 0, **seen: Any) -> bool:
    fleet = row(revision, **seen)
    return bool(
        last_pod(np.array([bounded]), fleet.spec, fleet.observed, np.array([BASE_S])).probe[0]
    )


def becomes(want: int, revision: Revision = KNATIVE_DEFAULTS, **seen: Any) -> Active:
    fleet = row(revision, **seen)
    return Active(int(next_active(np.array([want]), fleet.spec, fleet.observed)[0]))


INACTIVE: dict[str, Any] = {"active": Active.FALSE, "probe_passed": True}
RETAINED = replace(KNATIVE_DEFAULTS, retention_s=100.0)
BURST_ONLY = replace(KNATIVE_DEFAULTS, target_burst_capacity=-1.0)
NEVER_ZERO = replace(KNATIVE_DEFAULTS, enable_scale_to_zero=False)


@pytest.mark.parametrize("active", Active)
def test_one_pod_stays_where_scale_to_zero_is_off(active: Active) -> None:
    assert fate(1000.0, NEVER_ZERO, active=active, probe_passed=True) == STAYS


def test_activating_is_waited_for() -> None:
    assert fate(630.0, active=Active.UNKNOWN) == HOLD


def test_activating_is_given_up_after_its_deadline() -> None:
    assert fate(630.5, active=Active.UNKNOWN) == GOES


def test_an_active_revision_keeps_a_pod_for_a_stable_window() -> None:
    assert fate(59.5, active=Active.TRUE) == STAYS


def test_then_it_becomes_inactive_before_the_pod_goes() -> None:
    assert fate(60.0, active=Active.TRUE) == WAITS


def test_an_inactive_revision_keeps_its_pod_until_the_activator_answers() -> None:
    assert fate(1000.0, active=Active.FALSE, probe_passed=False) == WAITS


def test_with_burst_capacity_minus_one_nobody_is_asked() -> None:
    assert fate(1000.0, BURST_ONLY, active=Active.FALSE, probe_passed=False) == GOES


def test_the_pod_goes_after_the_grace_period() -> None:
    assert fate(29.5, **INACTIVE) == WAITS
    assert fate(30.0, **INACTIVE) == GOES


def test_it_goes_sooner_where_the_activator_stood_in_the_path_before() -> None:
    assert fate(1.0, **INACTIVE, proxied_since_s=BASE_S - 29.0) == GOES
    assert fate(0.5, **INACTIVE, proxied_since_s=BASE_S - 29.0) == WAITS


def test_retention_keeps_it_longer() -> None:
    assert fate(99.5, RETAINED, **INACTIVE, proxied_since_s=BASE_S - 500.0) == WAITS
    assert fate(100.0, RETAINED, **INACTIVE) == GOES


def test_a_retention_shorter_than_the_grace_does_not_shorten_it() -> None:
    assert fate(20.0, replace(RETAINED, retention_s=10.0), **INACTIVE) == WAITS


def test_without_a_route_there_is_no_retention() -> None:
    assert fate(30.0, replace(RETAINED, reachable=False), **INACTIVE) == GOES


@pytest.mark.parametrize("active", Active)
def test_any_pods_are_applied_at_once(active: Active) -> None:
    assert fate(0.0, bounded=3, active=active) == (3, True)


@pytest.mark.parametrize("active", [Active.TRUE, Active.FALSE])
def test_no_decision_is_not_applied(active: Active) -> None:
    assert fate(1000.0, bounded=-1, active=active) == HOLD


def test_an_inactive_revision_without_demand_has_its_activator_asked() -> None:
    assert probes(active=Active.FALSE)


def test_nobody_is_asked_without_need() -> None:
    assert not probes(active=Active.FALSE, probe_passed=True)
    assert not probes(active=Active.TRUE)
    assert not probes(active=Active.FALSE, bounded=1)
    assert not probes(BURST_ONLY, active=Active.FALSE)


def test_nobody_is_asked_where_scale_to_zero_is_off() -> None:
    assert not probes(NEVER_ZERO, active=Active.FALSE)


def test_enough_ready_pods_make_it_active() -> None:
    assert becomes(1, ready=1, active=Active.UNKNOWN) == Active.TRUE


def test_too_few_ready_pods_are_activating() -> None:
    assert becomes(3, ready=0) == Active.UNKNOWN
    assert becomes(3, replace(KNATIVE_DEFAULTS, min_scale=3), ready=2) == Active.UNKNOWN


def test_wanting_none_is_inactive() -> None:
    assert becomes(0, ready=5) == Active.FALSE


def test_activation_takes_the_initial_scale_once() -> None:
    eager = replace(KNATIVE_DEFAULTS, initial_scale=3)
    assert becomes(3, eager, ready=2, initialized=False) == Active.UNKNOWN
    assert becomes(3, eager, ready=2, initialized=True) == Active.TRUE


def test_an_initial_scale_of_zero_begins_inactive() -> None:
    lazy = replace(KNATIVE_DEFAULTS, initial_scale=0)
    assert becomes(-1, lazy, ready=0, initialized=False, active=Active.UNKNOWN) == Active.FALSE


def test_no_decision_leaves_an_inactive_revision_so() -> None:
    assert becomes(-1, ready=5, active=Active.FALSE) == Active.FALSE
    assert becomes(-1, ready=5, active=Active.TRUE) == Active.TRUE


def test_without_a_route_min_scale_is_not_waited_for() -> None:
    unrouted = replace(KNATIVE_DEFAULTS, min_scale=5, reachable=False)
    assert becomes(1, unrouted, ready=1) == Active.TRUE
