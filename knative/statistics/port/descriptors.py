"""File descriptors: whether the process may have as many as all limits together take.

A socket is a descriptor; without a free one no activator gets in, no token is read and no lease is
renewed. So what we may open is added up at the start. Where the system allows less, pods are asked
over fewer connections, for nothing else can wait.
"""

import logging
import resource
from dataclasses import dataclass

from autoscaler.limits import (
    API_CONNECTIONS,
    OTHER_DESCRIPTORS,
    PROBE_CONNECTIONS,
    SCRAPE_CONNECTIONS,
    SOCKET_CONNECTIONS,
    STRANGER_CONNECTIONS,
)

POOLS = 2  # of connections to queue-proxies: kept, and made anew each time
FEWEST = 8  # connections of each pool: below, too little would be asked to decide on
_NEEDED = int(
    sum(
        limit.most
        for limit in (
            SOCKET_CONNECTIONS,
            STRANGER_CONNECTIONS,
            API_CONNECTIONS,
            PROBE_CONNECTIONS,
            OTHER_DESCRIPTORS,
        )
    )
)
WANTED = _NEEDED + POOLS * int(SCRAPE_CONNECTIONS.most)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """What to ask of the system, and what then can be had."""

    soft: int  # limit to set
    scrapes: int  # connections of each pool
    missing: int  # descriptors that all limits together take beyond what can be had


def plan(soft: int, hard: int) -> Descriptors:
    """Fit our limits into the system's; a negative limit is none."""
    highest = WANTED if hard < 0 else hard
    wanted = soft if soft < 0 else max(soft, min(WANTED, highest))
    missing = 0 if wanted < 0 else max(0, WANTED - wanted)
    fewer = int(SCRAPE_CONNECTIONS.most) - -(-missing // POOLS)
    return Descriptors(soft=wanted, scrapes=max(fewer, FEWEST), missing=missing)


def make_room() -> int:
    """Raise our own limit as far as it takes; returns how many connections a pool may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    planned = plan(soft, hard)
    if planned.soft != soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (planned.soft, hard))
        except (OSError, ValueError) as error:
            log.warning("the limit of file descriptors stays at %d: %s", soft, error)
            planned = plan(soft, soft)
    if planned.missing:
        log.warning(
            "%d file descriptors are allowed and %d may be needed: pods are asked over %d "
            "connections instead of %d, and %d descriptors may be missing even so; "
            "allowed: %d (RLIMIT_NOFILE)",
            planned.soft,
            WANTED,
            planned.scrapes,
            int(SCRAPE_CONNECTIONS.most),
            max(0, _NEEDED + POOLS * planned.scrapes - planned.soft),
            WANTED,
        )
    return planned.scrapes
