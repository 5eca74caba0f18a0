"""Delay from an activator's report of a first request (a poke) to the request that starts a pod.

    python -m benchmarks.controller.poke --revisions 10000

Controller and advisor run as they do in a pod, against a fake API server. Every poke is of another
revision at zero. Meanwhile the kubelet's probe arrives, clients load the REST API and its pages,
and the bundle, with a third as many edges as revisions, is replaced every five seconds. Delays are
wall times on a machine that runs all of that at once: clients and API server use only CPU time that
the others leave, and the controller may have a core to itself.
"""

import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from autoscaler.bundle.file import save_bundle
from benchmarks.controller.api_load import ApiLoad
from benchmarks.controller.cores import pin, run_when_idle, split_cores
from benchmarks.controller.processes import HERE, Running, frame, keys, running
from benchmarks.controller.random_bundle import random_bundle
from benchmarks.controller.recorded_figures import Figure, Record, comparison, save

POKE_EVERY_S, PROBE_EVERY_S, BUNDLE_EVERY_S = 0.1, 0.1, 5.0
LOST_S = 5.0  # until a poke counts as lost
ADVICE_BYTES = 20  # of a revision with forecasts, at least; without, it takes none
BOUNDS = {"lost": 0, "poke_p99_ms": 10.0, "controller_mb": 150.0}  # at 10,000 revisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Delays of pokes and probes, and memory."""

    revisions: int
    clients: int
    apart: bool
    pokes: int
    lost: int
    poke_p50_ms: float
    poke_p99_ms: float
    probe_p50_ms: float
    probe_p99_ms: float
    answers: int  # of the REST API, meanwhile
    controller_mb: float  # resident
    advisor_mb: float  # resident

    @property
    def case(self) -> str:
        """What was measured, under which these figures are recorded."""
        where = "apart" if self.apart else "together"
        return f"poke, {where}, {self.revisions:,} revisions, {self.clients} clients"

    def figures(self) -> list[Figure]:
        """All figures with their bounds."""
        values = asdict(self)
        names = list(values)[3:]
        return [Figure(name.replace("_", " "), values[name], BOUNDS.get(name)) for name in names]


async def measure(
    revisions: int, clients: int, seconds: float, *, apart: bool = True, seed: int = 0
) -> Delays:
    """Poke for so long under load. apart: the controller has a core to itself."""
    with split_cores() as (first, others), tempfile.TemporaryDirectory(dir=_memory()) as folder:
        bundle = Path(folder) / "bundle.npz"
        save_bundle(random_bundle(revisions, seed), bundle)
        async with running(revisions, Path(folder), bundle=bundle) as it:
            await _until_advised(it, revisions)
            controller, advisor, api = it.pids()
            if apart:
                pin(controller, first)
                for pid in (os.getpid(), advisor, api):
                    pin(pid, others)
            load = ApiLoad(it.rest_port, clients)
            load.start()
            replacing = asyncio.create_task(_replace_bundle(bundle, revisions, seed))
            try:
                probing = asyncio.create_task(_probe(it.port, seconds))
                pokes, lost = await _poke(it, revisions, seconds)
                probes = await probing
                resident = _resident_mb(controller), _resident_mb(advisor)
            finally:
                replacing.cancel()
                answers = load.stop()
    (poke_p50, poke_p99), (probe_p50, probe_p99) = map(_percentiles_ms, (pokes, probes))
    return Delays(
        revisions=revisions, clients=clients, apart=apart, pokes=len(pokes), lost=lost,
        poke_p50_ms=poke_p50, poke_p99_ms=poke_p99, probe_p50_ms=probe_p50,
        probe_p99_ms=probe_p99, answers=answers, controller_mb=resident[0], advisor_mb=resident[1],
    )  # fmt: skip


async def _poke(it: Running, revisions: int, seconds: float) -> tuple[list[float], int]:
    """Delays in s from report to scale request, and the number of pokes without one."""
    rng = np.random.default_rng(0)
    chosen = rng.permutation(list(keys(revisions))[1:]).tolist()
    delays, lost, loop = [], 0, asyncio.get_running_loop()
    end_s = loop.time() + seconds
    async with await it.dial() as socket:
        for namespace, name in chosen:
            if loop.time() > end_s:
                break
            sent_s = time.monotonic()  # noqa: TID251  # it is what is measured
            await socket.send(frame(namespace, name, 1.0))
            scaled_s = await _scaled(it, f"{namespace}/{name}-deployment")
            if scaled_s is None:
                lost += 1
            elif scaled_s > sent_s:  # else it was scaled ahead of its first request
                delays.append(scaled_s - sent_s)
            await asyncio.sleep(POKE_EVERY_S)
    return delays, lost


async def _scaled(it: Running, deployment: str) -> float | None:
    """Monotonic s at which the API server got a deployment's scale request; None = lost."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LOST_S):
            while True:
                request = await it.scales.get()
                if request["scale"] == deployment:
                    return float(request["at_s"])
    return None


async def _probe(port: int, seconds: float) -> list[float]:
    """Send the kubelet's probe again and again; s until each answer."""
    loop, delays = asyncio.get_running_loop(), []
    end_s = loop.time() + seconds
    while loop.time() < end_s:
        begin_s = loop.time()
        reader, writer = await asyncio.open_connection(HERE, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: kube-probe/1.31\r\n\r\n")
        answer = await reader.read()
        assert b"200" in answer[:16], answer
        delays.append(loop.time() - begin_s)
        writer.close()
        await asyncio.sleep(PROBE_EVERY_S)
    return delays


async def _until_advised(it: Running, revisions: int) -> None:
    """Wait until the advisor has written advice with forecasts."""
    advice = it.folder / "advice" / "advice"
    async with asyncio.timeout(120):
        while not advice.exists() or advice.stat().st_size < ADVICE_BYTES * revisions:
            await asyncio.sleep(0.2)


async def _replace_bundle(bundle: Path, revisions: int, seed: int) -> None:
    """Write a new bundle again and again, from another process."""
    while True:
        await asyncio.sleep(BUNDLE_EVERY_S)
        seed += 1
        process = multiprocessing.Process(target=_save, args=(revisions, seed, bundle))
        process.start()
        while process.is_alive():
            await asyncio.sleep(0.1)


def _save(revisions: int, seed: int, bundle: Path) -> None:
    run_when_idle()
    save_bundle(random_bundle(revisions, seed), bundle)


def _percentiles_ms(delays: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile of delays in s, as ms."""
    median, p99 = np.percentile(delays, (50, 99)) * 1e3
    return float(median), float(p99)


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    kib = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
    return int(kib) * 1024 / 1e6


def _memory() -> str | None:
    """A folder in memory, as in the pod; None = there is none."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # a temporary folder in it


def main(
    revisions: Annotated[int, typer.Option(min=10, help="Of the cluster.")] = 10_000,
    clients: Annotated[int, typer.Option(min=0, help="Of the REST API, all the time.")] = 64,
    seconds: Annotated[float, typer.Option(min=1.0, help="To measure.")] = 60.0,
    apart: Annotated[
        bool,
        typer.Option(
            "--apart/--together",
            help="The controller has a core to itself, or all the load runs on its core as well.",
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line.")] = False,
    record: Record = False,
) -> None:
    """Print delays of pokes and probes beside the recorded ones and their bounds."""
    delays = asyncio.run(measure(revisions, clients, seconds, apart=apart))
    if as_json:
        typer.echo(json.dumps(asdict(delays)))
    else:
        Console().print(comparison(delays.case, delays.figures()))
    if record:
        save(delays.case, delays.figures())


if __name__ == "__main__":
    typer.run(main)
