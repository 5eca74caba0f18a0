"""The advisor: reads the controller's snapshots and the learner's forecasts, and writes advice.

Six loops run concurrently, so that none waits for another: one reads snapshots, one reads the
learner's bundle, one computes the dependency graph, one saves the ledger, one has promised prices
and withdrawals follow from its hours, and one writes advice when it has changed. Long steps run in
threads. An error in a loop is shown and logged, and the loop goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.advisor.advising import advice_of, declared, same_advice
from autoscaler.advisor.bundles import Bundles, LoadBundle
from autoscaler.advisor.dependency_graph import DependencyGraph, dependency_graph
from autoscaler.advisor.occasions import Begun, Occasions
from autoscaler.advisor.read_model import Change, ReadModel
from autoscaler.clock import Clock
from autoscaler.core.prediction.dependencies import Edges, Pair, no_edges
from autoscaler.core.types import IntArray
from autoscaler.errors import AutoscalerError
from autoscaler.exchange.advice import NAME as ADVICE
from autoscaler.exchange.advice import AdviceTable
from autoscaler.exchange.snapshot import NAMES, TICK, Named, Snapshot, read_names, read_tick
from autoscaler.health import FORECASTS
from autoscaler.logs import get_logger
from autoscaler.refusals import Refusals

# Periods of the loops.
SNAPSHOT_S, BUNDLE_S, GRAPH_S, LEDGER_S, HOURS_S = 0.5, 1.0, 2.0, 2.0, 2.0
GONE_S = 10.0  # s without a snapshot after which the controller counts as gone

_NO_EDGES = no_edges(())  # one object: edges are compared by identity

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisorSettings:
    """Files that are read and written."""

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
        on_change: Callable[[Change], None],
        on_begin: Callable[[Begun], None],
        refusals: Refusals,
    ) -> None:
        """on_change: called with every change of wanted pods. on_begin: once when something begins.

        refusals: counts exceeded limits.
        """
        self._settings, self._model, self._clock = settings, model, clock
        self._on_change, self._on_begin = on_change, on_begin
        self._occasions = Occasions()
        self._bundles = Bundles(settings.bundle, load_bundle, refusals) if settings.bundle else None
        self._names: Mapping[int, Named] = {}
        self._read: dict[Path, tuple[int, int]] = {}  # inode and mtime (ns) of files read
        self._graph: DependencyGraph | None = None
        self._graph_inputs: _GraphInputs | None = None
        self._written: AdviceTable | None = None
        self._changed = asyncio.Event()  # the advice may have changed

    async def run(self) -> None:
        """Run all loops until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat("snapshots", self.read_snapshot, SNAPSHOT_S))
            group.create_task(self._repeat(FORECASTS, self.read_bundle, BUNDLE_S))
            group.create_task(self._repeat("dependencies", self.update_graph, GRAPH_S))
            group.create_task(self._repeat("ledger", self.save_ledger, LEDGER_S))
            group.create_task(self._repeat("promises", self.follow_hours, HOURS_S))
            group.create_task(self._repeat("advice", self._advise_when_changed, 0.0))

    async def _repeat(self, part: str, step: Callable[[], Awaitable[str]], pause_s: float) -> None:
        """One loop. step: returns the fault of its part; "" = it works."""
        while True:
            try:
                fault = await step()
            except AutoscalerError as error:
                fault = str(error)
            except Exception as error:
                log.exception("turn failed; the next one comes", part=part)
                fault = repr(error)
                await asyncio.sleep(1.0)
            self._model.health.report(part, fault, self._clock.now())
            await asyncio.sleep(pause_s)

    # --- the controller's snapshots ----------------------------------------------------------

    async def read_snapshot(self) -> str:
        """Put the newest snapshot into the read model if it is a new one."""
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
                    self._on_change(change)
                for begun in self._occasions.begun(self._model.frame, self._model.promises.missed):
                    self._on_begin(begun)
                self._changed.set()
        except FileNotFoundError:
            pass  # the controller has not written it yet
        snapshot_ = self._model.frame.snapshot
        age_s = self._clock.now() - snapshot_.at_s if snapshot_ else 0.0
        return f"the controller has written nothing for {age_s:.0f} s" if age_s > GONE_S else ""

    def _is_new(self, path: Path) -> bool:
        status = path.stat()
        version = status.st_ino, status.st_mtime_ns
        if self._read.get(path) == version:
            return False
        self._read[path] = version
        return True

    async def save_ledger(self) -> str:
        """Write what is due of the ledger."""
        return await asyncio.to_thread(self._model.ledger.save, self._clock.now())

    async def follow_hours(self) -> str:
        """Have prices that keep promises and withdrawals follow from the ledger."""
        former = self._model.withdrawals.by_service
        if await asyncio.to_thread(self._model.follow_hours):
            self._changed.set()
        present = self._model.withdrawals.by_service
        for service in present.keys() - former.keys():
            log.warning("forecast withdrawn", service=service, why=present[service].sentence)
        for service in former.keys() - present.keys():
            log.info("forecast no longer withdrawn", service=service)
        return self._model.promises.fault

    # --- forecasts ---------------------------------------------------------------------------

    async def read_bundle(self) -> str:
        """Put the newest bundle in force."""
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

    async def update_graph(self) -> str:
        """Recompute the graph if edges or declarations have changed."""
        frame, learned = self._model.frame, self._learned
        if frame.snapshot is None:
            return ""
        withdrawn = self._model.edge_withdrawals.by_pair
        inputs = _GraphInputs.of(frame.snapshot, frame.names, learned, withdrawn)
        if self._graph_inputs is not None and inputs.same(self._graph_inputs):
            return ""
        graph = await asyncio.to_thread(
            dependency_graph,
            learned,
            declared(frame.snapshot, frame.names),
            trust_namespaces=inputs.trust,
            withdrawn=withdrawn,
            former=self._graph,
            stop=lambda: self._learned is not learned,
        )
        if graph is None:
            return ""  # stopped, as there are newer edges
        self._graph_inputs = inputs
        if graph is self._graph:
            return ""
        self._log_wrong_names(graph)
        self._log_withdrawn(graph)
        former, self._graph = self._graph, graph
        self._model.put_edges(graph.edges, graph.not_acted_on, graph.withdrawn)
        if former is None or former.paths is not graph.paths:
            self._changed.set()
        return ""

    def _log_wrong_names(self, graph: DependencyGraph) -> None:
        known = self._graph.wrong_names if self._graph else ()
        for wrong in graph.wrong_names:
            if wrong not in known:
                log.warning("declared name refused", why=str(wrong))

    def _log_withdrawn(self, graph: DependencyGraph) -> None:
        former = self._graph.withdrawn if self._graph else {}
        for up, down in graph.withdrawn.keys() - former.keys():
            why = graph.withdrawn[up, down]
            log.warning("edge withdrawn", upstream=up, downstream=down, why=why)
        for up, down in former.keys() - graph.withdrawn.keys():
            log.info("edge no longer withdrawn", upstream=up, downstream=down)

    # --- advice ------------------------------------------------------------------------------

    async def _advise_when_changed(self) -> str:
        await self._changed.wait()
        self._changed.clear()
        return await self.advise()

    async def advise(self) -> str:
        """Write advice if it differs from what was written last."""
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
            self._model.promises.prices_s,
            self._model.withdrawals.by_service,
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
class _GraphInputs:
    """What a graph is computed from, in a form that is cheap to compare."""

    learned: Edges
    names: Mapping[int, Named]
    trust: bool
    withdrawn: Mapping[Pair, str]
    columns: tuple[IntArray, IntArray, IntArray]  # revision, mode, reachable

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        names: Mapping[int, Named],
        learned: Edges,
        withdrawn: Mapping[Pair, str],
    ) -> "_GraphInputs":
        columns = snapshot.columns
        return cls(
            learned=learned,
            names=names,
            withdrawn=withdrawn,
            trust=bool(snapshot.notes.get("trust_namespaces")),
            columns=(snapshot.revision, columns["spec_mode"], columns["spec_reachable"]),
        )

    def same(self, other: "_GraphInputs") -> bool:
        mine, theirs = self.columns, other.columns
        return (
            (self.learned is other.learned and self.names is other.names)
            and self.trust == other.trust
            and self.withdrawn is other.withdrawn
            and all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
        )
