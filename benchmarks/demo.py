"""The demo: a made shop, learned for two weeks, replayed for two days, then shown over REST."""

from pathlib import Path

from autoscaler.board import Board
from autoscaler.clock import SimulatedClock
from autoscaler.core.predictive import TICK_S
from benchmarks import outcome
from benchmarks.policies import OUTWARD, priced
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.report import write_report
from benchmarks.screen import Screen
from benchmarks.simulator import Simulation
from benchmarks.workloads import made_shop
from learner.dependencies.counts import edges_from_counts
from learner.engine import LearnerSettings

LEARNED_DAYS, REPLAYED_DAYS = 14, 2
SHOWN = "shop/cart"  # whose time line the report shows
SHOWN_S = 3600.0  # s at the end that are run once more, with every change on the board


def demonstrate(screen: Screen, report: Path) -> tuple[Board, SimulatedClock]:
    """Learn, replay and report; returns what the API shows, and a clock that stands at the end."""
    shop = made_shop(LEARNED_DAYS + REPLAYED_DAYS)
    settings = ReplaySettings(
        fit_until_s=LEARNED_DAYS * 86_400.0, learner=LearnerSettings(max_rows=20_000, rounds=120)
    )
    screen.say(
        f"A made shop (synthetic): {len(shop.services)} services, {LEARNED_DAYS} days to learn "
        f"from, {REPLAYED_DAYS} days to replay; pods take {settings.start_up_s:g} s to start."
    )
    replay = Replay(shop, settings)
    with screen.progress() as progress:
        replay.fit(progress=progress)
    scores = screen.live(replay)
    facts = (
        ("Workload", "a made shop: synthetic, seeded"),
        ("Learned from", f"{LEARNED_DAYS} days"),
        ("Replayed", f"{REPLAYED_DAYS} days"),
        ("Start-up of a pod", f"{settings.start_up_s:g} s"),
        ("Price of a cold request", f"{settings.price_s:g} s of idle pod"),
    )
    page = outcome.report(replay, scores, title="kn-ahead: a made shop", facts=facts, service=SHOWN)
    write_report(page, report)
    screen.say(f"Report: {report.resolve()}")
    return board_of(replay)


def board_of(replay: Replay) -> tuple[Board, SimulatedClock]:
    """The replay's last hour under kn-ahead alone, as its API would have shown it."""
    name = priced(OUTWARD, replay.settings.price_s)
    ours = [p for p in replay.policies() if p.name == name]
    board, end = Board(), replay.simulation.now
    simulation = Simulation(replay.simulation.world, ours, start_s=end - SHOWN_S)
    while simulation.now < end:
        simulation.run(simulation.now + TICK_S)
        if simulation.decisions:
            board.post_decisions(simulation.fleet, replay.demand.services, simulation.decisions)
    board.post_forecasts(replay.last_bundle())
    board.post_edges(edges_from_counts(replay.demand.until(replay.first)))
    return board, SimulatedClock(end)
