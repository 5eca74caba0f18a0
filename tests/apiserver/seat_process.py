"""`kn-ahead autoscale` as it is, where the Services of a cluster resolve: each to one router."""

import os
import socket
import sys
from typing import Any

from autoscaler.cli import main
from knative import api

RESOLVED = socket.getaddrinfo


def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    """A Service's name leads to the router; every other name to where it always did."""
    parts = str(host).split(".")
    if str(host).endswith(".svc.cluster.local") or (
        len(parts) == 2 and parts[0].endswith("-private")
    ):
        host, port = "127.0.0.1", int(os.environ["ROUTER_PORT"])
    return RESOLVED(host, port, *args, **kwargs)


if __name__ == "__main__":
    socket.getaddrinfo = resolve
    api.WATCH_S = int(os.environ.get("WATCH_S", api.WATCH_S))
    sys.argv[0] = "kn-ahead"
    main()
