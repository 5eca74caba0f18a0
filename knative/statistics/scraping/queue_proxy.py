"""One request to a queue-proxy, and its answer.

An answer that is no Stat, too large, or has an impossible number, is refused.
Source: knative/serving pkg/autoscaler/metrics/http_scrape_client.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from google.protobuf.message import DecodeError

from autoscaler.core.state.fleet import LARGEST_SAMPLE
from knative.statistics.wire import Stat

PORT = 9090
LARGEST = 4096  # bytes of an answer that is read; a Stat has some sixty
PROTOBUF = "application/protobuf"
MESH_STATUS = (502, 503)  # of a service mesh's proxy in front of a pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one pod reports, without what the activator reports itself."""

    concurrency: float  # requests in flight
    requests: float  # a second
    pod: str  # its name
    uptime_s: float  # of its process


class RefusedError(Exception):
    """There is no usable answer; ``mesh``: it may be the answer of a mesh's proxy."""

    def __init__(self, *, mesh: bool = False) -> None:
        super().__init__()
        self.mesh = mesh


async def ask(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """Get a Stat. Raises RefusedError."""
    try:
        async with session.get(url, headers={"Accept": PROTOBUF, **(headers or {})}) as answer:
            if answer.status // 100 != 2:
                raise RefusedError(mesh=answer.status in MESH_STATUS)
            if PROTOBUF not in answer.headers.get("Content-Type", ""):
                raise RefusedError
            body = b""
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > LARGEST:
                    raise RefusedError
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        raise RefusedError from error
    return _decode(body)


def _decode(body: bytes) -> Answer:
    try:
        stat = Stat.FromString(body)
    except DecodeError as error:
        raise RefusedError from error
    in_flight, proxied = stat.average_concurrent_requests, stat.average_proxied_concurrent_requests
    numbers = (in_flight, proxied, stat.request_count, stat.proxied_request_count)
    if not all(0 <= number <= LARGEST_SAMPLE for number in numbers):  # NaN compares False
        raise RefusedError
    return Answer(
        concurrency=in_flight - proxied,
        requests=stat.request_count - stat.proxied_request_count,
        pod=stat.pod_name,
        uptime_s=stat.process_uptime,
    )
