"""State that all connections to the statistics port share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from autoscaler.refusals import Refusals
from knative.statistics.port.scheduler import FairScheduler

CHUNK_BYTES = 32 * 1024  # that are read from a socket at once; less than two of them wait


@dataclass(slots=True)
class HeldBytes:
    """Bytes in memory, of one connection or of all."""

    unfinished: int = 0  # of messages received in part
    waiting: int = 0  # of frames that wait to be processed


@dataclass(slots=True)
class ReceivedCounts:
    """Counted since the start."""

    frames: int = 0  # whole binary messages
    bytes: int = 0  # of these
    refused: int = 0  # messages that were too long


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedState:
    """One for each server."""

    now: Callable[[], float]  # s
    scheduler: FairScheduler
    refusals: Refusals
    held: HeldBytes = field(default_factory=HeldBytes)
    received: ReceivedCounts = field(default_factory=ReceivedCounts)
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(CHUNK_BYTES)))
