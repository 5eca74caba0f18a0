"""The HTTP side of the statistics port: requests, and answers to those that are no upgrade.

Source: knative/serving pkg/autoscaler/statserver.
"""

from collections.abc import Callable
from http import HTTPStatus

from websockets.http11 import Request
from websockets.server import ServerProtocol

from autoscaler.limits import HEADER_BYTES, REQUEST_BODY, Limit

BUCKET_HOST = "autoscaler-bucket"  # prefix of the Host when a bucket's leader is meant
_END = b"\r\n\r\n"  # of a request

Answer = tuple[HTTPStatus, str]  # and the body


class BadRequestError(Exception):
    """A request that is not accepted; `limit` is what it exceeds, None = it is not HTTP."""

    def __init__(self, status: HTTPStatus, limit: Limit | None = None) -> None:
        super().__init__(status)
        self.status, self.limit = status, limit


def read_request(protocol: ServerProtocol, received: bytearray) -> Request | None:
    """The request in all that was received; None = not yet complete. Raises BadRequestError."""
    end = received.find(_END) + len(_END)
    if len(received) > HEADER_BYTES.most:
        raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HEADER_BYTES)
    if end < len(_END):
        return None
    if end < len(received):
        raise BadRequestError(HTTPStatus.BAD_REQUEST, REQUEST_BODY)
    protocol.receive_data(received)
    for event in protocol.events_received():
        if isinstance(event, Request):
            return event
    raise BadRequestError(HTTPStatus.BAD_REQUEST)


def http_answer(request: Request, leads: Callable[[], bool]) -> Answer | None:
    """The answer to a request that is not an activator's; None = it may be one.

    leads: whether this replica leads, which a request for a bucket's leader needs.
    """
    if request.method != "GET":
        return HTTPStatus.METHOD_NOT_ALLOWED, "only GET\n"
    if _is_probe(request):
        return HTTPStatus.OK, ""
    if _is_for_leader(request) and not leads():
        return HTTPStatus.SERVICE_UNAVAILABLE, "another replica leads\n"
    return None


def _is_probe(request: Request) -> bool:
    agents = request.headers.get_all("User-Agent")
    return "K-Kubelet-Probe" in request.headers or any(
        agent.startswith("kube-probe/") for agent in agents
    )


def _is_for_leader(request: Request) -> bool:
    return any(host.startswith(BUCKET_HOST) for host in request.headers.get_all("Host"))
