"""The pod's side of a port-forward over a websocket, as a kubelet serves it (v4.channel.k8s.io).

Two channels a port, one for data and one for its error; each begins with the number of the port.
"""

import asyncio

from aiohttp import WSMsgType, web

DATA, ERROR = b"\x00", b"\x01"
PORT = 9090


async def forward(request: web.Request, to: int) -> web.WebSocketResponse:
    """Carry what comes for `PORT` to a port of this machine."""
    answer = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
    await answer.prepare(request)
    number = PORT.to_bytes(2, "little")
    for channel in (DATA, ERROR):
        await answer.send_bytes(channel + number)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", to)
    except OSError:
        await answer.send_bytes(ERROR + f"connection refused: port {PORT}".encode())
        return answer
    back = asyncio.create_task(_back(reader, answer))
    try:
        async for message in answer:
            if message.type is WSMsgType.BINARY and message.data[:1] == DATA:
                writer.write(message.data[1:])
                await writer.drain()
    finally:
        writer.close()
        await back
    return answer


async def _back(reader: asyncio.StreamReader, answer: web.WebSocketResponse) -> None:
    while piece := await reader.read(65_536):
        await answer.send_bytes(DATA + piece)
    await answer.close()
