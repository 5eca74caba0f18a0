"""A process of its own that serves the port, and what attacks it, so that neither waits for us."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.knative.statistics.clients import HERE, PROBE, UPGRADE

SERVE = """
import asyncio, logging, sys
from autoscaler.refusals import Refusals
from knative.statistics.decode import decode
from knative.statistics.peers import Peers, ReporterPolicy
from tests.knative.statistics.examples import activators
from knative.statistics.port.server import StatisticsServer

def take(frame, forwarded):
    for key in decode(frame).keys:
        if key.startswith("genuine/"):
            print(key, flush=True)

async def serve():
    refusals = Refusals()
    peers = Peers(ReporterPolicy.ANY, refusals)
    peers.follow(activators("127.0.0.1"))
    server = StatisticsServer(take, peers=peers, refusals=refusals)
    print(await server.start("127.0.0.1", 0), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop()
    print(dict(refusals.counts), server.counts, flush=True)

logging.basicConfig(level=logging.WARNING)
asyncio.run(serve())
"""


class Served:
    """The process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.lines = self._process.stdout
        self.port = int(self.lines.readline())

    def took(self) -> str:
        """The next genuine revision that it took in; waits for it."""
        return self.lines.readline().strip()

    def memory(self, kind: str = "VmRSS") -> float:
        """MiB; VmHWM = the most that ever was."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith(kind))
        return int(line.split()[1]) / 1024

    def cpu_s(self) -> float:
        """That it used since it began."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def stop(self) -> str:
        """End it; what it refused and saw."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        last = self.lines.read()
        self._process.wait(10)
        self.lines.close()
        return last


@contextmanager
def served() -> Iterator[Served]:
    """The process, until the block ends."""
    it = Served()
    try:
        yield it
    finally:
        print(it.stop())


def connected(port: int, address: str = HERE) -> socket.socket:
    """A connection from an address."""
    return socket.create_connection((HERE, port), timeout=10, source_address=(address, 0))


def upgraded(port: int, address: str = HERE) -> socket.socket:
    """A WebSocket from an address."""
    link = connected(port, address)
    link.sendall(UPGRADE)
    head = b""
    while b"\r\n\r\n" not in head:
        head += link.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    return link


def probe(port: int, address: str = HERE) -> float:
    """Ask as a kubelet does; how long it took, s."""
    began = time.perf_counter()
    with connected(port, address) as link:
        link.sendall(PROBE)
        answer = b""
        while chunk := link.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return time.perf_counter() - began


ATTACK = """
import sys, threading, time
from tests.knative.statistics.served import connected, upgraded

port, mode, *addresses = sys.argv[1:]
data = sys.stdin.buffer.read()

def attack(address):
    with (connected if mode == "silent" else upgraded)(int(port), address) as link:
        link.settimeout(None)
        link.sendall(data)
        while mode == "again":
            link.sendall(data)
        while link.recv(4096):
            pass

def keep_attacking(address):
    while True:
        try:
            attack(address)
        except (OSError, AssertionError):
            pass
        time.sleep(1.0)

for address in addresses:
    threading.Thread(target=keep_attacking, args=(address,)).start()
print("begun", flush=True)
"""


@contextmanager
def attack(mode: str, data: bytes, port: int, addresses: list[str]) -> Iterator[None]:
    """A connection from each address, made anew where it is cut, until the block ends.

    mode: "silent" = it says nothing; "once" = a WebSocket that says `data`; "again" = for ever.
    """
    command = [sys.executable, "-c", ATTACK, str(port), mode, *addresses]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data)
        process.stdin.close()
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()
