"""One cache a kind: list, then watch, for as long as we run; only the fields that are wanted.

Any error (connection lost, 410 because we were away too long, a refusal) ends in a new list after a
back-off with jitter, and not before the server wants us back; what disappeared meanwhile is then
seen to be gone. Nothing here ever stops the loop: a cache that cannot be refreshed keeps what it
has, and says so.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from autoscaler.errors import AutoscalerError
from knative.api import GONE, Api, ApiError, Object

T = TypeVar("T")
PAGE = 500  # objects a page of a list
SHORTEST_S, LONGEST_S = 0.2, 15.0  # s of back-off

log = logging.getLogger(__name__)


class Cache(Generic[T]):
    """Objects of one kind by "namespace/name", kept current."""

    def __init__(
        self,
        path: str,
        parse: Callable[[Object], T],
        changed: Callable[[str, T | None], None],
        *,
        labels: str = "",
    ) -> None:
        """parse: object -> what is kept. changed: hears of every change, None = gone."""
        self._path = path
        self.kind = path.rpartition("/")[2]
        self._parse = parse
        self._changed = changed
        self.ailing: Callable[[str], None] = self._log  # hears of every change of `broken`
        self._query = {"labelSelector": labels} if labels else {}
        self._held: dict[str, T] = {}
        self.synced = asyncio.Event()  # listed once
        self._untold = ""  # a key that could not be taken in
        self.broken = ""  # why it is not current; "" = it is

    def get(self, key: str) -> T | None:
        """What is kept of an object; None = there is none."""
        return self._held.get(key)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self._held.items())

    def __len__(self) -> int:
        return len(self._held)

    async def follow(self, api: Api) -> None:
        """List and watch until cancelled."""
        wait_s = SHORTEST_S
        while True:
            try:
                version = await self._list(api)
                self.synced.set()
                self._check_told()
                self._is("")
                wait_s = SHORTEST_S
                while True:
                    version = await self._watch(api, version)
                    await asyncio.sleep(SHORTEST_S)
            except (AutoscalerError, KeyError, TypeError, AttributeError) as error:
                if isinstance(error, ApiError) and error.status == GONE:
                    await asyncio.sleep(SHORTEST_S)
                    continue
                # All but our own: an answer of a shape that no API server gives.
                said = (
                    str(error) if isinstance(error, AutoscalerError) else f"bad answer: {error!r}"
                )
                self._is(said)
                asked_s = error.retry_after_s if isinstance(error, ApiError) else 0.0
                own_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311
                await asyncio.sleep(max(own_s, asked_s))
                wait_s = min(2 * wait_s, LONGEST_S)

    def _is(self, broken: str) -> None:
        if broken != self.broken:
            self.broken = broken
            self.ailing(broken)

    def _log(self, broken: str) -> None:
        log.warning("%s: %s", self._path, f"{broken}; trying again" if broken else "well again")

    async def _list(self, api: Api) -> str:
        seen, more, version = set(), "", ""
        while True:
            query = {**self._query, "limit": str(PAGE)} | ({"continue": more} if more else {})
            page = await api.get(self._path, query)
            for item in page.get("items") or []:
                seen.add(self._put(item))
            version = page["metadata"]["resourceVersion"]
            more = page["metadata"].get("continue", "")
            if not more:
                break
        for key in self._held.keys() - seen:
            self._drop(key)
        return str(version)

    async def _watch(self, api: Api, version: str) -> str:
        async for event in api.watch(self._path, {**self._query, "resourceVersion": version}):
            item = event["object"]
            if event["type"] == "ERROR":
                raise ApiError(f"watch of {self._path}: {item.get('message')}", status=item["code"])
            version = item["metadata"]["resourceVersion"]
            if event["type"] == "DELETED":
                self._drop(_key(item))
            elif event["type"] != "BOOKMARK":
                self._put(item)
            self._check_told()
        return version

    def _put(self, item: Object) -> str:
        key = _key(item)
        try:
            kept = self._parse(item)
        except (KeyError, TypeError, ValueError) as error:
            log.error("%s in %s is not understood and left out: %r", key, self._path, error)
            return key
        if self._held.get(key) != kept:
            try:
                self._changed(key, kept)
            except Exception:
                # Not held, so that the next list tells it again; the others go on.
                log.exception("%s in %s could not be taken in", key, self._path)
                self._untold = key
            else:
                self._held[key] = kept
        return key

    def _check_told(self) -> None:
        """Raise where something could not be taken in: it is listed again after a while."""
        key, self._untold = self._untold, ""
        if key:
            raise ApiError(f"{key} could not be taken in", status=0)

    def _drop(self, key: str) -> None:
        if key not in self._held:
            return
        try:
            self._changed(key, None)
        except Exception:
            # Still held, so that the next list tells once more that it is gone.
            log.exception("that %s in %s is gone could not be taken in", key, self._path)
            self._untold = key
        else:
            del self._held[key]

    def put_own(self, item: Object) -> None:
        """Take in the answer to a write of ours, which is newer than what was watched."""
        self._put(item)


def _key(item: Object) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
