"""Bodies sent piece by piece, so that a slow client holds one piece in memory, not the whole.

The server copies what it cannot send yet, for each client. A fast client's pieces are sent at once,
so other clients get their turn between two of them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from fastapi import Response
from fastapi.responses import StreamingResponse

PIECE = 64 * 1024  # bytes; the server waits for a client that has as much to read


def body(whole: bytes, media_type: str) -> Response:
    """A body as an answer."""
    if len(whole) <= PIECE:
        return Response(whole, media_type=media_type)
    length = {"Content-Length": str(len(whole))}
    return streamed(_pieces(whole), media_type, length)


def streamed(pieces: Iterable[bytes], media_type: str, headers: Mapping[str, str]) -> Response:
    """A body in pieces as an answer."""
    return StreamingResponse(_in_turns(pieces), media_type=media_type, headers=headers)


def _pieces(whole: bytes) -> Iterator[bytes]:
    view = memoryview(whole)
    for begin in range(0, len(whole), PIECE):
        yield bytes(view[begin : begin + PIECE])


async def _in_turns(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)
