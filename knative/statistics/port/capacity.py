"""Limits of the number of connections.

Known addresses have a capacity of their own from accept on. Unknown ones share a small one until
they are answered, which for a probe takes milliseconds; when it is used up, the oldest connection
of the addresses with the most of them is evicted, so that kubelets are answered beside any number
of idle connections. WebSockets of unknown addresses, where they may report, have the same capacity
as known ones.
"""

from collections import Counter
from collections.abc import Iterable

from autoscaler.limits import PEER_CONNECTIONS, SOCKET_CONNECTIONS, UNIDENTIFIED_CONNECTIONS, Limit
from knative.statistics.port.connection import Connection


def exceeded_limit(connections: Iterable[Connection], address: str, *, known: bool) -> Limit | None:
    """The limit that one more connection would exceed; None = there is room.

    For an unknown address: one more WebSocket.
    """
    same_kind = [c for c in connections if c.known is known and (known or c.open)]
    if len(same_kind) >= SOCKET_CONNECTIONS.most:
        return SOCKET_CONNECTIONS
    if sum(c.address == address for c in same_kind) >= PEER_CONNECTIONS.most:
        return PEER_CONNECTIONS
    return None


def unidentified_to_evict(connections: Iterable[Connection]) -> Connection | None:
    """The connection to close before one more unknown address is accepted; None = there is room."""
    unidentified = [c for c in connections if not c.known and not c.open]
    if len(unidentified) < UNIDENTIFIED_CONNECTIONS.most:
        return None
    of_address = Counter(c.address for c in unidentified)
    return min(unidentified, key=lambda c: (-of_address[c.address], c.accepted_s))
