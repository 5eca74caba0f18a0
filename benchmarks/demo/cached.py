"""A former result of the demo, shown until a run has one of its own.

It is what the simulated controller and the learner handed to the advisor at the end of a replay, in
their own files, and the replay's figures. `python -m benchmarks.demo.make_cached` makes it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

from autoscaler.advisor.advisor import Advisor, AdvisorSettings
from autoscaler.advisor.read_model import ReadModel
from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SimulatedClock
from autoscaler.files import whole_file
from autoscaler.health import Health
from autoscaler.refusals import Refusals
from benchmarks.demo.status import Figures, Origin

SHIPPED = Path(__file__).with_name("cached.zip")
ABOUT, FORECASTS = "about.json", "forecasts.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """What can be shown of a former run."""

    origin: Origin
    figures: Figures
    model: ReadModel
    clock: SimulatedClock


def advisor_of(folder: Path, model: ReadModel, clock: SimulatedClock) -> Advisor:
    """Fills the model from the files of controller and learner in one folder."""
    files = AdvisorSettings(snapshots=folder, advice=folder, bundle=folder / FORECASTS)
    return Advisor(
        files,
        model,
        clock,
        load_bundle=load_bundle,
        on_change=lambda _: None,
        on_begin=lambda _: None,
        refusals=Refusals(),
    )


async def read_cached(path: Path = SHIPPED) -> Cached:
    """The result in a file. Raises PermanentError where another version wrote it."""
    model, clock = ReadModel(Health()), SimulatedClock()
    with TemporaryDirectory(prefix="kn-ahead-") as name:
        folder = Path(name)
        with ZipFile(path) as file:
            file.extractall(folder)
        about = json.loads((folder / ABOUT).read_text())
        clock.advance(about["now"])
        advisor = advisor_of(folder, model, clock)
        await advisor.read_snapshot()
        await advisor.read_bundle()
        await advisor.update_graph()
    rows = tuple(map(tuple, about["figures"]["rows"]))
    return Cached(
        origin=Origin(**about["origin"]),
        figures=Figures(title=about["figures"]["title"], rows=rows),
        model=model,
        clock=clock,
    )


def write_cached(
    path: Path, files: Mapping[str, bytes], figures: Figures, origin: Origin, now: float
) -> None:
    """files: those of controller and learner, by name. now: Unix s at which they were written."""
    about = {"origin": asdict(origin), "figures": asdict(figures), "now": now}
    with whole_file(path) as whole, ZipFile(whole, "w", ZIP_DEFLATED) as file:
        file.writestr(ABOUT, json.dumps(about))
        for name, content in files.items():
            file.writestr(name, content)
