"""A learner's place taken by forecasts that are wrong on purpose: far too much, then nothing.

The autoscaler fetches them where `learner.yaml` would serve its own; this process answers instead,
so its address has to be reachable from the cluster's pods.
"""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from kubernetes import client

from autoscaler.bundle.file import save_bundle
from autoscaler.core.prediction.forecasts import ForecastBundle
from benchmarks.live.learning import SYSTEM
from tests.cluster.conftest import DOMAIN, Cluster

NAME = "kn-ahead-learner"
EVERY_S = 6.0  # from one forecast to the next
WINDOWS_S = (0.0, 4.0, 10.0, 30.0, 120.0)
DEMAND = (0.0, 1.0, 3.0, 6.0, 6.0)  # requests in flight


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *said: Any) -> None:
        """Say nothing."""


@contextmanager
def adversary(
    cluster: Cluster, services: Sequence[str], folder: Path, *, seed: int
) -> Iterator[None]:
    """Forecast anything of services, "namespace/service", as long as this is open."""
    handler = partial(_Silent, directory=str(folder))
    over = threading.Event()
    _forecast(services, folder, np.random.default_rng(seed))
    with ThreadingHTTPServer(("", 0), handler) as server:
        made = partial(_forecast_on, services, folder, np.random.default_rng(seed), over)
        threads = [threading.Thread(target=each) for each in (server.serve_forever, made)]
        for thread in threads:
            thread.start()
        _route(cluster, server.server_port)
        try:
            yield
        finally:
            over.set()
            server.shutdown()
            for thread in threads:
                thread.join()
            cluster.core.delete_namespaced_service(NAME, SYSTEM)


def _forecast_on(
    services: Sequence[str], folder: Path, rng: np.random.Generator, over: threading.Event
) -> None:
    while not over.wait(EVERY_S):
        _forecast(services, folder, rng)


def _forecast(services: Sequence[str], folder: Path, rng: np.random.Generator) -> None:
    """Publish curves that are sure of nothing, of a few requests, or of many, window by window."""
    n, windows, cells = len(services), len(WINDOWS_S) - 1, len(DEMAND) - 1
    sure_of = rng.choice(cells + 1, (n, windows), p=[0.35, 0.15, 0.1, 0.1, 0.3])
    exceedance = (np.arange(cells) < sure_of[:, :, None]).astype(np.float64)
    now = time.time()  # noqa: TID251
    bundle = ForecastBundle(
        services=tuple(services),
        made_at_s=now,
        fitted_at_s=now,
        window_edges_s=np.array(WINDOWS_S),
        demand_edges=np.tile(np.array(DEMAND), (n, 1)),
        exceedance=exceedance,
        model=("adversary",) * n,
        reason=("",) * n,
    )
    save_bundle(bundle, folder / "forecasts.npz")


def _route(cluster: Cluster, port: int) -> None:
    """Have the learner's Service lead here."""
    host = f"autoscaler.{SYSTEM}.svc.{DOMAIN}"
    with socket.create_connection((host, 9090), timeout=10) as reached:
        address = reached.getsockname()[0]
    ports = [{"name": "http", "port": 80, "targetPort": port}]
    cluster.core.create_namespaced_service(
        SYSTEM, {"metadata": {"name": NAME}, "spec": {"ports": ports}}
    )
    service = cluster.core.read_namespaced_service(NAME, SYSTEM)
    owner = {"apiVersion": "v1", "kind": "Service", "name": NAME, "uid": service.metadata.uid}
    slice_of: Any = {
        "metadata": {
            "name": NAME,
            "labels": {"kubernetes.io/service-name": NAME},
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }
    client.DiscoveryV1Api().create_namespaced_endpoint_slice(SYSTEM, slice_of)
