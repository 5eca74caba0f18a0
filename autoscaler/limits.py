"""Every limit on what may come in, in one table: how much of what, and why so much.

A limit is checked before the work that it bounds is done. Whoever checks one counts it when it
bites (`Refusals`), and the count is exported as ``kn_ahead_refused_total{limit="..."}``, so that an
operator sees which limit bites, and a log line names the peer or object once a minute.

A new input gets its limits here first.
"""

import logging
from collections import Counter
from dataclasses import dataclass

log = logging.getLogger(__name__)

MIB = 2**20
SAID_AGAIN_S = 60.0  # s between two log lines about the same limit


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit."""

    name: str  # the label of its metric
    most: float  # in `unit`; for times, s
    unit: str
    why: str  # why so much, and what happens to what is more


# --- the socket that activators dial (controller) ------------------------------------------------

FRAME_BYTES = Limit(
    "frame_bytes", 2 * MIB, "bytes a frame", "20,000 revisions in one second; the connection closes"
)
FRAME_MESSAGES = Limit(
    "frame_messages", 20_000, "messages a frame", "as FRAME_BYTES; the frame is dropped unread"
)
NAME_BYTES = Limit(
    "name_bytes", 253, "bytes a name", "what Kubernetes allows; the message is dropped"
)
SOCKET_CONNECTIONS = Limit(
    "socket_connections", 128, "connections", "twenty activators dial once each, with room to spare"
)
PEER_CONNECTIONS = Limit(
    "peer_connections", 64, "connections an address", "a masquerading node hides all activators"
)
STRANGER_CONNECTIONS = Limit(
    "stranger_connections",
    32,
    "connections of unknown addresses",
    "kubelets probe once in seconds; apart from SOCKET_CONNECTIONS, so they take nobody's place",
)
HANDSHAKE_S = Limit("handshake_s", 5.0, "s", "until a request or an upgrade is whole")
MESSAGE_S = Limit("message_s", 5.0, "s", "until a message that has begun is whole")
SILENCE_S = Limit("silence_s", 30.0, "s", "without a byte: activators ping every 3.3 s")
UNFINISHED_BYTES = Limit(
    "unfinished_bytes",
    16 * MIB,
    "bytes of all messages that have begun",
    "the connection with the longest is closed",
)
WAITING_BYTES = Limit(
    "waiting_bytes",
    16 * MIB,
    "bytes of all frames that wait to be decoded",
    "sockets of those who send most are not read until it is less",
)
FRAMES_TURN_S = Limit(
    "frames_turn_s", 0.005, "s", "of decoding before the loop turns to others: probes, ticks, pokes"
)


class Refusals:
    """Counts how often each limit has bitten; one a process."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()  # by the limit's name
        self._said_s: dict[str, float] = {}

    def count(self, limit: Limit, who: str, now: float, n: int = 1) -> None:
        """Count ``n`` refusals; a log line names ``who`` where none did for a minute.

        who: a peer or an object, for people. now: s of any clock that does not go back.
        """
        self.counts[limit.name] += n
        said_s = self._said_s.get(limit.name)
        if said_s is None or now - said_s >= SAID_AGAIN_S:
            self._said_s[limit.name] = now
            log.warning(
                "%s: more than %g %s, refused (%d so far; %s)",
                who,
                limit.most,
                limit.unit,
                self.counts[limit.name],
                limit.why,
            )
