"""The advisor: reads what the controller shows and what the learner publishes, and advises.

Four things go on side by side, each in a loop of its own, so that none keeps another waiting: the
controller's snapshots are taken in, the learner's bundle is looked for, the dependency graph is
worked out, and advice is written when it has changed. What takes long is done in a thread. A fault
of one loop is shown and logged, and its next turn comes: the controller goes on whatever happens
here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.advisor.advising import advice_of, declared, same_advice
from autoscaler.advisor.bundles import Bundles, LoadBundle
from autoscaler.advisor.dependency_graph import DependencyGraph, dependency_graph
from autoscaler.advisor.read_model import Change, ReadModel
from autoscaler.clock import Clock
from autoscaler.core.prediction.dependencies import Edges, no_edges
from autoscaler.core.types import IntArray
from autoscaler.errors import AutoscalerError
from autoscaler.exchange.advice import NAME as ADVICE
from autoscaler.exchange.advice import AdviceTable
from autoscaler.exchange.snapshot import NAMES, TICK, Named, Snapshot, read_names, read_tick
from autoscaler.health import FORECASTS
from autoscaler.refusals import Refusals

SNAPSHOT_S, BUNDLE_S, GRAPH_S = 0.5, 1.0, 2.0  # between two looks
GONE_S = 10.0  # s without a snapshot after which the controller counts as gone

_NO_EDGES = no_edges(())  # one object: edges are compared by identity

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisorSettings:
    """Which files are read and written."""

    snapshots: Path
    """Folder of the controller's snapshots."""

    advice: Path
    """Folder for the advice."""

    bundle: Path | None
    """Forecasts that the learner publishes; None = there are none."""


class Advisor:
    """Keeps the read model current, and the controller advised."""

    def __init__(
        self,
        settings: AdvisorSettings,
        model: ReadModel,
        clock: Clock,
        *,
        load_bundle: LoadBundle,
        tell: Callable[[Change], None],
        refusals: Refusals,
    ) -> None:
        """tell: hears of every change of what is wanted of a revision. refusals: counts limits."""
        self._settings, self._model, self._clock = settings, model, clock
        self._tell = tell
        self._bundles = Bundles(settings.bundle, load_bundle, refusals) if settings.bundle else None
        self._names: Mapping[int, Named] = {}
        self._looked: dict[Path, tuple[int, int]] = {}  # inode and ns of the last change
        self._graph: DependencyGraph | None = None
        self._graph_of: _GraphOf | None = None
        self._written: AdviceTable | None = None
        self._changed = asyncio.Event()  # there may be other advice

    async def run(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat("snapshots", self.look, SNAPSHOT_S))
            group.create_task(self._repeat(FORECASTS, self.read_bundle, BUNDLE_S))
            group.create_task(self._repeat("dependencies", self.follow_graph, GRAPH_S))
            group.create_task(self._repeat("advice", self._advise_when_changed, 0.0))

    async def _repeat(self, part: str, step: Callable[[], Awaitable[str]], pause_s: float) -> None:
        """One loop; a step says why its part does not do its work, "" = it does."""
        while True:
            try:
                fault = await step()
            except AutoscalerError as error:
                fault = str(error)
            except Exception as error:
                log.exception("%s: a turn failed; the next one comes", part)
                fault = repr(error)
                await asyncio.sleep(1.0)
            self._model.health.say(part, fault, self._clock.now())
            await asyncio.sleep(pause_s)

    # --- the controller's snapshots ----------------------------------------------------------

    async def look(self) -> str:
        """Take in the newest snapshot, if it is another one."""
        folder = self._settings.snapshots
        try:
            if self._is_new(folder / NAMES):
                names = await asyncio.to_thread(read_names, folder / NAMES)
                self._names = {named.id: named for named in names}
            if self._is_new(folder / TICK):
                snapshot = await asyncio.to_thread(read_tick, folder / TICK)
                for change in await asyncio.to_thread(
                    self._model.put_snapshot, snapshot, self._names
                ):
                    self._tell(change)
                self._changed.set()
        except FileNotFoundError:
            pass  # it has not come that far
        snapshot_ = self._model.frame.snapshot
        silence_s = self._clock.now() - snapshot_.at_s if snapshot_ else 0.0
        return f"the controller is silent for {silence_s:.0f} s" if silence_s > GONE_S else ""

    def _is_new(self, path: Path) -> bool:
        status = path.stat()
        look = status.st_ino, status.st_mtime_ns
        if self._looked.get(path) == look:
            return False
        self._looked[path] = look
        return True

    # --- forecasts ---------------------------------------------------------------------------

    async def read_bundle(self) -> str:
        """Put the newest bundle in force; without one, this is Knative."""
        if self._bundles is None:
            return ""
        now = self._clock.now()
        if await self._bundles.poll(now):
            self._model.put_forecasts(self._bundles.bundle)
            self._changed.set()
        return self._bundles.fault(now)

    @property
    def _learned(self) -> Edges:
        bundle = self._model.forecasts
        return bundle.edges if bundle else _NO_EDGES

    # --- dependencies ------------------------------------------------------------------------

    async def follow_graph(self) -> str:
        """Work the graph out anew where edges or declarations have changed."""
        frame, learned = self._model.frame, self._learned
        if frame.snapshot is None:
            return ""
        asked = _GraphOf.look(frame.snapshot, frame.names, learned)
        if self._graph_of is not None and asked.same(self._graph_of):
            return ""
        graph = await asyncio.to_thread(
            dependency_graph,
            learned,
            declared(frame.snapshot, frame.names),
            trust_namespaces=asked.trust,
            former=self._graph,
            stop=lambda: self._learned is not learned,
        )
        if graph is None:
            return ""  # there are other edges by now
        self._graph_of = asked
        if graph is self._graph:
            return ""
        self._tell_wrong_names(graph)
        former, self._graph = self._graph, graph
        self._model.put_edges(graph.edges, graph.not_acted_on)
        if former is None or former.paths is not graph.paths:
            self._changed.set()
        return ""

    def _tell_wrong_names(self, graph: DependencyGraph) -> None:
        known = self._graph.wrong_names if self._graph else ()
        for wrong in graph.wrong_names:
            if wrong not in known:
                log.warning("%s", wrong)

    # --- advice ------------------------------------------------------------------------------

    async def _advise_when_changed(self) -> str:
        await self._changed.wait()
        self._changed.clear()
        return await self.advise()

    async def advise(self) -> str:
        """Write advice where it is other than what was written last."""
        frame = self._model.frame
        if frame.snapshot is None:
            return ""
        graph = self._graph
        table = await asyncio.to_thread(
            advice_of,
            frame.snapshot,
            frame.names,
            self._model.forecasts,
            graph.paths if graph else None,
        )
        if self._written is not None and same_advice(table, self._written):
            return ""
        try:
            await asyncio.to_thread(table.write, self._settings.advice / ADVICE)
        except (OSError, ValueError) as error:
            return f"advice cannot be written: {error}"
        self._written = table
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _GraphOf:
    """What a graph was made of, as far as it is cheap to compare."""

    learned: Edges
    names: Mapping[int, Named]
    trust: bool
    columns: tuple[IntArray, IntArray, IntArray]  # revision, mode, reachable

    @classmethod
    def look(cls, snapshot: Snapshot, names: Mapping[int, Named], learned: Edges) -> "_GraphOf":
        columns = snapshot.columns
        return cls(
            learned=learned,
            names=names,
            trust=bool(snapshot.notes.get("trust_namespaces")),
            columns=(snapshot.revision, columns["spec_mode"], columns["spec_reachable"]),
        )

    def same(self, other: "_GraphOf") -> bool:
        mine, theirs = self.columns, other.columns
        return (
            (self.learned is other.learned and self.names is other.names)
            and self.trust == other.trust
            and all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
        )
