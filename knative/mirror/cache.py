"""One cache a kind: list, then watch, for as long as we run; only the fields that are wanted.

Any failure (connection lost, 410 because we were away too long, a refusal, a fault of our own) ends
in a new list after a back-off, and not before the server wants us back; what disappeared meanwhile
is then seen to be gone. Nothing that a cache meets ends it: one that cannot be refreshed keeps what
it has, and reports why.

One object never stands for the others: one that is too large, more than a limit allows, or not
understood is left out by its name, what was known of it stays, and the rest goes on.
"""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Generic, TypeVar

from autoscaler.errors import AutoscalerError
from autoscaler.limits import LIST_OBJECTS, NAME_BYTES, OBJECT_BYTES
from autoscaler.refusals import LimitError, Refuse, ignore
from knative.client.answers import Page
from knative.client.api import GONE, SAID_LENGTH, Api, ApiError, Event, Object, TooLargeAnswerError
from knative.client.backoff import Backoff
from knative.mirror.quota import Quota

T = TypeVar("T")
PAGE = 250  # objects a page of a list
EMPTY_PAGES = 10  # of a list that goes on all the same
SHORTEST_S, LONGEST_S = 0.2, 15.0  # s of back-off
TURN_S = 0.005  # s of taking in before the loop turns to others: probes, ticks, pokes

log = logging.getLogger(__name__)


class Cache(Generic[T]):
    """Objects of one kind by "namespace/name", kept current."""

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
        """parse: object -> what is kept; None = it does not concern us.

        changed: hears of every change, None = gone. report: hears why the cache is not current,
        "" = it is. refuse: hears of every object that a limit leaves out.
        """
        self._path = path
        self.kind = path.rpartition("/")[2]
        self._parse, self._changed = parse, changed
        self._report, self._refuse = report, refuse
        self._quota: Quota[T] = quota or Quota()
        self._query = {"labelSelector": labels} if labels else {}
        self._held: dict[str, T] = {}
        self.synced = asyncio.Event()  # listed once
        self.fault = ""  # why it is not current; "" = it is
        self._page = PAGE  # objects to ask for
        self._not_taken = ""  # a key that whoever hears of changes could not take in
        self._left_out = False  # whether something is, for which there may be a place later

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
                    self._check_taken()
                watching_s = clock()
                version = await self._watch(api, version)
                wait_s = self._ended(backoff, clock() - watching_s)
                if self._left_out:
                    version = ""
            except Exception as error:  # noqa: BLE001  # whatever it is, it is listed anew
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
            self._say(f"watches of {self._path} end at once")
        return backoff.failed()

    def _failed(self, backoff: Backoff, error: Exception, *, watching: bool) -> float:
        """Listing or watching failed: s to wait."""
        # A watch that was away too long is told so once; more than that is a fault.
        normal = watching and isinstance(error, ApiError) and error.status == GONE
        if not (normal and not backoff.failures):
            # All but our own: an answer of a shape that no API server gives, or a fault of ours.
            known = isinstance(error, AutoscalerError)
            self._say(str(error) if known else f"bad answer: {error!r}")
        return backoff.failed(error.retry_after_s if isinstance(error, ApiError) else 0.0)

    def _say(self, fault: str) -> None:
        if fault == self.fault:
            return
        self.fault = fault
        try:
            self._report(fault)
        except Exception:
            log.exception("nobody could be told how the cache of %s is", self._path)

    # --- listing ------------------------------------------------------------------------------

    async def _list(self, api: Api) -> str:
        """Take in all that there is; returns the version to watch from."""
        seen: set[str] = set()
        more, empty, self._left_out = "", 0, False
        while True:
            known = len(seen)
            page = await self._next_page(api, more)
            await self._take(page, seen)
            if not page.more:
                break
            empty += len(seen) == known
            if empty > EMPTY_PAGES or len(seen) > LIST_OBJECTS.most:
                raise ApiError(f"the list of {self._path} does not end", status=0)
            more = page.more
        for key in self._held.keys() - seen:
            self._drop(key)
        return page.version

    async def _next_page(self, api: Api, more: str) -> Page:
        """A page, of as many objects as fit into an answer."""
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

    async def _take(self, page: Page, seen: set[str]) -> None:
        clock = asyncio.get_running_loop().time
        turn_s = clock() + TURN_S
        for item in page.items():
            seen.add(self._meet(item, whole=page.whole))
            if clock() > turn_s:
                await asyncio.sleep(0)
                turn_s = clock() + TURN_S

    # --- watching -----------------------------------------------------------------------------

    async def _watch(self, api: Api, version: str) -> str:
        """Take in changes until the server ends it; returns the version to go on from."""
        async with api.watch(self._path, {**self._query, "resourceVersion": version}) as events:
            self._say("")
            async for event in events:
                version = self._hear(event)
                self._check_taken()
        return version

    def _hear(self, event: Event) -> str:
        """Take in one event; returns its version."""
        item = event.object
        if event.kind == "ERROR":
            code = item.get("code")
            status = code if isinstance(code, int) else 0
            said = str(item.get("message"))[:SAID_LENGTH]
            raise ApiError(f"watch of {self._path}: {said}", status=status)
        version = str(item["metadata"]["resourceVersion"])
        if event.kind == "DELETED":
            self._drop(_key(item))
        elif event.kind != "BOOKMARK":
            self._meet(item, whole=event.whole)
        return version

    # --- one object ---------------------------------------------------------------------------

    def _meet(self, item: Object, *, whole: bool) -> str:
        """Take in an object as it is now; returns its key."""
        key = _key(item)
        if not whole:
            self._refuse(OBJECT_BYTES, f"{self.kind} {key}")
            return key
        try:
            kept = self._parse(item)
        except LimitError as error:
            self._refuse(error.limit, f"{self.kind} {key}")
        except Exception as error:  # noqa: BLE001  # an object concerns itself alone
            log.error("%s in %s is not understood and left out: %r", key, self._path, error)
        else:
            self._put(key, kept)
        return key

    def _put(self, key: str, kept: T | None) -> None:
        former = self._held.get(key)
        if kept is None:
            self._drop(key)
            return
        if former == kept:
            return
        limit = self._quota.limit_for(key, kept, former)
        if limit:
            self._refuse(limit, f"{self.kind} {key}")
            self._left_out = True
            self._drop(key)  # it was of another group
            return
        if self._is_taken(key, kept):
            if former is not None:
                self._quota.drop(key, former)
            self._quota.add(key, kept)
            self._held[key] = kept

    def _drop(self, key: str) -> None:
        if key in self._held and self._is_taken(key, None):
            self._quota.drop(key, self._held.pop(key))

    def _is_taken(self, key: str, kept: T | None) -> bool:
        """Tell of a change; whether whoever hears of it took it in."""
        try:
            self._changed(key, kept)
        except Exception:
            # What is held stays as it was, so that the next list tells it again; others go on.
            log.exception("a change of %s in %s could not be taken in", key, self._path)
            self._not_taken = key
            return False
        return True

    def _check_taken(self) -> None:
        """Raise where something could not be taken in: it is listed again after a while."""
        key, self._not_taken = self._not_taken, ""
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
