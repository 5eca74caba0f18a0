"""A client of the Kubernetes API: get, write, list and watch objects as plain dictionaries.

The official client has configuration, credentials and TLS; objects stay dictionaries, as caches
store only a few fields of each. Every failure of a request is an ApiError; answers are read within
limits.
"""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from autoscaler.errors import PermanentError, TransientError
from autoscaler.limits import ANSWER_S, API_CONNECTIONS, LIST_BYTES, OBJECT_BYTES
from knative.client.answers import (
    EVENT_LEVELS,
    LIST_LEVELS,
    AnswerTooLargeError,
    Page,
    decode,
    lines,
    read,
    read_or_outline,
)

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
WATCH_S = 300  # s after which the server ends a watch, and we start a new one
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 15, 5, 3  # detect a lost peer in 30 s
LONGEST_RETRY_AFTER_S = 60.0  # of a server's Retry-After that is respected
READ_BYTES = 2**16  # buffer of a connection
REFUSAL_BYTES = 2**16  # of a refusal that are read
MESSAGE_LENGTH = 300  # characters of a refusal's message in an error

CONFLICT, NOT_FOUND, GONE = 409, 404, 410


class ApiError(TransientError):
    """The API server refused or failed; ``status`` is HTTP's, 0 = there was no answer.

    ``retry_after_s`` is the server's Retry-After, up to a minute; 0 = there was none.
    """

    def __init__(self, message: str, *, status: int, retry_after_s: float = 0.0) -> None:
        super().__init__(message, retry_after_s=min(retry_after_s, LONGEST_RETRY_AFTER_S))
        self.status = status


def _proxy_for(server: str) -> str | None:
    """The proxy that the environment names for a URL, as HTTPS_PROXY and NO_PROXY; None = none."""
    url = urlsplit(server)
    return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)


class TooLargeAnswerError(ApiError):
    """An answer is larger than a limit allows."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watch."""

    kind: str  # ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
    object: Object
    whole: bool = True  # False = it was too large; only its metadata were read


class Api:
    """A connection to the API server."""

    def __init__(self, configuration: Configuration, *, answer_s: float = ANSWER_S.most) -> None:
        """answer_s: until an answer is whole."""
        self._answer_s = answer_s
        configuration.connection_pool_maxsize = int(API_CONNECTIONS.most)
        configuration.proxy = configuration.proxy or _proxy_for(configuration.host)
        configuration.client_session_kwargs = {
            "read_bufsize": READ_BYTES,
            # Compressed answers could have any size; the server is near, so none are requested.
            "auto_decompress": False,
            # Else every request waits for two threads, which look up a proxy and read ~/.netrc.
            "trust_env": False,
        }
        self._client = ApiClient(configuration)

    @classmethod
    async def connect(cls) -> "Api":
        """Connect by KUBECONFIG, or by the ServiceAccount of our pod."""
        try:
            try:
                load_incluster_config()  # type: ignore[no-untyped-call]
            except ConfigException:
                await load_kube_config()  # type: ignore[no-untyped-call]
            return cls(Configuration.get_default_copy())
        except Exception as error:  # a kubeconfig can be wrong in any way
            raise PermanentError(
                f"no cluster: {error}; allowed: KUBECONFIG, or a pod with a ServiceAccount"
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        """Read one object."""
        return await self._call("GET", path, query=query)

    async def create(self, path: str, body: Object) -> Object:
        """Create an object in a collection."""
        return await self._call("POST", path, body=body)

    async def replace(self, path: str, body: Object) -> Object:
        """Replace an object."""
        return await self._call("PUT", path, body=body)

    async def patch(self, path: str, body: Any, kind: str = MERGE_PATCH) -> Object:
        """Patch an object."""
        return await self._call("PATCH", path, body=body, content_type=kind)

    async def delete(self, path: str) -> Object:
        """Delete an object; what belongs to it follows."""
        return await self._call("DELETE", path)

    async def page(self, path: str, query: Mapping[str, str], limit: int) -> Page:
        """One page of a list, of up to so many objects.

        Raises TooLargeAnswerError if fewer have to be requested. A page of one object is never too
        large: if it does not fit, the page has its metadata only, and is not `whole`.
        """
        response = await self._send("GET", path, query={**query, "limit": str(limit)})
        try:
            most = int(LIST_BYTES.most)
            text = await read_or_outline(response.content.iter_any(), most, LIST_LEVELS)
            if limit > 1 and not text.whole:
                raise AnswerTooLargeError(f"more than {most} bytes")
            return Page(text)
        except Exception as error:
            raise _read_error(f"GET {path}", error) from error
        finally:
            response.close()

    @asynccontextmanager
    async def watch(
        self, path: str, query: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Events from ``query["resourceVersion"]`` on, until the server ends it."""
        asked = {
            **query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_S),
        }
        response = await self._send("GET", path, query=asked, within_s=WATCH_S + self._answer_s)
        try:
            _keep_alive(response)
            yield _events(response, path)
        finally:
            response.close()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        response = await self._send(method, path, body=body, query=query, content_type=content_type)
        try:
            text = await read(response.content.iter_any(), int(LIST_BYTES.most))
            answer = decode(text) if text else {}
        except Exception as error:
            raise _read_error(f"{method} {path}", error) from error
        finally:
            response.close()
        return answer if isinstance(answer, dict) else {}

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        within_s: float | None = None,
    ) -> aiohttp.ClientResponse:
        try:
            # This reads the token from its file again, which can fail as well.
            request = await self._client.param_serialize(
                method,
                path,
                header_params={
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    "Content-Type": content_type,
                },
                query_params=list((query or {}).items()),
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(
                *request, _request_timeout=within_s or self._answer_s
            )
        except Exception as error:
            raise ApiError(f"{method} {path}: {error!r}", status=0) from error
        response: aiohttp.ClientResponse = answer.response
        if response.status < 400 and "Content-Encoding" not in response.headers:
            return response
        try:
            raise await _refused(f"{method} {path}", response)
        finally:
            response.close()


def _keep_alive(response: aiohttp.ClientResponse) -> None:
    """Detect a lost server by TCP keep-alive: a watch may have no event for minutes."""
    transport = response.connection and response.connection.transport
    made = transport.get_extra_info("socket") if transport else None
    if made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)


async def _events(response: aiohttp.ClientResponse, path: str) -> AsyncIterator[Event]:
    try:
        async for line in lines(response.content.iter_any(), int(OBJECT_BYTES.most), EVENT_LEVELS):
            event = decode(line.json)
            kind, item = event["type"], event["object"]
            if not isinstance(kind, str) or not isinstance(item, dict):
                raise ValueError("a line that is no event")
            yield Event(kind, item, line.whole)
    except (KeyError, TypeError) as error:
        raise ApiError(f"watch of {path}: a line that is no event", status=0) from error
    except Exception as error:
        raise ApiError(f"watch of {path} broke: {error!r}", status=0) from error


def _read_error(what: str, error: Exception) -> ApiError:
    if isinstance(error, AnswerTooLargeError):
        return TooLargeAnswerError(f"{what}: {error}", status=0)
    return ApiError(f"{what}: half an answer: {error!r}", status=0)


async def _refused(what: str, response: aiohttp.ClientResponse) -> ApiError:
    if response.status < 400:
        return ApiError(f"{what}: the answer is packed, which nobody asked for", status=0)
    try:
        message = decode(await read(response.content.iter_any(), REFUSAL_BYTES)).get("message", "")
    except Exception:  # noqa: BLE001  # the status is enough
        message = ""
    after = response.headers.get("Retry-After", "")
    return ApiError(
        f"{what}: {response.status} {str(message)[:MESSAGE_LENGTH]}",
        status=response.status,
        retry_after_s=float(after) if after.isdecimal() else 0.0,
    )
