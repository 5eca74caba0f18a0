"""Keeps a copy of the bundle that a learner in another pod serves over HTTP.

What was fetched stays when the learner goes: forecasts are good until their horizon ends, and
whoever reads the copy sees that. An unchanged bundle costs one small request (ETag), a new one is
put in place whole.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import aiohttp

from autoscaler.errors import AutoscalerError, TransientError
from autoscaler.files import whole_file

PERIOD_S = 2.0  # between two looks
LARGEST = 1 << 30  # bytes; 10,000 services have some 200 MB
TIMEOUT = aiohttp.ClientTimeout(total=60.0, connect=3.0)


async def keep_fetching(url: str, copy: Path, ailing: Callable[[str], object]) -> None:
    """Keep the copy current for ever. ailing: hears after each look why it failed; "" = well."""
    async with aiohttp.ClientSession() as session:
        fetcher = Fetcher(url, copy, session)
        while True:
            ailing(await fetcher.poll())
            await asyncio.sleep(PERIOD_S)


class Fetcher:
    """The copy of one URL at a path."""

    def __init__(self, url: str, copy: Path, session: aiohttp.ClientSession) -> None:
        self._url, self._copy, self._session = url, copy, session
        self._tag = ""  # of what lies there

    async def poll(self) -> str:
        """Fetch what is new; returns why it could not be asked for, "" = it could."""
        try:
            await self._fetch()
        except (AutoscalerError, aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"{self._url}: {' '.join(str(error).split()) or repr(error)}"
        return ""

    async def _fetch(self) -> None:
        known = {"If-None-Match": self._tag} if self._tag and self._copy.exists() else {}
        async with self._session.get(self._url, headers=known, timeout=TIMEOUT) as answer:
            if answer.status == HTTPStatus.NOT_MODIFIED:
                return
            if answer.status != HTTPStatus.OK:
                raise TransientError(f"answered {answer.status}; allowed: 200, with a bundle")
            body = bytearray()
            async for piece in answer.content.iter_chunked(1 << 20):
                body += piece
                if len(body) > LARGEST:
                    raise TransientError(f"has more than {LARGEST} bytes; allowed: up to those")
            await asyncio.to_thread(self._write, bytes(body))
            self._tag = answer.headers.get("ETag", "")

    def _write(self, body: bytes) -> None:
        with whole_file(self._copy) as file:
            file.write(body)
