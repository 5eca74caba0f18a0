import pytest

from knative.objects import Pod, kubernetes_time, pod
from knative.startup import StartUps, parts_of
from tests.knative.conftest import NOW_S, Cluster, a_condition, a_pod


def test_before_the_first_start_a_guess_stands() -> None:
    assert StartUps().lead_s("shop/cart", 600.0) == 10.0


def test_asking_measures_nothing() -> None:
    start_ups = StartUps()
    start_ups.lead_s("shop/cart", 600.0)
    start_ups.add("shop/cart", 3.0)
    assert start_ups.lead_s("shop/cart", 600.0) == 4.0


@pytest.mark.parametrize(
    ("price_s", "lead_s"), [(0.0, 2.0), (5.0, 2.0), (30.0, 4.0), (600.0, 21.0), (1e6, 21.0)]
)
def test_the_price_says_how_bad_a_start_is_waited_out(price_s: float, lead_s: float) -> None:
    """Nine starts of 1 s and 3 s, one of 20 s: 17 s more of waiting save a tenth of the price."""
    start_ups = StartUps()
    for seconds in [1.0] * 6 + [3.0] * 3 + [20.0]:
        start_ups.add("shop/cart", seconds)
    assert start_ups.lead_s("shop/cart", price_s) == lead_s


def test_the_last_fifty_count() -> None:
    start_ups = StartUps()
    for seconds in [100.0] * 50 + [2.0] * 50:
        start_ups.add("shop/cart", seconds)
    assert start_ups.lead_s("shop/cart", 600.0) == 3.0


def test_services_do_not_mix() -> None:
    start_ups = StartUps()
    start_ups.add("shop/cart", 2.0)
    start_ups.add("shop/till", 30.0)
    assert start_ups.lead_s("shop/cart", 600.0) == 3.0


@pytest.mark.parametrize("absurd", [-1.0, 3600.0, 1e9, float("nan")])
def test_what_cannot_be_a_start_is_left_out(absurd: float) -> None:
    start_ups = StartUps()
    start_ups.add("shop/cart", absurd)
    assert start_ups.lead_s("shop/cart", 600.0) == 10.0


# --- by part --------------------------------------------------------------------------------------


def a_start(**at_s: float) -> Pod:
    """A pod that was created at 100, and then scheduled, running and ready at so many s."""
    times = {"scheduled_s": 101.0, "running_s": 106.0, "ready_s": 109.0} | at_s
    return Pod(
        revision="shop/cart-1", state="ready", address="", created_s=100.0, started_s=101.0, **times
    )


def by_part(*pods: Pod) -> dict[str, tuple[int, float]]:
    start_ups = StartUps()
    for one in pods:
        start_ups.add_pod("shop/cart", one)
    return {part: (starts, s) for service, part, starts, s in start_ups.by_part()}


def test_a_start_is_told_by_part() -> None:
    parts = {"scheduled": (1, 1.0), "started": (1, 5.0), "ready": (1, 3.0), "total": (1, 9.0)}
    assert by_part(a_start()) == parts


def test_starts_add_up() -> None:
    seen = by_part(a_start(), a_start(ready_s=110.0))
    assert seen["ready"] == (2, 7.0)
    assert seen["total"] == (2, 19.0)


def test_a_part_that_is_not_known_is_left_out() -> None:
    assert by_part(a_start(running_s=0.0)) == {"scheduled": (1, 1.0), "total": (1, 9.0)}


def test_a_part_that_a_clock_tells_wrong_is_left_out() -> None:
    seen = by_part(a_start(running_s=50.0))  # the node's clock is behind
    assert seen == {"scheduled": (1, 1.0), "ready": (1, 59.0), "total": (1, 9.0)}


def test_the_lead_is_of_the_whole_start() -> None:
    start_ups = StartUps()
    start_ups.add_pod("shop/cart", a_start())
    assert start_ups.lead_s("shop/cart", 600.0) == 10.0


def test_a_pods_events_tell_its_parts() -> None:
    o = a_pod(created_s=NOW_S - 20, ready_s=NOW_S - 8)
    o["status"]["conditions"].append(
        a_condition("PodScheduled", "True", kubernetes_time(NOW_S - 18))
    )
    o["status"]["containerStatuses"] = [
        {"state": {"running": {"startedAt": kubernetes_time(NOW_S - at)}}} for at in (12, 11)
    ]
    assert parts_of(pod(o)) == {"scheduled": 2.0, "started": 7.0, "ready": 3.0}


@pytest.mark.parametrize("state", [{}, {"waiting": {}}, {"running": {}}, None])
def test_a_container_that_does_not_run_leaves_its_part_unknown(state: object) -> None:
    o = a_pod(created_s=NOW_S - 20, ready_s=NOW_S - 8)
    running = {"state": {"running": {"startedAt": kubernetes_time(NOW_S - 11)}}}
    o["status"]["containerStatuses"] = [running, {"state": state}]
    assert parts_of(pod(o)) == {}


def test_the_seat_learns_each_start_once() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=0, asked=1)
    started = a_pod(created_s=NOW_S - 20, ready_s=NOW_S)
    for o in (a_pod(ready=False, created_s=NOW_S - 20), started, started):
        cluster.has(o)
    assert list(cluster.seat.start_ups.by_part()) == [("shop/cart-service", "total", 1, 20.0)]
