import asyncio
from typing import Any

import pytest

from autoscaler.api.bodies import PIECE, body


def sent(whole: bytes) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Headers, and the pieces of a body, as they go to the server."""
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return await asyncio.Event().wait()  # type: ignore[return-value]  # nobody goes away

    async def send(message: Any) -> None:
        messages.append(message)

    answer = body(whole, "text/html")
    asyncio.run(answer({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send))
    headers = dict(messages[0]["headers"])
    return headers, [message["body"] for message in messages[1:] if message["body"]]


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 5 * PIECE + 7])
def test_a_body_goes_out_whole_in_pieces_that_are_not_too_long(size: int) -> None:
    whole = bytes(i % 251 for i in range(size))
    headers, pieces = sent(whole)
    assert b"".join(pieces) == whole
    assert all(len(piece) <= PIECE for piece in pieces)
    assert headers[b"content-length"] == str(size).encode()
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
