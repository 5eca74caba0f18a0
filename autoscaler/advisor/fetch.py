"""Fetches the bundle that a learner in another pod serves over HTTP, into a file.

The file stays when the learner is gone: forecasts are good until their horizon ends. An unchanged
bundle costs one small request (ETag); a new one replaces the file as a whole. Bytes and seconds of
an answer are limited, and compression and redirects are refused, as any server may answer.
"""

import asyncio
import ssl
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import aiohttp

from autoscaler.errors import AutoscalerError, PermanentError, TransientError
from autoscaler.files import whole_file
from autoscaler.limits import BUNDLE_BYTES, FETCH_S, MIB, Limit
from autoscaler.refusals import LimitError, Refusals

PERIOD_S = 2.0  # between two requests
CONNECT_S = 3.0
PLAIN = "identity"  # content encoding: a compressed body could unpack to any size


async def keep_fetching(
    url: str,
    copy: Path,
    report: Callable[[str], object],
    *,
    ca_file: Path | None = None,
    refusals: Refusals | None = None,
) -> None:
    """Keep the copy current until cancelled.

    report: called after each request with its fault; "" = none. ca_file: PEM certificates of
    authorities for https; None = those of the system. refusals: counts exceeded limits.
    """
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        fetcher = Fetcher(url, copy, session, ca_file=ca_file, refusals=refusals)
        while True:
            report(await fetcher.poll())
            await asyncio.sleep(PERIOD_S)


class Fetcher:
    """The copy of one URL at a path."""

    def __init__(
        self,
        url: str,
        copy: Path,
        session: aiohttp.ClientSession,
        *,
        ca_file: Path | None = None,
        refusals: Refusals | None = None,
        most: Limit = BUNDLE_BYTES,
        within: Limit = FETCH_S,
    ) -> None:
        """As `keep_fetching`; most, within: limits on bytes of the bundle and s to fetch it."""
        self._url, self._copy, self._session = url, copy, session
        self._ca_file, self._refusals = ca_file, refusals or Refusals()
        self._most, self._within = most, within
        self._ssl: ssl.SSLContext | None = None  # of the file; None = it has to be read
        self._etag = ""  # of the copy

    async def poll(self) -> str:
        """Fetch the bundle if it is new; returns the fault, "" = none."""
        try:
            await self._fetch()
        except (AutoscalerError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._ssl = None  # a certificate may have been replaced
            if isinstance(error, LimitError):
                self._count(error.limit)
            elif isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                self._count(self._within)
                return f"{self._url}: not whole within {self._within.most:g} s"
            return f"{self._url}: {' '.join(str(error).split())[:300] or repr(error)}"
        return ""

    async def _fetch(self) -> None:
        headers = {"Accept-Encoding": PLAIN}
        if self._etag and self._copy.exists():
            headers["If-None-Match"] = self._etag
        async with self._session.get(
            self._url,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self._within.most, connect=CONNECT_S),
            ssl=self._context(),
            allow_redirects=False,
        ) as answer:
            if answer.status == HTTPStatus.NOT_MODIFIED:
                return
            body = await self._body(answer)
        await asyncio.to_thread(self._write, body)
        self._etag = answer.headers.get("ETag", "")

    async def _body(self, answer: aiohttp.ClientResponse) -> bytearray:
        """The whole body. Raises AutoscalerError for another answer, and LimitError."""
        if answer.status != HTTPStatus.OK:
            raise TransientError(f"answered {answer.status}; allowed: 200, with a bundle")
        encoding = answer.headers.get("Content-Encoding", PLAIN)
        if encoding.lower() != PLAIN:
            raise TransientError(f"answered packed as {encoding:.20}; allowed: {PLAIN}")
        if (answer.content_length or 0) > self._most.most:
            raise LimitError(self._most, "the bundle")
        body = bytearray()
        async for piece in answer.content.iter_chunked(MIB):
            body += piece
            if len(body) > self._most.most:
                raise LimitError(self._most, "the bundle")
        return body

    def _context(self) -> ssl.SSLContext | bool:
        if self._ca_file is None:
            return True
        if self._ssl is None:
            try:
                self._ssl = ssl.create_default_context(cafile=self._ca_file)
            except (OSError, ValueError) as error:
                raise PermanentError(f"{self._ca_file} holds no certificates: {error}") from error
        return self._ssl

    def _count(self, limit: Limit) -> None:
        self._refusals.count(limit, self._url, asyncio.get_running_loop().time())

    def _write(self, body: bytearray) -> None:
        with whole_file(self._copy) as file:
            file.write(body)
