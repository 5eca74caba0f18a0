"""How long a caller waits for us: from an activator's word to the request that starts a pod.

    python -m benchmarks.controller.poke --revisions 10000

Controller and advisor run as they do in a pod, against a made API server. Every poke is of another
revision that is at zero. Meanwhile the kubelet's probe comes, many clients load the REST API and
its pages, and the bundle, with a graph of a third as many edges as revisions, is read again and
again. Times are wall times, on a machine that runs all of that at once: clients and the API server
take what the others leave of the cores, and the controller may have one to itself.
"""

import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import aiohttp
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.bundle.file import save_bundle
from autoscaler.core.prediction.dependencies import Edges, Origin
from autoscaler.core.prediction.forecasts import ForecastBundle
from benchmarks.controller.processes import HERE, Running, frame, keys, percentile, running

POKE_EVERY_S, PROBE_EVERY_S, BUNDLE_EVERY_S = 0.1, 0.1, 5.0
LOST_S = 5.0  # until a poke counts as lost
EDGES = 3320 / 3333  # a service


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What was measured."""

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


async def measure(
    revisions: int, clients: int, seconds: float, *, apart: bool = True, seed: int = 0
) -> Waits:
    """Poke for so long, under load. apart: the controller has a core to itself."""
    with _cores() as (first, others), tempfile.TemporaryDirectory(dir=_memory()) as folder:
        bundle = Path(folder) / "bundle.npz"
        save_bundle(a_bundle(revisions, seed), bundle)
        async with running(revisions, Path(folder), bundle=bundle) as it:
            await _until_advised(it)
            assert it.controller
            assert it.advisor
            assert it.api
            if apart:
                _keep_to(it.controller.pid, first)
                for pid in (os.getpid(), it.advisor.pid, it.api.pid):
                    _keep_to(pid, others)
            load = _Load(it.rest_port, clients)
            load.start()
            reading = asyncio.create_task(_read_anew(bundle, revisions, seed))
            probing = asyncio.create_task(_probe(it.port, seconds))
            try:
                waits, lost = await _poke(it, revisions, seconds)
                probes = await probing
                sizes = _resident_mb(it.controller.pid), _resident_mb(it.advisor.pid)
            finally:
                reading.cancel()
                answers = load.end()
    return Waits(
        revisions=revisions,
        clients=clients,
        apart=apart,
        pokes=len(waits),
        lost=lost,
        poke_p50_ms=percentile(waits, 0.5),
        poke_p99_ms=percentile(waits, 0.99),
        probe_p50_ms=percentile(probes, 0.5),
        probe_p99_ms=percentile(probes, 0.99),
        answers=answers,
        controller_mb=sizes[0],
        advisor_mb=sizes[1],
    )


async def _poke(it: Running, revisions: int, seconds: float) -> tuple[list[float], int]:
    """Times from word to request, s; and how many got none."""
    rng = np.random.default_rng(0)
    chosen = rng.permutation(list(keys(revisions))[1:]).tolist()
    waits, lost, loop = [], 0, asyncio.get_running_loop()
    end_s = loop.time() + seconds
    async with await it.dial() as socket:
        for namespace, name in chosen:
            if loop.time() > end_s:
                break
            said_s = time.monotonic()  # noqa: TID251  # it is what is measured
            await socket.send(frame(namespace, name, 1.0))
            at_s = await _scaled(it, f"{namespace}/{name}-deployment")
            if at_s is None:
                lost += 1
            elif at_s > said_s:  # else it had been asked for ahead of its call
                waits.append(at_s - said_s)
            await asyncio.sleep(POKE_EVERY_S)
    return waits, lost


async def _scaled(it: Running, deployment: str) -> float | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LOST_S):
            while True:
                said = await it.scales.get()
                if said["scale"] == deployment:
                    return float(said["at_s"])
    return None


async def _probe(port: int, seconds: float) -> list[float]:
    """A kubelet's probe, again and again: times until it is answered, s."""
    loop, took = asyncio.get_running_loop(), []
    end_s = loop.time() + seconds
    while loop.time() < end_s:
        begin_s = loop.time()
        reader, writer = await asyncio.open_connection(HERE, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: kube-probe/1.31\r\n\r\n")
        answer = await reader.read()
        assert b"200" in answer[:16], answer
        took.append(loop.time() - begin_s)
        writer.close()
        await asyncio.sleep(PROBE_EVERY_S)
    return took


async def _until_advised(it: Running) -> None:
    advice = it.folder / "advice" / "advice"
    async with asyncio.timeout(120):
        while not advice.exists() or advice.stat().st_size < 10_000:
            await asyncio.sleep(0.2)


async def _read_anew(bundle: Path, revisions: int, seed: int) -> None:
    """A new bundle again and again; it is made in another process."""
    while True:
        await asyncio.sleep(BUNDLE_EVERY_S)
        seed += 1
        process = multiprocessing.Process(target=_save, args=(revisions, seed, bundle))
        process.start()
        while process.is_alive():
            await asyncio.sleep(0.1)


def _save(revisions: int, seed: int, bundle: Path) -> None:
    _give_way()
    save_bundle(a_bundle(revisions, seed), bundle)


def a_bundle(revisions: int, seed: int) -> ForecastBundle:
    """Forecasts of nothing for all services, and a graph drawn at random."""
    rng = np.random.default_rng(seed)
    services = sorted({f"{ns}/{name.rpartition('-')[0]}" for ns, name in keys(revisions)})
    n = len(services)
    ends = np.unique(rng.integers(0, n, (round(EDGES * n), 2)), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    m = len(ends)
    now = time.time()  # noqa: TID251  # a bundle of now
    return ForecastBundle(
        services=tuple(services),
        made_at_s=now,
        fitted_at_s=now,
        window_edges_s=np.array([0.0, 60.0, 120.0, 300.0, 900.0, 3600.0]),
        demand_edges=np.tile(np.arange(9.0), (n, 1)),
        exceedance=np.zeros((n, 5, 8), dtype=np.float32),
        model=("seasonal",) * n,
        reason=("",) * n,
        edges=Edges(
            services=tuple(services),
            upstream=ends[:, 0],
            downstream=ends[:, 1],
            lag_s=rng.uniform(0.0, 1.0, m),
            gain=np.ones(m),
            probability=np.ones(m),
            confidence=rng.uniform(0.5, 1.0, m),
            evidence=np.full(m, 100.0),
            seen_at_s=np.full(m, now),
            direct=np.ones(m, dtype=np.bool_),
            origin=np.full(m, int(Origin.LEARNED_STARTS)),
        ),
    )


class _Load:
    """Clients of the REST API, in a process of their own."""

    def __init__(self, port: int, clients: int) -> None:
        self._answers = multiprocessing.Value("l", 0)
        self._process = multiprocessing.Process(
            target=_ask_for_ever, args=(port, clients, self._answers), daemon=True
        )

    def start(self) -> None:
        """Begin to ask."""
        self._process.start()

    def end(self) -> int:
        """Ask no more; how many answers there were."""
        self._process.kill()
        self._process.join()
        return int(self._answers.value)


def _ask_for_ever(
    port: int, clients: int, answers: "multiprocessing.sharedctypes.Synchronized[int]"
) -> None:
    async def client(session: aiohttp.ClientSession, number: int) -> None:
        rng = np.random.default_rng(number)
        while True:
            path = PATHS[rng.integers(len(PATHS))]
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"http://{HERE}:{port}{path}") as answer:
                    await answer.read()
                    answers.value += 1

    async def all_of_them() -> None:
        _give_way()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(client(session, number) for number in range(clients)))

    asyncio.run(all_of_them())


PATHS = ("/v1/services?limit=1000", "/v1/dependencies?limit=1000", "/metrics", "/", "/docs")


@contextmanager
def _cores() -> Iterator[tuple[set[int], set[int]]]:
    """One core, and the others; in the end we may run on all of them again."""
    cores = os.sched_getaffinity(0)
    first = {min(cores)}
    try:
        yield first, cores - first or first
    finally:
        _keep_to(os.getpid(), cores)


def _keep_to(pid: int, cores: set[int]) -> None:
    """Let a process, and what it starts from now on, run on these cores alone."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def _give_way() -> None:
    """Take only what nobody else wants of the cores: as a rule this runs on other machines."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    kib = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
    return int(kib) * 1024 / 1e6


def _memory() -> str | None:
    """A folder in memory, as in the pod; None = there is none."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # removed in the end


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
) -> None:
    """Print how long pokes and probes take."""
    waits = asyncio.run(measure(revisions, clients, seconds, apart=apart))
    if as_json:
        typer.echo(json.dumps(asdict(waits)))
        return
    table = Table("what", "value")
    for name, value in asdict(waits).items():
        table.add_row(name.replace("_", " "), f"{value:,.1f}" if value % 1 else f"{value:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
