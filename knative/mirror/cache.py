"""A cache of the objects of one kind: list, then watch.

After any failure (connection lost, 410 Gone, a refusal, an error of our own) the objects are listed
again, after a back-off and not before the server's Retry-After; objects that were deleted meanwhile
are found missing then. Until the list succeeds the cache has its former objects, and reports why it
is not current.

An object that is too large, beyond a limit or not understood is left out; its former version stays,
and the other objects are updated.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Generic, TypeVar

from autoscaler.backoff import Backoff
from autoscaler.errors import AutoscalerError
from autoscaler.limits import LIST_OBJECTS, NAME_BYTES, OBJECT_BYTES
from autoscaler.logs import get_logger
from autoscaler.refusals import LimitError, Refuse, ignore
from knative.client.answers import Page
from knative.client.api import (
    GONE,
    MESSAGE_LENGTH,
    Api,
    ApiError,
    Event,
    Object,
    TooLargeAnswerError,
)
from knative.mirror.quota import Quota

T = TypeVar("T")
PAGE = 250  # objects a page of a list
EMPTY_PAGES = 10  # without new objects, after which a list is given up
SHORTEST_S, LONGEST_S = 0.2, 15.0  # s of back-off
TURN_S = 0.005  # s of work on a list before the loop serves others: probes, ticks, pokes

log = get_logger(__name__)


class Cache(Generic[T]):
    """Objects of one kind by "namespace/name"."""

    def __init__(
        self,
        path: str,
        parse: Callable[[Object], T | None],
        *,
        changed: Callable[[str, T | None], None],
        report: Callable[[str], None],
        refuse: Refuse = ignore,
        quota: Quota[T] | None = None,
        labels: str = "",
    ) -> None:
        """parse: from an object to what is stored; None = nothing.

        changed: called with every change, None = deleted. report: called with why the cache is not
        current, "" = it is. refuse: called for every object that a limit leaves out.
        """
        self._path = path
        self.kind = path.rpartition("/")[2]
        self._parse, self._changed = parse, changed
        self._report, self._refuse = report, refuse
        self._quota: Quota[T] = quota or Quota()
        self._query = {"labelSelector": labels} if labels else {}
        self._objects: dict[str, T] = {}
        self.synced = asyncio.Event()  # listed once
        self.fault = ""  # why it is not current; "" = it is
        self._page = PAGE  # objects to ask for
        self._not_handled = ""  # a key for which `changed` raised
        self._left_out = False  # whether a limit left out an object, which may fit later

    async def follow(self, api: Api) -> None:
        """List and watch until cancelled."""
        clock, backoff = asyncio.get_running_loop().time, Backoff(SHORTEST_S, LONGEST_S)
        version = ""  # to watch from; "" = list first
        while True:
            watching_s = None  # since when
            try:
                if not version:
                    version = await self._list(api)
                    self.synced.set()
                    self._check_handled()
                watching_s = clock()
                version = await self._watch(api, version)
                wait_s = self._ended(backoff, clock() - watching_s)
                if self._left_out:
                    version = ""
            except Exception as error:  # noqa: BLE001  # after any error it is listed again
                if watching_s is not None:
                    backoff.worked(clock() - watching_s)
                wait_s = self._failed(backoff, error, watching=watching_s is not None)
                version = ""
            await asyncio.sleep(wait_s)

    def _ended(self, backoff: Backoff, lasted_s: float) -> float:
        """The server ended a watch, as it does every few minutes: s to wait."""
        if backoff.worked(lasted_s):
            return SHORTEST_S
        if backoff.failures:
            self._report_fault(f"watches of {self._path} end at once")
        return backoff.failed()

    def _failed(self, backoff: Backoff, error: Exception, *, watching: bool) -> float:
        """Listing or watching failed: s to wait."""
        # One 410 Gone is normal after a long pause; several in a row are a fault.
        normal = watching and isinstance(error, ApiError) and error.status == GONE
        if not (normal and not backoff.failures):
            # All others are an answer of an unforeseen shape, or an error of ours.
            known = isinstance(error, AutoscalerError)
            self._report_fault(str(error) if known else f"bad answer: {error!r}")
        return backoff.failed(error.retry_after_s if isinstance(error, ApiError) else 0.0)

    def _report_fault(self, fault: str) -> None:
        if fault == self.fault:
            return
        self.fault = fault
        try:
            self._report(fault)
        except Exception:
            log.exception("fault of a cache not reported", path=self._path)

    # --- listing ------------------------------------------------------------------------------

    async def _list(self, api: Api) -> str:
        """List all objects; returns the version to watch from."""
        seen: set[str] = set()
        more, empty, self._left_out = "", 0, False
        while True:
            known = len(seen)
            page = await self._next_page(api, more)
            await self._update_all(page, seen)
            if not page.more:
                break
            empty += len(seen) == known
            if empty > EMPTY_PAGES or len(seen) > LIST_OBJECTS.most:
                raise ApiError(f"the list of {self._path} does not end", status=0)
            more = page.more
        for key in self._objects.keys() - seen:
            self._drop(key)
        return page.version

    async def _next_page(self, api: Api, more: str) -> Page:
        """The next page, with as many objects as fit into an answer."""
        query = {**self._query, **({"continue": more} if more else {})}
        while True:
            try:
                page = await api.page(self._path, query, self._page)
            except TooLargeAnswerError:
                if self._page == 1:
                    raise
                self._page //= 2
            else:
                self._page = min(2 * self._page, PAGE)
                return page

    async def _update_all(self, page: Page, seen: set[str]) -> None:
        clock = asyncio.get_running_loop().time
        turn_s = clock() + TURN_S
        for item in page.items():
            seen.add(self._update(item, whole=page.whole))
            if clock() > turn_s:
                await asyncio.sleep(0)
                turn_s = clock() + TURN_S

    # --- watching -----------------------------------------------------------------------------

    async def _watch(self, api: Api, version: str) -> str:
        """Follow changes until the server ends the watch; returns the version to continue from."""
        async with api.watch(self._path, {**self._query, "resourceVersion": version}) as events:
            self._report_fault("")
            async for event in events:
                version = self._handle(event)
                self._check_handled()
        return version

    def _handle(self, event: Event) -> str:
        """Handle one event; returns its version."""
        item = event.object
        if event.kind == "ERROR":
            code = item.get("code")
            status = code if isinstance(code, int) else 0
            message = str(item.get("message"))[:MESSAGE_LENGTH]
            raise ApiError(f"watch of {self._path}: {message}", status=status)
        version = str(item["metadata"]["resourceVersion"])
        if event.kind == "DELETED":
            self._drop(_key(item))
        elif event.kind != "BOOKMARK":
            self._update(item, whole=event.whole)
        return version

    # --- one object ---------------------------------------------------------------------------

    def _update(self, item: Object, *, whole: bool) -> str:
        """Update an object; returns its key."""
        key = _key(item)
        if not whole:
            self._refuse(OBJECT_BYTES, f"{self.kind} {key}")
            return key
        try:
            parsed = self._parse(item)
        except LimitError as error:
            self._refuse(error.limit, f"{self.kind} {key}")
        except Exception as error:  # noqa: BLE001  # one object must not stop the others
            log.error("object left out", object=key, path=self._path, error=repr(error))
        else:
            self._put(key, parsed)
        return key

    def _put(self, key: str, parsed: T | None) -> None:
        former = self._objects.get(key)
        if parsed is None:
            self._drop(key)
            return
        if former == parsed:
            return
        limit = self._quota.limit_for(key, parsed, former)
        if limit:
            self._refuse(limit, f"{self.kind} {key}")
            self._left_out = True
            self._drop(key)  # the former version may be of another group, which has room
            return
        if self._is_handled(key, parsed):
            if former is not None:
                self._quota.drop(key, former)
            self._quota.add(key, parsed)
            self._objects[key] = parsed

    def _drop(self, key: str) -> None:
        if key in self._objects and self._is_handled(key, None):
            self._quota.drop(key, self._objects.pop(key))

    def _is_handled(self, key: str, parsed: T | None) -> bool:
        """Report a change; returns whether it was handled."""
        try:
            self._changed(key, parsed)
        except Exception:
            # The former object stays, so that the next list has the change again.
            log.exception("change not handled", object=key, path=self._path)
            self._not_handled = key
            return False
        return True

    def _check_handled(self) -> None:
        """Raise if a change was not handled: the objects are listed again after a back-off."""
        key, self._not_handled = self._not_handled, ""
        if key:
            raise ApiError(f"{key} could not be taken in", status=0)


def _key(item: Object) -> str:
    """ "namespace/name". Raises ValueError for an object without them."""
    meta = item["metadata"]
    name, namespace = meta["name"], meta.get("namespace") or ""
    if not isinstance(name, str) or not isinstance(namespace, str):
        raise ValueError(f"an object with the name {name!r}")
    if max(len(name), len(namespace)) > NAME_BYTES.most:
        raise ValueError(f"an object with a name of {len(name)} characters")
    return sys.intern(f"{namespace}/{name}")
