"""The promises, on a real API server: never below demand, no harm, say why, shadow first.

As laws over random fleets they are in tests/autoscaler/test_decider_properties.py; what becomes of
them when forecasts go, end or are damaged is in tests/apiserver/test_what_goes_wrong*.py.
"""

import time
from pathlib import Path

import numpy as np

from autoscaler.core.forecasts import ForecastBundle
from learner.bundle import save_bundle
from tests.apiserver.conftest import Objects, StartSeat
from tests.apiserver.plane import wait_until
from tests.apiserver.standins import World
from tests.apiserver.versions import Versions

FORECAST = 25.0  # requests in flight: three pods of ten


def a_bundle(services: list[str], demand: float) -> ForecastBundle:
    """Sure of so much demand for the next hour."""
    now = time.time()  # noqa: TID251
    n = len(services)
    return ForecastBundle(
        services=tuple(services),
        made_at_s=now - 60,
        fitted_at_s=now - 60,
        window_edges_s=np.array([0.0, 3660.0]),
        demand_edges=np.tile([0.0, demand], (n, 1)),
        exceedance=np.ones((n, 1, 1), dtype=np.float32),
        model=("seasonal",) * n,
        reason=("",) * n,
    )


def test_a_forecast_adds_pods_says_why_and_never_takes_one_below_knatives_own_answer(
    cluster: Objects, start_seat: StartSeat, world: World, tmp_path: Path
) -> None:
    """Of two with one forecast and one load, that in shadow does as Knative alone would."""
    space, bundle = cluster.namespace, tmp_path / "forecasts.npz"
    save_bundle(a_bundle([f"{space}/ahead", f"{space}/shadow"], FORECAST), bundle)
    ahead, shadow = "ahead-00001", "shadow-00001"
    said = {"kn-ahead.dev/mode": "outward"}
    cluster.revision(ahead, concurrency=10, annotations=said)
    cluster.revision(shadow, concurrency=10)
    seat, versions = start_seat(f"--bundle={bundle}"), Versions(world, space)

    wait_until(lambda: cluster.replicas(ahead) == 3, 30, "the forecast's three pods")
    (decision,) = seat.get(f"/v1/decisions/{space}/ahead")["revisions"]
    why = decision["sentence"]
    assert decision["reason"] == "FORECAST"
    assert "the forecast finds 3 pods worth having" in why
    wait_until(lambda: any(why in event for event in told(cluster, ahead)), 30, "an event")
    assert 'reason="FORECAST"' in seat.metrics()
    wait_until(lambda: cluster.replicas(shadow) == 0, 30, "zero")
    assert max(versions.pods(shadow)) == 1
    (silent,) = seat.get(f"/v1/decisions/{space}/shadow")["revisions"]
    assert "the forecast would have 3 pods" in silent["sentence"]
    assert cluster.replicas(ahead) == 3

    cluster.annotate(shadow, min_scale="1")
    wait_until(lambda: cluster.replicas(shadow) == 1, 30, "one pod")
    # From here on queue-proxies report so much that Knative alone wants more than is forecast.
    for name, pods in ((ahead, 3), (shadow, 1)):
        world.loads[f"{space}/{name}"].in_flight = 60.0 / pods
    wait_until(lambda: cluster.replicas(ahead) >= 9, 30, "as many as Knative alone")
    wait_until(lambda: cluster.replicas(shadow) >= 9, 30, "as many as Knative alone")
    versions.stop()


def told(cluster: Objects, name: str) -> list[str]:
    """The messages of a revision's Events."""
    found = cluster.core.list_namespaced_event(
        cluster.namespace, field_selector=f"involvedObject.name={name}"
    )
    return [event.message for event in found.items]
