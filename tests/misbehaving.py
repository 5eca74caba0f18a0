"""Servers that answer as no server should: real sockets, and bytes as a test says."""

import contextlib
import socket
import threading
import zlib
from collections.abc import Callable, Iterator

Answer = Callable[[bytes], Iterator[bytes]]  # from a request's head to what is sent, bit by bit

MIB = 2**20
TLS = b"\x16"  # how a client begins that wants to speak it


@contextlib.contextmanager
def misbehaving(answer: Answer) -> Iterator[str]:
    """A server whose every connection is answered so, once; yields its address."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while not (b"\r\n\r\n" in head or head.startswith(TLS)) and (
                piece := connection.recv(65_536)
            ):
                head += piece
            for piece in answer(head):
                if over.is_set():
                    return
                connection.sendall(piece)

    def accept(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                thread = threading.Thread(target=serve, args=(connection,), daemon=True)
                thread.start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)


def head(*headers: str, status: str = "200 OK") -> bytes:
    lines = "\r\n".join((f"HTTP/1.1 {status}", "Connection: close", *headers))
    return f"{lines}\r\n\r\n".encode()


def sent(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    """All at once, and all well."""
    first = head(f"Content-Length: {len(body)}", *headers, status=status)
    return lambda _: iter([first, body])


def dripping(before: bytes, drop: bytes = b" ", every_s: float = 0.02) -> Answer:
    """``before`` at once, then drops without end."""

    def answer(_: bytes) -> Iterator[bytes]:
        yield before
        wait = threading.Event()
        while True:
            wait.wait(every_s)
            yield drop

    return answer


def endless(before: bytes, piece: bytes) -> Answer:
    """``before``, and then the same piece as fast as it is taken."""

    def answer(_: bytes) -> Iterator[bytes]:
        yield before
        while True:
            yield piece

    return answer


def packed_zeros(n_bytes: int) -> bytes:
    """So many zeros, as gzip has them: a thousandth of it. It lacks its end, which nobody sees."""
    packer = zlib.compressobj(wbits=-15)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08" + bytes(7) + block * (n_bytes // MIB)
