import asyncio
from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.revision import Active, Mode
from knative.activators import ActivatorStat
from knative.config import ClusterConfig
from knative.objects import podautoscaler
from tests.knative.conftest import (
    NOW_S,
    Cluster,
    a_bundle,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
    run_fast,
)

KEY = "shop/cart"


def want(cluster: Cluster, key: str = KEY) -> int:
    """What a decision wants for a revision."""
    decisions = cluster.seat.decide()
    return int(decisions.want[cluster.seat.fleet.row(key)])


def active(cluster: Cluster) -> Active:
    return Active(int(cluster.seat.fleet.seen.active[cluster.seat.fleet.row(KEY)]))


# --- whose revisions ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["kpa.autoscaling.knative.dev", "predictive.kn-ahead.dev"])
def test_revisions_of_our_classes_are_ours(kind: str) -> None:
    cluster = Cluster()
    cluster.has(a_podautoscaler(kind=kind))
    assert cluster.seat.fleet.keys == [KEY]


@pytest.mark.parametrize(
    "kind", ["hpa.autoscaling.knative.dev", "KPA.autoscaling.knative.dev", None]
)
def test_revisions_of_another_class_or_none_are_not_ours(kind: str | None) -> None:
    cluster = Cluster()
    cluster.has(a_podautoscaler(kind=kind))
    assert cluster.seat.fleet.keys == []
    assert cluster.seat.podautoscaler(KEY) is None


def test_a_revision_that_changes_its_class_is_let_go() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.has(a_podautoscaler(kind="hpa.autoscaling.knative.dev"))
    assert cluster.seat.fleet.keys == []
    assert cluster.seat.dirty == set()
    assert cluster.seat.wish(KEY) is None


def test_revisions_come_and_go_without_mixing_up_the_others() -> None:
    cluster = Cluster()
    for i, name in enumerate(["cart", "till", "shelf"]):
        cluster.has_revision(name, ready=i + 1)
    cluster.seat.saw_podautoscaler("shop/cart", None)
    seen = cluster.seat.fleet.seen
    ready = {key: int(seen.ready[cluster.seat.fleet.row(key)]) for key in cluster.seat.fleet.keys}
    assert ready == {"shop/till": 2, "shop/shelf": 3}
    cluster.seat.decide()
    assert cluster.seat.wish("shop/cart") is None


def test_a_revision_that_went_twice_is_gone_once() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.seat.saw_podautoscaler(KEY, None)
    cluster.seat.saw_podautoscaler(KEY, None)
    assert len(cluster.seat.fleet) == 0


def test_a_revision_made_anew_under_the_same_name_starts_anew() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.seat.decide()
    made_anew = replace(podautoscaler(a_podautoscaler()), uid="another")
    cluster.seat.saw_podautoscaler(KEY, made_anew)
    assert not cluster.seat.fleet.seen.initialized[cluster.seat.fleet.row(KEY)]


# --- what is seen of one --------------------------------------------------------------------------


def test_conditions_are_read_back_after_a_restart() -> None:
    cluster = Cluster()
    cluster.has_revision(active="False", ready=0)
    seen, row = cluster.seat.fleet.seen, cluster.seat.fleet.row(KEY)
    assert seen.active[row] == Active.FALSE
    assert seen.active_since_s[row] == NOW_S - 1000
    assert seen.initialized[row]
    assert seen.proxied_since_s[row] == NOW_S - 1000


def test_only_ready_pods_count() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=2)
    cluster.has(a_pod("cart-0", ready=False), a_pod("cart-3", phase="Pending", ready=False))
    assert cluster.seat.fleet.seen.ready.tolist() == [1]
    cluster.seat.saw_pod("shop/cart-1", None)
    assert cluster.seat.fleet.seen.ready.tolist() == [0]
    assert cluster.seat.scrapable() == []


def test_a_pod_nobody_knew_may_go() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.seat.saw_pod("shop/ghost", None)
    assert cluster.seat.fleet.seen.ready.tolist() == [1]


def test_a_deployment_that_went_asks_for_nothing() -> None:
    cluster = Cluster()
    cluster.has_revision()
    assert cluster.seat.replicas(KEY) == 1
    cluster.seat.saw_deployment("shop/cart-deployment", None)
    assert cluster.seat.replicas(KEY) is None


def test_a_change_of_config_reaches_every_revision() -> None:
    cluster = Cluster()
    cluster.has_revision("cart")
    cluster.has_revision("till", annotations={"autoscaling.knative.dev/min-scale": "5"})
    cluster.seat.dirty.clear()
    cluster.seat.reconfigure(ClusterConfig(min_scale=2))
    assert cluster.seat.fleet.spec.min_scale.tolist() == [2, 5]
    assert cluster.seat.dirty == {"shop/cart", "shop/till"}


def test_a_change_of_annotations_reaches_its_revision() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.has(a_podautoscaler(annotations={"autoscaling.knative.dev/min-scale": "3"}))
    assert cluster.seat.fleet.spec.min_scale.tolist() == [3]


def test_start_up_times_are_learned_from_pods_that_become_ready() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=0, asked=1)
    assert cluster.seat.fleet.spec.lead_s.tolist() == [10.0]
    cluster.has(a_pod(ready=False, created_s=NOW_S - 20))
    cluster.has(a_pod(ready=True, created_s=NOW_S - 20, ready_s=NOW_S))
    assert cluster.seat.fleet.spec.lead_s.tolist() == [21.0]


def test_a_pod_that_becomes_ready_again_did_not_start_again() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=0, asked=1)
    cluster.has(a_pod(created_s=NOW_S - 1000, ready_s=NOW_S - 980))
    cluster.has(a_pod(created_s=NOW_S - 1000, ready=False))
    cluster.has(a_pod(created_s=NOW_S - 1000, ready_s=NOW_S))
    assert cluster.seat.fleet.spec.lead_s.tolist() == [21.0]


def test_a_pod_that_was_ready_before_we_came_did_not_start_again() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=1)
    cluster.has(a_pod("cart-0", ready=False))
    cluster.has(a_pod("cart-0", ready_s=NOW_S))
    assert cluster.seat.fleet.spec.lead_s.tolist() == [10.0]


# --- the ServerlessService comes first ------------------------------------------------------------


@pytest.mark.parametrize("owner", [None, "somebody-else"])
def test_nothing_is_decided_until_the_serverlessservice_is_ours_and_set_up(
    owner: str | None,
) -> None:
    cluster = Cluster()
    if owner:
        cluster.has(a_serverlessservice(owner=owner))
    cluster.has(a_pod(), a_deployment(), a_podautoscaler())
    cluster.hears(KEY, concurrency=500.0, seconds=10)
    decisions = cluster.seat.decide()
    assert decisions.want.tolist() == [-1]
    assert decisions.apply.tolist() == [False]
    assert decisions.probe.tolist() == [False]


# --- statistics -----------------------------------------------------------------------------------


def test_statistics_of_unknown_revisions_are_passed_over() -> None:
    cluster = Cluster()
    cluster.has_revision()
    assert cluster.hears("shop/nobody", concurrency=5.0) == []
    cluster.seat.statistics.record_pods("shop/nobody", 5.0, 5.0)
    assert cluster.seat.decide().no_data.tolist() == [True]


def test_what_several_activators_and_the_pods_say_of_one_second_adds_up() -> None:
    cluster = Cluster()
    cluster.has_revision()
    second = int(NOW_S)
    cluster.seat.statistics.record(
        [ActivatorStat(KEY, 30.0, 3.0, second), ActivatorStat(KEY, 40.0, 4.0, 0)]
    )
    cluster.seat.statistics.record([ActivatorStat(KEY, 50.0, 5.0, second)])
    cluster.seat.statistics.record_pods(KEY, 80.0, 8.0)
    decisions = cluster.seat.decide()
    assert decisions.stable.tolist() == [200.0]
    assert decisions.want.tolist() == [3]


@pytest.mark.parametrize("absurd", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_an_absurd_statistic_says_nothing(absurd: float) -> None:
    cluster = Cluster()
    cluster.has_revision("cart")
    cluster.has_revision("till")
    cluster.seat.statistics.record([ActivatorStat("shop/cart", absurd, 1.0, 0)])
    cluster.seat.statistics.record([ActivatorStat("shop/till", 1.0, 1.0, 0)])
    assert cluster.seat.decide().no_data.tolist() == [True, False]


def test_demand_from_zero_has_to_be_decided_at_once() -> None:
    cluster = Cluster()
    cluster.has_revision(active="False", ready=0)
    cluster.hears(KEY, concurrency=0.0)
    assert want(cluster) == 0
    assert cluster.hears(KEY, concurrency=1.0) == [KEY]


def test_silence_from_zero_waits_for_the_tick() -> None:
    cluster = Cluster()
    cluster.has_revision(active="False", ready=0)
    cluster.hears(KEY, concurrency=0.0)
    cluster.seat.decide()
    assert cluster.hears(KEY, concurrency=0.0) == []


def test_demand_above_zero_waits_for_the_tick() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.hears(KEY, concurrency=1.0)
    cluster.seat.decide()
    assert cluster.hears(KEY, concurrency=500.0) == []


def test_one_revision_is_decided_without_the_others() -> None:
    cluster = Cluster()
    cluster.has_revision("cart")
    cluster.has_revision("till")
    cluster.hears("shop/cart", "shop/till", concurrency=100.0)
    cluster.seat.decide(["shop/till"])
    assert cluster.seat.fleet.memory.kpa.tolist() == [-1, 2]


# --- what is wanted -------------------------------------------------------------------------------


def test_a_revision_with_more_than_one_pod_starts_in_panic_and_keeps_them() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=5)
    cluster.hears(KEY, concurrency=1.0, seconds=5)
    assert want(cluster) == 5
    for _ in range(29):
        cluster.clock.advance(2.0)
        cluster.hears(KEY, concurrency=1.0)
        assert want(cluster) == 5
    cluster.clock.advance(4.0)
    cluster.hears(KEY, concurrency=1.0)
    assert want(cluster) == 2


def test_no_data_after_a_restart_is_no_decision() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=3)
    assert want(cluster) == -1
    assert cluster.seat.wish(KEY) is None  # nobody was told yet
    cluster.seat.to_act_for(cluster.seat.decide())
    wish = cluster.seat.wish(KEY)
    assert wish is not None
    assert (wish.want, wish.apply, wish.mode) == (-1, False, "Proxy")


def test_nothing_new_is_nothing_to_act_for() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.hears(KEY, concurrency=1.0)
    assert cluster.seat.to_act_for(cluster.seat.decide()) == {KEY}
    assert cluster.seat.to_act_for(cluster.seat.decide()) == set()
    cluster.has(a_serverlessservice(ready=False))
    assert cluster.seat.to_act_for(cluster.seat.decide()) == {KEY}


def test_an_answer_for_one_revision_is_kept_while_rows_come_and_go() -> None:
    cluster = Cluster()
    cluster.has_revision("cart")
    cluster.has_revision("till", ready=3)
    cluster.hears("shop/cart", "shop/till", concurrency=1.0)
    cluster.seat.to_act_for(cluster.seat.decide())
    cluster.seat.saw_podautoscaler("shop/cart", None)
    assert cluster.seat.to_act_for(cluster.seat.decide()) == set()
    wish = cluster.seat.wish("shop/till")
    assert wish is not None
    assert (wish.want, wish.ready) == (3, 3)


def test_active_follows_the_pods() -> None:
    cluster = Cluster()
    cluster.has_revision(active="False", ready=0)
    cluster.hears(KEY, concurrency=1.0)
    assert want(cluster) == 1
    assert active(cluster) is Active.UNKNOWN
    cluster.has(a_pod())
    cluster.seat.decide()
    assert active(cluster) is Active.TRUE


def test_a_new_revision_is_never_inactive_before_it_was_ready_once() -> None:
    cluster = Cluster()
    cluster.has(a_serverlessservice(), a_deployment(), a_podautoscaler())
    for _ in range(300):
        cluster.clock.advance(2.0)
        assert want(cluster) == -1
        assert active(cluster) is Active.UNKNOWN
    cluster.clock.advance(31.0)
    assert want(cluster) == 0  # given up after 630 s
    assert active(cluster) is Active.FALSE


def test_a_new_revision_that_starts_at_zero_is_initialized_and_inactive_at_once() -> None:
    cluster = Cluster(ClusterConfig(allow_zero_initial_scale=True))
    annotations = {"autoscaling.knative.dev/initial-scale": "0"}
    cluster.has(
        a_serverlessservice(), a_deployment(pods=0), a_podautoscaler(annotations=annotations)
    )
    cluster.seat.decide()
    assert cluster.seat.fleet.seen.initialized.tolist() == [True]
    assert active(cluster) is Active.FALSE


def test_a_new_revision_is_initialized_when_all_its_first_pods_are_ready() -> None:
    cluster = Cluster()
    annotations = {"autoscaling.knative.dev/initial-scale": "2"}
    cluster.has(
        a_serverlessservice(), a_deployment(pods=2), a_podautoscaler(annotations=annotations)
    )
    cluster.has(a_pod("cart-1"))
    assert want(cluster) == 2
    assert cluster.seat.fleet.seen.initialized.tolist() == [False]
    cluster.has(a_pod("cart-2"))
    cluster.seat.decide()
    assert cluster.seat.fleet.seen.initialized.tolist() == [True]
    assert active(cluster) is Active.TRUE


def test_initialized_stays_when_the_pods_go() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.seat.saw_pod("shop/cart-0", None)
    cluster.seat.decide()
    assert cluster.seat.fleet.seen.initialized.tolist() == [True]


def test_the_probes_word_is_good_while_the_revision_is_inactive() -> None:
    cluster = Cluster()
    cluster.has_revision(active="False")
    cluster.hears(KEY, concurrency=0.0)
    assert cluster.seat.decide().probe.tolist() == [True]
    cluster.seat.probe_passed(KEY)
    decisions = cluster.seat.decide()
    assert decisions.probe.tolist() == [False]
    assert (decisions.want.tolist(), decisions.apply.tolist()) == ([0], [True])
    cluster.hears(KEY, concurrency=900.0)
    cluster.seat.decide()
    assert cluster.seat.fleet.seen.probe_passed.tolist() == [False]


# --- forecasts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "demand", "pods"),
    [
        ("off", 400.0, 1),
        ("shadow", 400.0, 1),
        ("outward", 400.0, 4),
        ("outward", 1.0, 1),
        ("full", 400.0, 4),
    ],
)
def test_a_forecast_adds_pods_where_the_mode_lets_it(mode: str, demand: float, pods: int) -> None:
    cluster = Cluster()
    cluster.has_revision(annotations={"kn-ahead.dev/mode": mode})
    cluster.hears(KEY, concurrency=1.0)
    cluster.seat.forecast(a_bundle(demand))
    assert want(cluster) == pods


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW, Mode.OUTWARD])
@pytest.mark.parametrize("concurrency", [0.0, 1.0, 150.0, 900.0])
def test_a_forecast_of_nothing_takes_no_pod_away(mode: Mode, concurrency: float) -> None:
    clusters = [Cluster(ClusterConfig(mode=mode)), Cluster(ClusterConfig(mode=mode))]
    for cluster in clusters:
        cluster.has_revision(ready=3)
        cluster.hears(KEY, concurrency=concurrency, seconds=5)
    clusters[1].seat.forecast(a_bundle(0.0))
    assert want(clusters[1]) == want(clusters[0])


def test_a_forecast_wakes_a_revision_at_zero() -> None:
    cluster = Cluster(ClusterConfig(mode=Mode.OUTWARD))
    cluster.has_revision(active="False", ready=0)
    cluster.seat.forecast(a_bundle(50.0))
    assert want(cluster) == 1


def test_without_forecasts_the_rule_alone_holds_again() -> None:
    cluster = Cluster(ClusterConfig(mode=Mode.OUTWARD))
    cluster.has_revision()
    cluster.seat.forecast(a_bundle(400.0))
    cluster.hears(KEY, concurrency=1.0)
    assert want(cluster) == 4
    cluster.seat.forecast(None)
    assert want(cluster) == 1


def test_a_forecast_reaches_revisions_that_come_later() -> None:
    cluster = Cluster(ClusterConfig(mode=Mode.OUTWARD))
    cluster.seat.forecast(a_bundle(400.0))
    cluster.has_revision("till")
    cluster.has_revision("cart")
    cluster.hears("shop/cart", "shop/till", concurrency=1.0)
    assert (want(cluster, "shop/cart"), want(cluster, "shop/till")) == (4, 1)


def test_deciding_for_nobody_is_no_error() -> None:
    assert len(Cluster().seat.decide().want) == 0


def test_the_fast_loop_does_not_wait() -> None:
    async def sleep_long() -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await asyncio.sleep(3600.0)
        return loop.time() - begin

    assert run_fast(sleep_long()) >= 3600.0


def test_a_price_that_changes_is_read_at_once_and_not_with_the_next_bundle() -> None:
    cluster = Cluster(ClusterConfig(mode=Mode.OUTWARD))
    cluster.has_revision()
    cluster.hears(KEY, concurrency=1.0)
    cluster.seat.forecast(replace(a_bundle(400.0), exceedance=np.full((1, 1, 1), 0.5)))
    assert cluster.seat.decide().predicted.tolist() == [0]
    cluster.has(a_podautoscaler(annotations={"kn-ahead.dev/cold-price": "2h"}))
    assert cluster.seat.decide().predicted.tolist() == [4]


# --- between ticks --------------------------------------------------------------------------------


def test_a_pod_that_is_ready_shows_before_the_next_tick_and_nothing_is_decided() -> None:
    cluster = Cluster()
    key = cluster.has_revision(active="Unknown", ready=0, asked=1)
    cluster.hears(key, concurrency=1.0)
    seat = cluster.seat
    seat.to_act_for(seat.decide())
    assert (seat.follow_up(), seat.undecided()) == (set(), [])
    told: list[bool] = []
    seat.on_change = lambda: told.append(True)
    before = seat.fleet.memory.kpa.copy(), seat.wish(key)
    cluster.has(a_pod("cart-9"))
    assert told
    assert seat.follow_up() == {key}
    wish = seat.wish(key)
    assert before[1]
    assert wish
    assert (before[1].active, wish.active, wish.ready) == (Active.UNKNOWN, Active.TRUE, 1)
    assert (wish.want, seat.fleet.memory.kpa.tolist()) == (before[1].want, before[0].tolist())
    assert seat.follow_up() == set()


def test_what_is_new_has_to_be_decided_and_not_only_followed() -> None:
    cluster = Cluster()
    cluster.has(a_deployment("new"), a_podautoscaler("new"))
    seat = cluster.seat
    assert seat.undecided() == ["shop/new"]
    assert seat.follow_up() == set()
    assert seat.undecided() == ["shop/new"]  # and is not lost by that


def test_what_gets_its_service_or_a_pod_waits_for_the_tick() -> None:
    """Of the first pods that are ready too little is known to decide by."""
    cluster = Cluster()
    cluster.has(a_deployment("new", 4), a_podautoscaler("new"))
    seat = cluster.seat
    seat.to_act_for(seat.decide())
    cluster.has(a_serverlessservice("new"), a_pod("new-1", "new"))
    cluster.hears("shop/new", concurrency=50.0)
    assert seat.undecided() == []
    assert seat.follow_up() == {"shop/new"}
    wish = seat.wish("shop/new")
    assert wish
    assert (wish.want, wish.ready) == (-1, 1)
