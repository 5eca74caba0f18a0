"""Where the Services of a cluster resolve: the name of each leads to one router.

Python runs this as the first thing of every process that has this folder on its path; so the
program under test is started as it is, and only its names are resolved by us.
"""

import os
import socket
from typing import Any

RESOLVED = socket.getaddrinfo


def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    """A Service's name leads to the router; every other name to where it always did."""
    parts = str(host).split(".")
    if str(host).endswith(".svc.cluster.local") or (
        len(parts) == 2 and parts[0].endswith("-private")
    ):
        host, port = "127.0.0.1", int(os.environ["ROUTER_PORT"])
    return RESOLVED(host, port, *args, **kwargs)


if "ROUTER_PORT" in os.environ:
    socket.getaddrinfo = resolve
