"""A simulation in parts, each of some services, in a process of its own.

Services of a replay do not call each other, so what one gives is the same in any part.
"""

from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol, Self

import numpy as np

from benchmarks.simulator.simulation import Counts, Policy, Simulation, World

FEWEST_SERVICES = 64  # of a part: below, a process costs more than it saves


class Simulated(Protocol):
    """Services under policies, simulated up to now."""

    policies: tuple[Policy, ...]
    world: World
    now: float  # Unix s

    def run(self, until: float) -> None:
        """Simulate until whole Unix s ``until``."""
        ...

    def run_through(self, ends: Sequence[float], names: Sequence[str]) -> list[Counts]:
        """Simulate until each of whole Unix s in turn; what some columns count then."""
        ...

    def counts(self, names: Sequence[str] = ()) -> Counts:
        """Since the last reset. names: of some columns alone."""
        ...

    def reset_counts(self) -> None:
        """Count from now on."""
        ...

    def close(self) -> None:
        """End what belongs to it."""
        ...


def simulation_of(
    world: World, policies: Sequence[Policy], *, start_s: float, processes: int = 1
) -> Simulated:
    """In this process, or in several where there are services enough."""
    n_parts = min(processes, len(world.services) // FEWEST_SERVICES)
    if n_parts < 2:
        return Simulation(world, policies, start_s=start_s)
    return Parts(world, policies, start_s=start_s, n_parts=n_parts)


class Parts:
    """Simulations side by side, as one."""

    def __init__(
        self, world: World, policies: Sequence[Policy], *, start_s: float, n_parts: int
    ) -> None:
        self.world, self.policies, self.now = world, tuple(policies), start_s
        # Every n-th: services of a kind are often neighbours.
        self._rows = [np.arange(part, len(world.services), n_parts) for part in range(n_parts)]
        self._ends: list[Connection] = []
        self._processes: list[SpawnProcess] = []
        # Not forked: threads of the learner's libraries may hold locks.
        context = get_context("spawn")
        for rows in self._rows:
            ours, theirs = context.Pipe()
            part = [policy.only(rows) for policy in policies]
            work = theirs, world.only(rows), part, start_s
            process = context.Process(target=_serve, args=work, daemon=True)
            process.start()
            theirs.close()
            self._ends.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for end in self._ends:
            end.close()
        for process in self._processes:
            process.join()

    def run(self, until: float) -> None:
        """As `Simulation.run`."""
        self._ask("run", until)
        self.now = until

    def run_through(self, ends: Sequence[float], names: Sequence[str]) -> list[Counts]:
        """As `Simulation.run_through`; each part waits for the others at the last end alone."""
        parts: list[list[Counts]] = self._ask("run_through", list(ends), tuple(names))
        self.now = ends[-1]
        return [self._whole(at_end) for at_end in zip(*parts, strict=True)]

    def counts(self, names: Sequence[str] = ()) -> Counts:
        """As `Simulation.counts`."""
        return self._whole(self._ask("counts", tuple(names)))

    def _whole(self, parts: Sequence[Counts]) -> Counts:
        whole: Counts = {}
        for name, first in parts[0].items():
            shape = len(self.policies), len(self.world.services), *first.shape[2:]
            whole[name] = np.empty(shape, dtype=first.dtype)
            for rows, part in zip(self._rows, parts, strict=True):
                whole[name][:, rows] = part[name]
        return whole

    def reset_counts(self) -> None:
        """As `Simulation.reset_counts`."""
        self._ask("reset_counts")

    def _ask(self, method: str, *arguments: object) -> list[Any]:
        """What each answers, in order. Raises EOFError where a process has ended."""
        for end in self._ends:
            end.send((method, arguments))
        return [end.recv() for end in self._ends]


def _serve(end: Connection, world: World, policies: Sequence[Policy], start_s: float) -> None:
    simulation = Simulation(world, policies, start_s=start_s)
    while True:
        try:
            method, arguments = end.recv()
        except EOFError:
            return
        end.send(getattr(simulation, method)(*arguments))
