"""The Kubernetes API, as little of it as we need: get, write, list and watch plain objects.

The official client gives configuration, credentials, TLS and the connection pool; objects stay
plain dictionaries, because a cache keeps only the few fields that it wants of each.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from autoscaler.errors import AutoscalerError, PermanentError, TransientError

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
WATCH_S = 300  # s after which the server ends a watch, and we begin it anew
QUIET_S = 30  # s that an answer may take
LONGEST_ASKED_S = 60.0  # s that we wait at most where the server asks us to come back later

CONFLICT, NOT_FOUND, GONE, TOO_MANY = 409, 404, 410, 429


class ApiError(TransientError):
    """The API server refused or failed; ``status`` is HTTP's, 0 = it was not reached.

    ``retry_after_s`` is what the server asked for, up to a minute; 0 = it did not ask.
    """

    def __init__(self, message: str, *, status: int, retry_after_s: float = 0.0) -> None:
        super().__init__(message, retry_after_s=min(retry_after_s, LONGEST_ASKED_S))
        self.status = status


class Api:
    """A connection to the API server."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    @classmethod
    async def connect(cls) -> "Api":
        """By KUBECONFIG, or by the ServiceAccount of the pod we run in."""
        try:
            try:
                load_incluster_config()  # type: ignore[no-untyped-call]
            except ConfigException:
                await load_kube_config()  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            raise PermanentError(
                f"no cluster: {error}; allowed: KUBECONFIG, or a pod with a ServiceAccount"
            ) from error
        return cls(ApiClient())

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        """Read one object, or a list."""
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

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Object]:
        """Events from ``query["resourceVersion"]`` on; ends when the server ends it."""
        asked = {
            **query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_S),
        }
        response = await self._send("GET", path, query=asked, timeout=WATCH_S + QUIET_S)
        try:
            while line := await response.content.readline():
                yield json.loads(line)
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise ApiError(f"watch of {path} broke: {error!r}", status=0) from error
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
            answer = await response.json(content_type=None)
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise ApiError(f"{method} {path}: half an answer: {error!r}", status=0) from error
        return answer if isinstance(answer, dict) else {}

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float = QUIET_S,
    ) -> aiohttp.ClientResponse:
        request = await self._client.param_serialize(
            method,
            path,
            header_params={"Accept": "application/json", "Content-Type": content_type},
            query_params=list((query or {}).items()),
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = await self._client.call_api(*request, _request_timeout=timeout)
        except ApiException as error:
            raise ApiError(f"{method} {path}: {error.reason}", status=error.status or 0) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ApiError(f"{method} {path}: {error!r}", status=0) from error
        response: aiohttp.ClientResponse = answer.response
        if response.status >= 400:
            raise await _refused(method, path, response)
        return response


async def _refused(method: str, path: str, response: aiohttp.ClientResponse) -> AutoscalerError:
    try:
        said = (await response.json(content_type=None)).get("message", "")
    except (TimeoutError, aiohttp.ClientError, ValueError, AttributeError):
        said = ""
    after = response.headers.get("Retry-After", "")
    return ApiError(
        f"{method} {path}: {response.status} {said}",
        status=response.status,
        retry_after_s=float(after) if after.isdecimal() else 0.0,
    )
