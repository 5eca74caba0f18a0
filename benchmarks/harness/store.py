"""Parts that are done, in a folder: a benchmark that was cut off goes on from there.

A file is of one contender on one draw of one trace, and named after all that it depends on: trace,
settings, knob, and the code. What changes any of them is measured anew.
"""

import zlib
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from autoscaler.errors import PermanentError
from autoscaler.files import check_writable, whole_file
from benchmarks.harness.fleet import COLUMNS, HISTOGRAMS
from benchmarks.harness.part import Counted
from benchmarks.harness.rules import RULES
from benchmarks.harness.scene import Part
from benchmarks.policies.contender import Contender

ROOMS = ("autoscaler", "learner", "benchmarks")
SCALARS = ("plan_s", "simulate_s", "peak_mb", "starts", "surprises")


class Store:
    """A folder of parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, part: Part, contender: Contender) -> Counted | None:
        """What was counted; None = nothing yet, or what cannot be read."""
        path = self._path(part, contender)
        try:
            with path.open("rb") as whole, np.load(whole, allow_pickle=False) as file:
                return Counted(
                    services=tuple(file["services"].tolist()),
                    values=file["values"],
                    days_s=file["days_s"],
                    columns={key: file[key] for key in COLUMNS},
                    histograms={key: file[key] for key in HISTOGRAMS},
                    rules={key: file[key] for key in RULES},
                    **{key: file[key].item() for key in SCALARS},
                )
        except (OSError, KeyError, ValueError, EOFError, BadZipFile):
            return None

    def keep(self, part: Part, contender: Contender, found: Counted) -> None:
        """Write it, whole or not at all."""
        with whole_file(self._path(part, contender)) as file:
            arrays: dict[str, Any] = {
                "services": np.array(found.services),
                "values": found.values,
                "days_s": found.days_s,
                **found.columns,
                **found.histograms,
                **found.rules,
                **{key: np.array(getattr(found, key)) for key in SCALARS},
            }
            np.savez_compressed(file, **arrays)

    def _path(self, part: Part, contender: Contender) -> Path:
        trace = part.trace
        of_it = code_here(), astuple(part.settings), contender.name, contender.knob.values
        digest = zlib.crc32(repr((*of_it, trace.services, trace.start_s, trace.step_s)).encode())
        for array in (trace.counts, trace.duration_s):
            digest = zlib.crc32(np.ascontiguousarray(array).tobytes(), digest)
        name = "".join(c if c.isalnum() else "-" for c in f"{part.name} {contender.name}")
        return self.folder / f"{name}-seed{part.seed}-{digest:08x}.npz"


@cache
def code_here() -> str:
    """A digest of the sources that this process runs."""
    root, total = Path(__file__).parents[2], 0
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            total = zlib.crc32(path.read_bytes(), total)
    return f"{total:08x}"


def prepared(folder: Path) -> Path:
    """The same, made where it is not there. Raises PermanentError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PermanentError(f"{folder} cannot be made: {error.strerror}") from error
    check_writable(folder / "part")
    return folder
