"""File descriptors: whether the process may have as many as all limits together take.

Without a free descriptor no activator can connect, no token is read and no lease is renewed. So the
limits are added up at the start. Where the system allows fewer, pods are scraped over fewer
connections.
"""

import resource
from dataclasses import dataclass

from autoscaler.limits import (
    API_CONNECTIONS,
    OTHER_DESCRIPTORS,
    PROBE_CONNECTIONS,
    SCRAPE_CONNECTIONS,
    SOCKET_CONNECTIONS,
    UNIDENTIFIED_CONNECTIONS,
)
from autoscaler.logs import get_logger

POOLS = 2  # of connections to queue-proxies: persistent ones, and new ones for each request
FEWEST = 8  # connections of each pool; fewer would scrape too little to decide on
_NEEDED = int(
    sum(
        limit.most
        for limit in (
            SOCKET_CONNECTIONS,
            UNIDENTIFIED_CONNECTIONS,
            API_CONNECTIONS,
            PROBE_CONNECTIONS,
            OTHER_DESCRIPTORS,
        )
    )
)
WANTED = _NEEDED + POOLS * int(SCRAPE_CONNECTIONS.most)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """The soft limit to set, and what it allows."""

    soft: int  # limit to set
    scrapes: int  # connections of each pool
    missing: int  # descriptors that all limits together take beyond it


def plan(soft: int, hard: int) -> Descriptors:
    """Fit our limits into the system's; a negative limit means unlimited."""
    highest = WANTED if hard < 0 else hard
    wanted = soft if soft < 0 else max(soft, min(WANTED, highest))
    missing = 0 if wanted < 0 else max(0, WANTED - wanted)
    fewer = int(SCRAPE_CONNECTIONS.most) - -(-missing // POOLS)
    return Descriptors(soft=wanted, scrapes=max(fewer, FEWEST), missing=missing)


def make_room() -> int:
    """Raise the soft limit as far as needed; returns how many connections a pool may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    planned = plan(soft, hard)
    if planned.soft != soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (planned.soft, hard))
        except (OSError, ValueError) as error:
            log.warning("limit of file descriptors not raised", soft=soft, error=str(error))
            planned = plan(soft, soft)
    if planned.missing:
        log.warning(
            "too few file descriptors",
            allowed=planned.soft,
            most_needed=WANTED,
            connections_to_pods=planned.scrapes,
            of=int(SCRAPE_CONNECTIONS.most),
            missing=planned.missing,
            limit="RLIMIT_NOFILE",
        )
    return planned.scrapes
