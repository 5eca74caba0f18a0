"""How many connections there may be.

Known addresses have a capacity of their own, from accept on. Unknown ones share a small one until
they are answered, which takes a probe milliseconds; if it is used up, the oldest connection of the
address with the most of them is evicted, so that kubelets get through beside any number of silent
connections. Where strangers may report, their WebSockets have the same capacity as known ones.
"""

from collections import Counter
from collections.abc import Iterable

from autoscaler.limits import PEER_CONNECTIONS, SOCKET_CONNECTIONS, STRANGER_CONNECTIONS, Limit
from knative.statistics.port.connection import Connection


def exceeded_limit(connections: Iterable[Connection], address: str, *, known: bool) -> Limit | None:
    """The limit that one more connection would exceed; None = it may come.

    Of an unknown address, one more WebSocket is meant.
    """
    same_kind = [c for c in connections if c.known is known and (known or c.open)]
    if len(same_kind) >= SOCKET_CONNECTIONS.most:
        return SOCKET_CONNECTIONS
    if sum(c.address == address for c in same_kind) >= PEER_CONNECTIONS.most:
        return PEER_CONNECTIONS
    return None


def stranger_to_evict(connections: Iterable[Connection]) -> Connection | None:
    """The connection that has to go before one more unknown address is accepted, if any."""
    strangers = [c for c in connections if not c.known and not c.open]
    if len(strangers) < STRANGER_CONNECTIONS.most:
        return None
    ((address, _),) = Counter(c.address for c in strangers).most_common(1)
    return min((c for c in strangers if c.address == address), key=lambda c: c.accepted_s)
