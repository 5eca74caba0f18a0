"""The demo: a synthetic shop, two weeks learned, two days replayed, then shown over REST."""

import asyncio
import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from autoscaler.advisor.advisor import Advisor, AdvisorSettings
from autoscaler.advisor.read_model import ReadModel
from autoscaler.bundle.file import load_bundle, save_bundle
from autoscaler.clock import SimulatedClock
from autoscaler.core.names import name_id
from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.core.state.decision import Decision
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.types import IntArray
from autoscaler.exchange.snapshot import NAMES, TICK, Changes, Named, write_names, write_tick
from autoscaler.refusals import Refusals
from benchmarks.policies.policies import OUTWARD, priced
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.report import outcome
from benchmarks.report.page import write_report
from benchmarks.report.screen import Screen
from benchmarks.simulator.simulation import Simulation
from benchmarks.traces.synthetic import synthetic_shop
from learner.settings import LearnerSettings

LEARNED_DAYS, REPLAYED_DAYS = 14, 2
SHOWN = "shop/cart"  # the service that the report shows over time
SHOWN_S = 3600.0  # s at the end that are simulated again for the API, with every change


def demonstrate(screen: Screen, report: Path, model: ReadModel, clock: SimulatedClock) -> None:
    """Learn, replay and report; then fills the model with the last hour, for the API."""
    shop = synthetic_shop(LEARNED_DAYS + REPLAYED_DAYS)
    settings = ReplaySettings(
        fit_until_s=LEARNED_DAYS * 86_400.0, learner=LearnerSettings(max_rows=20_000, rounds=120)
    )
    screen.print(
        f"A synthetic shop: {len(shop.services)} services, {LEARNED_DAYS} days to learn "
        f"from, {REPLAYED_DAYS} days to replay; pods take {settings.start_up_s:g} s to start."
    )
    replay = Replay(shop, settings)
    with screen.progress() as progress:
        replay.fit(progress=progress)
    scores = screen.run(replay)
    facts = (
        ("Workload", "a synthetic shop, seeded"),
        ("Learned from", f"{LEARNED_DAYS} days"),
        ("Replayed", f"{REPLAYED_DAYS} days"),
        ("Start-up of a pod", f"{settings.start_up_s:g} s"),
        ("Drain of a pod", f"{settings.drain_s:g} s"),
        ("Price of a cold request", f"{settings.price_s:g} s of idle pod"),
    )
    page = outcome.report(
        replay, scores, title="kn-ahead: a synthetic shop", facts=facts, service=SHOWN
    )
    write_report(page, report)
    screen.print(f"Report: {report.resolve()}")
    show(replay, model, clock)


def show(replay: Replay, model: ReadModel, clock: SimulatedClock) -> None:
    """Simulate the replay's last hour under kn-ahead again, and fill a read model by the advisor.

    Afterwards the clock is at the end of the replay.
    """
    with TemporaryDirectory(prefix="kn-ahead-") as folder:
        asyncio.run(_show(replay, model, clock, Path(folder)))


async def _show(replay: Replay, model: ReadModel, clock: SimulatedClock, folder: Path) -> None:
    name = priced(OUTWARD, replay.settings.price_s)
    ours = [p for p in replay.policies() if p.name == name]
    end = replay.simulation.now
    simulation = Simulation(replay.simulation.world, ours, start_s=end - SHOWN_S)
    fleet = simulation.fleet
    clock.advance(simulation.now - clock.now())
    settings = AdvisorSettings(snapshots=folder, advice=folder, bundle=folder / "forecasts.npz")
    advisor = Advisor(
        settings,
        model,
        clock,
        load_bundle=load_bundle,
        on_change=lambda _: None,
        refusals=Refusals(),
    )
    named = map(_named, fleet.keys, replay.demand.services)
    write_names(folder / NAMES, [one.encoded() for one in named])
    while simulation.now < end:
        before = fleet.decision.want.copy()
        simulation.run(simulation.now + TICK_S)
        clock.advance(simulation.now - clock.now())
        write_tick(folder / TICK, fleet, _changes(fleet, before), {}, simulation.now)
        await advisor.read_snapshot()
    bundle = replay.last_bundle()
    if replay.learner.edges_ is not None:
        bundle = dataclasses.replace(bundle, edges=replay.learner.edges_)
    save_bundle(bundle, folder / "forecasts.npz")
    await advisor.read_bundle()
    await advisor.update_graph()


def _named(revision: str, service: str) -> Named:
    return Named(
        id=name_id(revision),
        revision=revision,
        service=service,
        configuration="",
        labelled_service="",
        uid="",
        upstreams="",
        downstream_namespaces="",
    )


def _changes(fleet: Fleet, before: IntArray) -> Changes:
    """The revisions whose wanted pods changed, with their decisions."""
    rows = np.flatnonzero(fleet.decision.want != before)
    decision = {f.name: getattr(fleet.decision, f.name)[rows] for f in dataclasses.fields(Decision)}
    return Changes(revision=fleet.ids[rows], before=before[rows], decision=Decision(**decision))
