"""A whole benchmark: parts that are not done yet are done, then all are compared."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.errors import PermanentError
from benchmarks.harness.backends import Done, Task
from benchmarks.harness.part import Counted, OnProgress
from benchmarks.harness.results import TraceResult, result
from benchmarks.harness.scene import Part, scene_of
from benchmarks.harness.settings import BenchSettings
from benchmarks.harness.store import Store
from benchmarks.harness.sweep import Sweep
from benchmarks.policies.contender import Contender
from benchmarks.traces.trace import Trace

Backend = Callable[[Sequence[Task], OnProgress], Iterator[Done]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What is compared, on what."""

    traces: dict[str, Trace]  # by name
    contenders: Sequence[Contender]
    settings: BenchSettings
    seeds: int  # draws of arrival times

    def run(self, store: Store, backend: Backend, progress: OnProgress) -> "list[Compared]":
        """Do what ``store`` does not have, and compare. Raises AutoscalerError."""
        parts = [
            Part(trace=trace, name=name, seed=seed, settings=self.settings)
            for name, trace in self.traces.items()
            for seed in range(self.seeds)
        ]
        for part in parts[:: self.seeds]:
            scene_of(part)  # what cannot be scored is said before hours of work
        found = [{c.name: store.of(part, c) for c in self.contenders} for part in parts]
        missing = [
            (part, tuple(name for name, of in known.items() if of is None))
            for part, known in zip(parts, found, strict=True)
        ]
        tasks = [(part, names) for part, names in missing if names]
        by_name = {c.name: c for c in self.contenders}
        for at, done in backend(tasks, progress):
            part = tasks[at][0]
            for name in tasks[at][1]:
                store.keep(part, by_name[name], done[name])
                found[parts.index(part)][name] = done[name]
        return [self._compared(name, parts, found, progress) for name in self.traces]

    def _compared(
        self,
        trace: str,
        parts: Sequence[Part],
        found: Sequence[dict[str, Counted | None]],
        progress: OnProgress,
    ) -> "Compared":
        progress(f"{trace}: comparing", 0.0)
        of_it = [known for part, known in zip(parts, found, strict=True) if part.name == trace]
        sweeps = []
        for each in self.contenders:
            draws = [known[each.name] for known in of_it]
            sweeps.append(Sweep(each, [draw for draw in draws if draw is not None]))
        return Compared(result(trace, sweeps), sweeps)


@dataclass(frozen=True, slots=True)
class Compared:
    """A trace's result, and what it is of."""

    result: TraceResult
    sweeps: Sequence[Sweep]


def named(paths: Sequence[Path], read: Callable[[Path], Trace]) -> dict[str, Trace]:
    """Traces by the names of their files. Raises PermanentError."""
    found: dict[str, Trace] = {}
    for path in paths:
        if path.stem in found:
            raise PermanentError(f"{path} is a second {path.stem}; allowed: a name for each trace")
        found[path.stem] = read(path)
    return found
