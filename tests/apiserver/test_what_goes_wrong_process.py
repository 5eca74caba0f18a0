"""We are killed, stand twice in the seat, or lose our forecasts: pods are what they would be."""

import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kubernetes import client

from autoscaler.core.forecasts import ForecastBundle
from knative.activators import PORT
from learner.bundle import save_bundle
from tests.apiserver.conftest import SYSTEM, Objects, SeatProcess, StartSeat
from tests.apiserver.history import Scales
from tests.apiserver.plane import ControlPlane, wait_until
from tests.apiserver.standins import Activator, World

LOADED = 1.75  # requests in flight: three pods of 0.7 each, however reports fall into seconds
KILLS = int(os.environ.get("KILLS", "4"))
SEED = 1
LEASE = {"lease-duration": "4s", "renew-deadline": "3s", "retry-period": "1s"}
AHEAD = 2  # pods that the forecast asks for


def pods_ready(cluster: Objects, name: str, pods: int) -> bool:
    return bool(cluster.pa(name).get("status", {}).get("actualScale") == pods)


def test_killed_at_any_moment_we_never_take_a_pod_and_end_where_we_would_have(
    cluster: Objects, start_seat: StartSeat, world: World, scales: Scales
) -> None:
    """One revision under load, one that must keep two, one asleep, and one woken all the time."""
    seat = start_seat()
    activator = Activator(seat.stats_port)
    reporting = world.spawn(activator.keep_connected())
    loaded = cluster.revision("loaded-00001", annotations={"autoscaling.knative.dev/target": "1"})
    kept = cluster.revision("kept-00001", annotations={"autoscaling.knative.dev/min-scale": "2"})
    woken, asleep = cluster.asleep("woken-00001"), cluster.asleep("asleep-00001")
    activator.in_flight[loaded] = LOADED
    wait_until(lambda: pods_ready(cluster, "loaded-00001", 3), 30, "three pods")
    wait_until(lambda: pods_ready(cluster, "kept-00001", 2), 30, "two pods")
    for key in (loaded, kept, asleep):
        scales.forget(key)

    moments = random.Random(SEED)
    for _ in range(KILLS):
        time.sleep(moments.uniform(0.0, 3.0))
        if activator.socket:
            activator.in_flight[woken] = 1.0
        seat.kill()
        seat.start()
    wait_until(lambda: cluster.replicas("woken-00001") == 1, 30, "woken")
    wait_until(lambda: pods_ready(cluster, "woken-00001", 1), 30, "its pod")
    time.sleep(4)  # two ticks
    assert scales.least(loaded) == max(scales.of(loaded)) == 3
    assert scales.least(kept) == max(scales.of(kept)) == 2
    assert max(scales.of(asleep)) == 0

    activator.in_flight.clear()
    wait_until(lambda: cluster.replicas("loaded-00001") == 0, 60, "zero without load")
    wait_until(lambda: cluster.replicas("woken-00001") == 0, 60, "zero without load")
    assert cluster.replicas("kept-00001") == 2
    for name in ("loaded-00001", "woken-00001", "asleep-00001"):
        sks = cluster.sks(name)
        assert sks is not None
        assert sks["spec"]["mode"] == "Proxy"
        assert cluster.condition(name, "Active")["reason"] == "NoTraffic"
    assert cluster.condition("kept-00001", "Ready")["status"] == "True"
    reporting.cancel()


def bundle(service: str, *, made_at_s: float) -> ForecastBundle:
    """Forecasts for an hour in which a service always needs AHEAD pods of 70 requests."""
    demand = np.array([[0.0, 70.0 * AHEAD - 70.0, 70.0 * AHEAD]])
    return ForecastBundle(
        services=(service,),
        made_at_s=made_at_s,
        fitted_at_s=made_at_s,
        window_edges_s=np.array([0.0, 60.0, 3600.0]),
        demand_edges=demand,
        exceedance=np.ones((1, 2, 2)),
        model=("seasonal",),
        reason=("",),
    )


def gone(path: Path, service: str) -> None:
    path.unlink()


def damaged(path: Path, service: str) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def stale(path: Path, service: str) -> None:
    old = time.time() - 7200  # noqa: TID251
    save_bundle(bundle(service, made_at_s=old), path)


def test_forecasts_that_go_leave_knatives_rule_and_are_in_force_when_they_are_back(
    cluster: Objects, start_seat: StartSeat, world: World, tmp_path: Path
) -> None:
    path, good = tmp_path / "forecasts.npz", tmp_path / "good.npz"
    service = f"{cluster.namespace}/cart"
    save_bundle(bundle(service, made_at_s=time.time()), good)  # noqa: TID251
    shutil.copy(good, path)
    seat = start_seat(f"--bundle={path}")
    outward = {"kn-ahead.dev/mode": "outward"}
    key = cluster.revision("cart-00001", annotations=outward)
    world.loads[key].in_flight = 0.1
    shown = 'kn_ahead_degraded{part="forecasts"} '
    wait_until(lambda: cluster.replicas("cart-00001") == AHEAD, 30, "pods ahead")
    assert f"{shown}0.0" in seat.metrics()

    for times, spoil in enumerate((gone, damaged, stale), 1):
        spoil(path, service)
        wait_until(lambda: f"{shown}1.0" in seat.metrics(), 30, "the loss to show")
        readiness = seat.get("/readyz")
        assert readiness["ready"]
        assert any(line.startswith("forecasts ") for line in readiness["detail"])
        wait_until(lambda: cluster.replicas("cart-00001") == 1, 30, "Knative's own answer")
        assert seat.log.count("WARNING forecasts: ") == times
        assert seat.log.count("deciding as Knative alone would") == times
        shutil.copy(good, path)
        wait_until(lambda: f"{shown}0.0" in seat.metrics(), 30, "forecasts to be back")
        wait_until(lambda: cluster.replicas("cart-00001") == AHEAD, 30, "pods ahead again")


@pytest.fixture
def two(admin: Objects, start_seat: StartSeat) -> Iterator[tuple[SeatProcess, SeatProcess]]:
    """Two of us, not yet started: each at its own address, with the port that all have."""
    first, second = start_seat(begin=False), start_seat(begin=False)
    first.host, second.host = "127.0.3.1", "127.0.3.2"
    first.stats_port = second.stats_port = PORT
    admin.configure("config-leader-election", LEASE)
    yield first, second
    admin.core.delete_namespaced_config_map("config-leader-election", SYSTEM)


def leads(seat: SeatProcess) -> bool:
    return "kn_ahead_leading 1.0" in seat.metrics()


def test_two_of_us_by_mistake_write_as_one_and_the_second_takes_over(
    cluster: Objects,
    two: tuple[SeatProcess, SeatProcess],
    world: World,
    plane: ControlPlane,
    scales: Scales,
) -> None:
    first, second = two
    first.start(POD_NAME="first")
    wait_until(lambda: leads(first), 30, "the first to lead")
    second.start(POD_NAME="second")
    activator = Activator(second.stats_port, host=second.host)
    reporting = world.spawn(activator.keep_connected())
    wait_until(lambda: activator.socket is not None, 30, "the activator's socket")
    key = cluster.revision("cart-00001", annotations={"autoscaling.knative.dev/target": "1"})
    activator.in_flight[key] = LOADED  # told to who does not lead, and passed on
    wait_until(lambda: pods_ready(cluster, "cart-00001", 3), 30, "three pods by who leads")
    assert leads(first)
    assert not leads(second)
    assert "following first_" in str(second.get("/readyz"))
    scales.forget(key)

    killed_s = time.time()  # noqa: TID251
    first.kill()
    took_s = wait_until(lambda: leads(second), 30, "the second to lead")
    print(f"takeover {took_s:.1f} s after the first was killed")
    cluster.annotate("cart-00001", min_scale="4")
    wait_until(lambda: cluster.replicas("cart-00001") == 4, 30, "what the second decides")
    assert scales.least(key) == 3
    assert activator.connections == 1
    reporting.cancel()
    told = [r for r in plane.audited(killed_s) if r.resource == "leases" and r.code == 409]
    assert not told  # nobody wrote beside it


def test_the_second_of_us_leads_at_once_when_the_first_ends_well(
    cluster: Objects, two: tuple[SeatProcess, SeatProcess]
) -> None:
    first, second = two
    first.start(POD_NAME="first")
    wait_until(lambda: leads(first), 30, "the first to lead")
    second.start(POD_NAME="second")
    assert not leads(second)
    first.stop()
    took_s = wait_until(lambda: leads(second), 30, "the second to lead")
    assert took_s < 2.5  # its own retry period, and a little
    leases = client.CoordinationV1Api(cluster.api)
    lease: Any = leases.read_namespaced_lease("autoscaler-bucket-00-of-01", SYSTEM)
    assert lease.spec.holder_identity == f"second_{second.host}"
