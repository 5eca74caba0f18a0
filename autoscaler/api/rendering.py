"""Pages are made once for all clients, in threads.

Making a page of many services takes up to a second. So it is made in a thread, a few pages at once,
and cached until the version of its source changes. A request for a page that is being made waits
for that one, even if there is a newer version meanwhile: many clients cost as much as one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from autoscaler.limits import REST_PAGES, REST_RENDERERS

Made = TypeVar("Made")


class _Page(NamedTuple):
    version: Hashable
    made: Future[Any]

    def serves(self, version: Hashable) -> bool:
        """Whether it is being made, or was made from this version without an error."""
        if not self.made.done():
            return True
        return self.version == version and self.made.exception() is None


class Renderer:
    """Makes and caches pages; used from one event loop."""

    def __init__(self, threads: int = int(REST_RENDERERS.most), most: int = int(REST_PAGES.most)):
        """most: cached pages; the least recently used goes first."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="render")
        self._most = most
        self._pages: OrderedDict[Hashable, _Page] = OrderedDict()

    async def page(self, key: Hashable, version: Hashable, make: Callable[[], Made]) -> Made:
        """A page by its key; made by ``make`` in a thread if none of this version is cached.

        version: of its source. Raises what ``make`` raises, to all that wait for it.
        """
        page = self._pages.get(key)
        if page is None or not page.serves(version):
            page = self._pages[key] = _Page(version, self._pool.submit(make))
        self._pages.move_to_end(key)
        if len(self._pages) > self._most:
            self._pages.popitem(last=False)
        # A client that disconnects must not cancel it for the others.
        made: Made = await asyncio.shield(asyncio.wrap_future(page.made))
        return made
