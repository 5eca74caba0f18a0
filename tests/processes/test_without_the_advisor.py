"""Whatever becomes of the advisor, every decision is as if there had been none."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from autoscaler.bundle.file import save_bundle
from autoscaler.core.prediction.dependencies import no_edges
from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.exchange.advice import NAME
from benchmarks.controller.processes import frame, keys, running, start_advisor
from benchmarks.controller.random_bundle import random_bundle
from benchmarks.recorded import replay
from tests.processes.conftest import PATIENCE_S, Watched, for_s
from tests.processes.test_invalid_input import absurd

REVISIONS = 300
STORY_S = 6.0
CALLED = 20  # revisions that are called all the time
AWAKE_S = 1.0  # between two mishaps, at most


class Advisor:
    """An advisor to which things happen."""

    def __init__(self, watched: Watched, stack: AsyncExitStack, bundle: Path) -> None:
        self._watched, self._stack, self._bundle = watched, stack, bundle
        self._rng = random.Random(0)

    async def suffer(self, seconds: float) -> None:
        """Each mishap once, and more until it has lasted so long."""
        every: list[Callable[[], Awaitable[None]]] = [
            self._is_killed,
            self._is_stopped,
            self._goes_mad,
            self._bloats,
            self._spoils_the_folder,
        ]
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        mishaps = self._rng.sample(every, len(every))
        while mishaps or loop.time() < end_s:
            await (mishaps.pop() if mishaps else self._rng.choice(every))()
            await asyncio.sleep(self._rng.uniform(0.0, AWAKE_S))

    def _signal(self, number: int) -> None:
        advisor = self._watched.it.advisor
        assert advisor
        if advisor.returncode is None:
            os.kill(advisor.pid, number)

    async def _is_killed(self) -> None:
        self._signal(signal.SIGKILL)
        assert self._watched.it.advisor
        await self._watched.it.advisor.wait()
        self._watched.it.advisor = await start_advisor(self._stack, self._watched.it, self._bundle)

    async def _is_stopped(self) -> None:
        self._signal(signal.SIGSTOP)
        await asyncio.sleep(self._rng.uniform(1.0, 5.0))
        self._signal(signal.SIGCONT)

    async def _goes_mad(self) -> None:
        for _ in range(20):
            size = self._rng.choice([0, 3, REVISIONS, 10_000])
            data = bytearray(absurd(size, self._rng.choice([1.0, 1e30, -1.0])))
            for _ in range(self._rng.choice([1, 100])):
                data[self._rng.randrange(len(data))] = self._rng.randrange(256)
            self._place(partial(_filled, data=bytes(data)))
            await asyncio.sleep(0.05)

    async def _bloats(self) -> None:
        self._place(lambda path: os.truncate(_touched(path), 2**40))
        await asyncio.sleep(1.0)

    async def _spoils_the_folder(self) -> None:
        self._place(os.mkfifo)
        await asyncio.sleep(2.5)
        self._place(lambda path: path.symlink_to("/dev/zero"))
        await asyncio.sleep(2.5)

    def _place(self, put: Callable[[Path], object]) -> None:
        path = self._watched.it.folder / "advice" / NAME
        path.unlink(missing_ok=True)
        with suppress(FileExistsError):  # the advisor was quicker
            put(path)


def _filled(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _touched(path: Path) -> Path:
    path.touch()
    return path


async def _call(watched: Watched, over: asyncio.Event) -> int:
    """Traffic that comes and goes, on one connection all the time; returns how many words."""
    rng, said = random.Random(1), 0
    called = list(keys(REVISIONS))[1 : CALLED + 1]
    while not over.is_set():
        for namespace, name in called:
            await watched.activator.send(frame(namespace, name, float(rng.choice([0, 0, 1, 200]))))
            said += 1
        await asyncio.sleep(0.5)
    return said


async def the_story(folder: Path) -> None:
    bundle = folder / "bundle.npz"
    # It expects nobody, and knows of no dependencies: whoever hears of it decides as before.
    save_bundle(replace(random_bundle(REVISIONS, 0), edges=no_edges(())), bundle)
    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(
            running(REVISIONS, folder, bundle=bundle, recorded=True)
        )
        activator = await stack.enter_async_context(await it.dial())
        watched, over = Watched(it, activator), asyncio.Event()
        calling = asyncio.create_task(_call(watched, over))
        async with asyncio.timeout(PATIENCE_S):
            while not (it.folder / "advice" / NAME).exists():
                await asyncio.sleep(0.1)
        await asyncio.sleep(2 * TICK_S)  # so that it is read
        await Advisor(watched, stack, bundle).suffer(for_s(STORY_S))
        await watched.lives()
        over.set()
        assert await asyncio.wait_for(calling, PATIENCE_S) > 0


def test_every_decision_is_as_without_an_advisor(tmp_path: Path) -> None:
    asyncio.run(the_story(tmp_path))
    found = replay(tmp_path / "events", advised=False)
    assert found.instructions["Plan"] > 0
    assert found.events["AdviceSeen"] > 0
    assert not found.differences
