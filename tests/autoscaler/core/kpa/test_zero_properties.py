"""Laws of the scale-to-zero machine: the last pod goes only when nobody can be hurt by it."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.kpa.zero import LastPod, last_pod, next_active
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import Active, Observed, Revision
from tests.autoscaler.core.oracle import Kpa
from tests.autoscaler.core.stories import BASE_S, LAW, look, looks, revisions
from tests.examples import examples

MORE = settings(LAW, max_examples=examples(40, many=100))
LATER = st.integers(0, 900).map(lambda s: BASE_S + s / 4)


def fate(
    revision: Revision, observed: Observed[float, int, bool], now: float, bounded: int = 0
) -> LastPod:
    fleet = row(revision, observed)
    return last_pod(np.array([bounded]), fleet.spec, fleet.observed, np.array([now]))


def row(revision: Revision, observed: Observed[float, int, bool]) -> Fleet:
    fleet = Fleet()
    fleet.add({"shop/cart": revision}, now=BASE_S)
    look(fleet, 0, observed)
    return fleet


def goes(revision: Revision, observed: Observed[float, int, bool], now: float) -> bool:
    last = fate(revision, observed, now)
    return bool(last.want[0] == 0 and last.apply[0])


@MORE
@given(revision=revisions(), observed=looks(), now=LATER, bounded=st.integers(-1, 3))
def test_the_machine_is_knatives_table(
    revision: Revision, observed: Observed[float, int, bool], now: float, bounded: int
) -> None:
    judge = Kpa(replace(revision, min_scale=0, initial_scale=0), ready=0, now=now)
    judge.desired = min(bounded, revision.max_scale or bounded)
    if bounded < 0:
        observed = replace(observed, active=Active.FALSE)  # activating, it would be bounded to zero
    last = fate(revision, observed, now, judge.desired)
    ours = int(last.want[0]), bool(last.apply[0]), bool(last.probe[0])
    assert ours == judge.want(observed, now)


@MORE
@given(revision=revisions(), observed=looks(), now=LATER)
def test_never_zero_while_active_for_less_than_the_stable_window(
    revision: Revision, observed: Observed[float, int, bool], now: float
) -> None:
    observed = replace(observed, active=Active.TRUE)
    young = now - observed.active_since_s < revision.stable_window_s
    assert fate(revision, observed, now).want[0] == 1 or not young


@MORE
@given(revision=revisions(), observed=looks(), now=LATER)
def test_the_last_pod_never_goes_before_the_activator_answered(
    revision: Revision, observed: Observed[float, int, bool], now: float
) -> None:
    observed = replace(observed, active=Active.FALSE, probe_passed=False)
    burst_only = revision.target_burst_capacity == -1
    assert burst_only or not goes(revision, observed, now)


@MORE
@given(revision=revisions(), observed=looks(), now=LATER)
def test_the_last_pod_never_goes_before_the_grace_period(
    revision: Revision, observed: Observed[float, int, bool], now: float
) -> None:
    observed = replace(observed, active=Active.FALSE)
    inactive, proxied = now - observed.active_since_s, now - observed.proxied_since_s
    graced = inactive >= revision.grace_s or proxied >= revision.grace_s
    assert graced or not goes(revision, observed, now)


@MORE
@given(revision=revisions(), observed=looks(), now=LATER)
def test_retention_is_kept(
    revision: Revision, observed: Observed[float, int, bool], now: float
) -> None:
    revision = replace(revision, reachable=True)
    observed = replace(observed, active=Active.FALSE)
    over = now - observed.active_since_s >= revision.retention_s
    assert over or not goes(revision, observed, now)


@MORE
@given(revision=revisions(), observed=looks(), now=LATER)
def test_without_a_route_there_is_no_retention(
    revision: Revision, observed: Observed[float, int, bool], now: float
) -> None:
    revision = replace(revision, reachable=False)
    without = replace(revision, retention_s=0.0)
    assert goes(revision, observed, now) == goes(without, observed, now)


@MORE
@given(revision=revisions(), observed=looks(), now=LATER)
def test_one_pod_stays_where_scale_to_zero_is_off(
    revision: Revision, observed: Observed[float, int, bool], now: float
) -> None:
    revision = replace(revision, enable_scale_to_zero=False)
    last = fate(revision, observed, now)
    assert last.want[0] == 1
    assert last.apply[0]


@MORE
@given(revision=revisions(), observed=looks(), now=LATER, pods=st.integers(1, 9))
def test_any_pods_pass_through_at_once(
    revision: Revision, observed: Observed[float, int, bool], now: float, pods: int
) -> None:
    last = fate(revision, observed, now, pods)
    assert last.want[0] == pods
    assert last.apply[0]
    assert not last.probe[0]


@MORE
@given(revision=revisions(), observed=looks(), now=LATER, waited=st.floats(0.0, 1000.0))
def test_what_may_go_may_still_go_later(
    revision: Revision, observed: Observed[float, int, bool], now: float, waited: float
) -> None:
    assert goes(revision, observed, now + waited) or not goes(revision, observed, now)


@MORE
@given(revision=revisions(), observed=looks(), want=st.integers(-1, 5))
def test_a_revision_is_active_only_with_enough_ready_pods(
    revision: Revision, observed: Observed[float, int, bool], want: int
) -> None:
    fleet = row(revision, observed)
    became = next_active(np.array([want]), fleet.spec, fleet.observed)[0]
    floor = revision.min_scale if revision.reachable else 0
    enough = observed.ready >= max(floor, 1 if observed.initialized else revision.initial_scale)
    assert became != Active.TRUE or (enough and want != 0)
    assert became == Active.FALSE or want != 0
