"""Makes the result that the demo shows before it has one of its own: takes some minutes.

python -m benchmarks.demo.make_cached
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from autoscaler.advisor.read_model import ReadModel
from autoscaler.clock import SimulatedClock, SystemClock
from autoscaler.exchange.snapshot import NAMES, TICK, write_tick
from autoscaler.health import Health
from benchmarks.demo.cached import FORECASTS, SHIPPED, write_cached
from benchmarks.demo.live import LiveShop
from benchmarks.demo.run import figures, learned
from benchmarks.demo.shop import Shop, shop_of
from benchmarks.demo.status import Origin
from benchmarks.replay import Replay
from benchmarks.report.screen import Screen
from benchmarks.traces.trace import Trace

COMMAND = "python -m benchmarks.demo.make_cached"


def make_cached(shop: Shop, screen: Screen, path: Path, now: float) -> None:
    """Run the shop, and write what it came to. now: Unix s."""
    replay = learned(shop, screen)
    scores = screen.run(replay)
    files = asyncio.run(last_files(replay, shop.whole))
    made_at = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
    origin = Origin(command=COMMAND, made_at=made_at)
    write_cached(path, files, figures(replay, scores), origin, replay.demand.end_s)


async def last_files(replay: Replay, whole: Trace) -> dict[str, bytes]:
    """The files of what came before the live part, by name; the tick has every change."""
    with TemporaryDirectory(prefix="kn-ahead-") as name:
        folder = Path(name)
        live = LiveShop(replay, whole, ReadModel(Health()), SimulatedClock(), folder)
        changes = await live.warm_up()
        write_tick(folder / TICK, live.fleet, changes, {}, live.now)
        return {each: (folder / each).read_bytes() for each in (NAMES, TICK, FORECASTS)}


if __name__ == "__main__":
    now_s = SystemClock().now()
    make_cached(shop_of(now_s), Screen(Console()), SHIPPED, now_s)
