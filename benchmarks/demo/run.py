"""One run of the demo: learn, replay and report, while the shop goes on live behind the API."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from rich.console import Console

from autoscaler.advisor.read_model import ReadModel
from autoscaler.clock import SimulatedClock, SystemClock
from autoscaler.health import Health
from autoscaler.logs import get_logger
from benchmarks.demo import words
from benchmarks.demo.front import FrontDoor
from benchmarks.demo.live import LiveShop, keep_pace
from benchmarks.demo.shop import LEARNED_DAYS, REPLAYED_DAYS, Shop
from benchmarks.demo.status import Figures, Status
from benchmarks.replay import Replay
from benchmarks.report import equal_pods, outcome
from benchmarks.report.page import write_report
from benchmarks.report.progress import Progress
from benchmarks.report.screen import Screen, replayed
from benchmarks.scores.score import PolicyScore

SHOWN = "shop/cart"  # the service that the report shows over time

log = get_logger(__name__)


def demonstrate(shop: Shop, console: Console, report: Path, door: FrontDoor | None) -> None:
    """Learn, replay, report. door: serves it until it is interrupted; None = it is not served."""
    screen = Screen(console, StatusWatcher(door.status) if door else None)
    replay = learned(shop, screen)
    if door is None:
        reported(replay, screen, report)
        _say(screen, words.next_steps())
        return
    with going_on(replay, shop, door):
        said = reported(replay, screen, report)
        door.status.verdict, door.status.next_steps = said, words.next_steps()
        _say(screen, [("See it live", f"{door.url}/  (Ctrl-C ends it)"), *words.next_steps()])
        with suppress(KeyboardInterrupt):
            Event().wait()


def _say(screen: Screen, steps: Sequence[tuple[str, str]]) -> None:
    for what, how in steps:
        screen.print(f"{what}: {how}")


class StatusWatcher:
    """Takes what the screen shows to the page."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def progress(self, progress: Progress) -> None:
        """As the screen."""
        self._status.progress = progress

    def scores(self, replay: Replay, scores: Sequence[PolicyScore]) -> None:
        """The headline, in few columns."""
        self._status.figures = figures(replay, scores)


def figures(replay: Replay, scores: Sequence[PolicyScore]) -> Figures:
    """For the page."""
    rows = outcome.rows(outcome.headline(scores, replay.settings.price_s))
    chosen = [outcome.COLUMNS.index(name) for name in ("policy", "cold", "pod-h")]
    return Figures(
        title=f"{replayed(replay)} of {REPLAYED_DAYS} days replayed, under each policy",
        rows=tuple(tuple(row[i] for i in chosen) for row in rows),
    )


def learned(shop: Shop, screen: Screen) -> Replay:
    """The shop's replay, fitted and forecast."""
    s = shop.settings
    screen.say(
        f"A synthetic shop: {len(shop.whole.services)} services, {LEARNED_DAYS} days to learn"
        f" from, {REPLAYED_DAYS} days to replay; pods take {s.start_up_s:g} s to start."
    )
    replay = Replay(shop.past, s)
    with screen.progress() as progress:
        replay.fit(progress=progress)
    return replay


def reported(replay: Replay, screen: Screen, report: Path) -> list[str]:
    """Replay, write the report, and say what came out; returns that."""
    s = replay.settings
    scores = screen.run(replay)
    said, found = words.verdict(scores), equal_pods.section(equal_pods.equal_pods(scores))
    facts = (
        ("Workload", "a synthetic shop, seeded"),
        ("Learned from", f"{LEARNED_DAYS} days"),
        ("Replayed", f"{REPLAYED_DAYS} days"),
        ("Start-up of a pod", f"{s.start_up_s:g} s"),
        ("Drain of a pod", f"{s.drain_s:g} s"),
        ("Price of a cold request", f"{s.price_s:g} s of idle pod"),
    )
    page = outcome.report(
        replay, scores, title="kn-ahead: a synthetic shop", facts=facts, service=SHOWN, said=said,
        sections=(found,),
    )  # fmt: skip
    write_report(page, report)
    screen.print_table(found)
    for sentence in said:
        screen.say(sentence)
    screen.print(f"\nReport: {report.resolve()}")
    return said


@contextmanager
def going_on(replay: Replay, shop: Shop, door: FrontDoor) -> Iterator[None]:
    """Meanwhile the shop goes on live, in a thread, and is served."""
    ended, model, clock = Event(), ReadModel(Health()), SimulatedClock()
    with TemporaryDirectory(prefix="kn-ahead-") as folder:
        live = LiveShop(replay, shop.whole, model, clock, Path(folder))
        asyncio.run(
            live.warm_up()
        )  # at once: beside the replay it would take several times as long
        door.status.live, door.status.cached = live, None
        door.show(model, clock)

        def go_on() -> None:
            try:
                asyncio.run(keep_pace(live, SystemClock(), ended))
            except Exception:
                log.exception("the live shop ended")

        thread = Thread(target=go_on, name="live")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
