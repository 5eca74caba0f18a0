"""The ledger of a large fleet: time of a snapshot and of an answer, memory, and bytes on disk.

    python -m benchmarks.controller.ledger --services 10000

Made accounts of a little more than a week, in which a share of the services stands all the time and
some others for an hour now and then. Times are CPU times of this process.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.ledger.table import HOUR_S
from autoscaler.api.ledger import readings
from autoscaler.api.ledger.readings import Period
from autoscaler.core.names import name_id
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray
from autoscaler.exchange.snapshot import Changes, Snapshot

BEGIN_S = 1_772_409_600.0
HOURS = 230  # of which the first become days
SELDOM = 0.02  # share of the other services that stand in an hour
YEAR_DAYS, WEEK_HOURS = 365, 8 * 24


def accounts(services: int, busy: float, draws: np.random.Generator) -> FloatArray:
    """(c, k) what an hour adds to the sums."""
    share = np.where(np.arange(services) < busy * services, 1.0, SELDOM)
    stands = draws.random(services) < share
    drawn: dict[str, Callable[[], Any]] = {
        "requests": lambda: draws.poisson(300, services),
        "cold": lambda: draws.poisson(0.4, services),
        "cold_s": lambda: draws.gamma(0.4, 4.0, services),
        "short": lambda: draws.poisson(0.4, services),
        "pod_s": lambda: draws.uniform(600.0, HOUR_S, services),
        "starts": lambda: draws.poisson(0.6, services),
    }
    kinds = [name.removeprefix("knative_").removeprefix("ahead_") for name in COLUMNS]
    return np.stack([stands * drawn[kind]() for kind in kinds])


def snapshot(at_s: float, ids: Any, sums: FloatArray) -> Snapshot:
    """One of a fleet with a revision a service, without what the ledger does not read."""
    none: Any = SimpleNamespace(withdrawn=np.zeros(len(ids), np.bool_))
    columns = {f"account_{name}": sums[i] for i, name in enumerate(COLUMNS)}
    modes = np.full(len(ids), int(Mode.FULL))
    return Snapshot(
        at_s=at_s,
        revision=ids,
        service_of=np.arange(len(ids)),
        service=ids,
        decision=none,
        changes=Changes(revision=ids[:0], before=ids[:0], decision=none),
        columns=columns | {"spec_mode": modes, "spec_reachable": np.ones(len(ids), np.bool_)},
        notes={},
    )


def timed(work: Callable[[], object]) -> float:
    """CPU time, ms."""
    begin_s = time.process_time()
    work()
    return (time.process_time() - begin_s) * 1000


def peak_mib() -> float:
    """Of this process, until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(services: int, busy: float, folder: Path) -> dict[str, str]:
    """What is printed, by what it is."""
    draws, before_mib = np.random.default_rng(0), peak_mib()
    known = [f"team-{i // 50:03d}/service-{i:05d}" for i in range(services)]
    names = {name_id(name): name for name in known}
    ids, sums = np.array(list(names), dtype=np.int64), np.zeros((len(COLUMNS), services))
    ledger, now = Ledger(folder), BEGIN_S
    folds, saves = [], []
    for hour in range(HOURS):
        for second in (0.0, 60.0, 120.0):
            now = BEGIN_S + hour * HOUR_S + second
            seen = snapshot(now, ids, sums)
            folds.append(timed(partial(ledger.fold, seen, names, leads=True)))
            sums = sums + accounts(services, busy, draws) if second < 120.0 else sums
        saves.append(timed(partial(ledger.save, now)))
    asked = Period.last(readings.DAYS, now)
    answers = [timed(lambda: readings.sentences(ledger, now)) for _ in range(2)]
    by_hour = timed(
        lambda: readings.ledger(ledger, asked, namespace="", by="hour", limit=100, offset=0)
    )
    size = {
        suffix: [path.stat().st_size for path in folder.glob(f"*{suffix}")]
        for suffix in (".hour", ".day")
    }
    year = np.mean(size[".day"]) * YEAR_DAYS + np.mean(size[".hour"]) * WEEK_HOURS
    return {
        "fold a snapshot, ms": f"{np.median(folds):.1f}, at most {max(folds):.0f}",
        "save, ms": f"{np.median(saves):.0f}, at most {max(saves):.0f}",
        "7 days in words, ms": f"{answers[1]:.0f}, the first time in an hour {answers[0]:.0f}",
        "7 days by hour, ms": f"{by_hour:.0f}",
        "memory, MiB": f"{peak_mib() - before_mib:.0f} more at most",
        "an hour, a day on disk, kB": " and ".join(
            f"{np.mean(each) / 1000:.0f}" for each in size.values()
        ),
        "a year on disk, MB": f"{year / 1e6:.0f}",
    }


def main(
    services: Annotated[int, typer.Option(min=1)] = 10_000,
    busy: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share that always stands.")] = 1.0,
) -> None:
    """Print what a ledger of so many services takes."""
    table = Table("what", f"{services:,} services, {busy:.0%} always standing", box=None)
    with tempfile.TemporaryDirectory() as folder:
        for what, value in measured(services, busy, Path(folder)).items():
            table.add_row(what, value)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
