"""FeMux's published simulator figures beside what its rules give here.

    python -m benchmarks.goals.femux_published --minutes FILE --blocks FILE

``--minutes``: npz of one day with ``ids``, ``containers`` (n, 1440), ``avg_mem_mb``, and FeMux's
``knative_default_sim_cold_starts`` and ``knative_default_sim_mem_alloc``. ``--blocks``: npz of
blocks of 504 minutes with ``ids`` and FeMux's ``cold_starts_5min_keepalive``. Ends with 1 where a
figure is more than 10 % off.

Comparable is what keep-alives cost in minutes that were published: default Knative (the minute
before again) over that day, and the 5-minute keep-alive in the blocks of that day that both files
have. Whatever FeMux itself chose needs each minute of all applications, which was not published.
Containers are whole there, so memory in use, waste and RUM cannot be worked out of them either.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.cli.options import one_line_errors
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.scores.femux_rules import FemuxMinutes, most_of_last, played, within_rules
from benchmarks.scores.rum import BLOCK, in_blocks

WITHIN = 0.1
LEAST = 2e-5  # in flight, for which a container is needed
COLD, MEMORY = "knative_default_sim_cold_starts", "knative_default_sim_mem_alloc"
MINUTES = ("ids", "containers", "avg_mem_mb", COLD, MEMORY)
BLOCKS = ("ids", "cold_starts_5min_keepalive")

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of FeMux's, and ours."""

    name: str
    theirs: float
    ours: float
    alike: int  # of what it is summed over, how many are the same to a thousandth
    of: int

    @property
    def off(self) -> float:
        """By what part ours differs."""
        return self.ours / self.theirs - 1 if self.theirs else float(self.ours != 0)


def figures(day: Arrays, blocks: Arrays) -> list[Figure]:
    """All that can be compared."""
    need = day["containers"].astype(np.float64)
    before = _keep_alive(need, most_of_last(1, need), day["avg_mem_mb"])
    both, here, there = np.intersect1d(day["ids"], blocks["ids"], return_indices=True)
    if not len(both):
        raise PermanentError("the files have no application in common; expected: some of the ids")
    five = within_rules(most_of_last(5, need), need, 0)
    cold = in_blocks(_keep_alive(need, five, day["avg_mem_mb"]).cold)[here]
    theirs = blocks["cold_starts_5min_keepalive"][there, : cold.shape[1]].astype(np.float64)
    return [
        _figure("default Knative, cold starts", day[COLD].sum(axis=1), before.cold.sum(axis=1)),
        _figure(
            "default Knative, allocated GB-s",
            day[MEMORY].sum(axis=1),
            before.allocated_gb_s.sum(axis=1),
        ),
        *(
            _figure(f"5-minute keep-alive, cold starts, block {k + 1}", theirs[:, k], cold[:, k])
            for k in range(cold.shape[1])
        ),
    ]


def _keep_alive(need: FloatArray, forecasts: FloatArray, mem_mb: FloatArray) -> FemuxMinutes:
    """Of what was in flight its ceiling is known, of invocations that each cold one was missing.

    The least that has this ceiling is taken, so that what is used decides nothing.
    """
    least = np.where(need > 0, need - 1 + LEAST, 0.0)
    return played(least, forecasts, np.maximum(need - forecasts, 0.0), mem_mb / 1000)


def _figure(name: str, theirs: FloatArray, ours: FloatArray) -> Figure:
    return Figure(
        name=name,
        theirs=float(theirs.sum()),
        ours=float(ours.sum()),
        alike=int(np.isclose(ours, theirs, rtol=1e-3).sum()),
        of=len(ours),
    )


def read(path: Path, names: tuple[str, ...]) -> Arrays:
    """The arrays of an npz. Raises PermanentError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file]
            if missing:
                raise PermanentError(f"{path} has no {', '.join(missing)}; expected all of {names}")
            return {name: file[name] for name in names}
    except (OSError, ValueError, EOFError) as error:
        raise PermanentError(f"{path} cannot be read: {error}; expected numpy's npz") from error


def main(
    minutes: Annotated[Path, typer.Option(help="npz: FeMux's minutes of a day.")],
    blocks: Annotated[Path, typer.Option(help="npz: FeMux's blocks.")],
) -> None:
    """Print the figures; ends with 1 where one is more than 10 % off."""
    with one_line_errors():
        day, all_blocks = read(minutes, MINUTES), read(blocks, BLOCKS)
        found = figures(day, all_blocks)
    console = Console(width=100)
    table = Table(title="FeMux's simulator, published and here")
    for heading in ("", "published", "here", "off", "applications alike"):
        table.add_column(heading, justify="right")
    for each in found:
        table.add_row(
            each.name, f"{each.theirs:,.0f}", f"{each.ours:,.0f}", f"{each.off:+.2%}",
            f"{each.alike} of {each.of}",
        )  # fmt: skip
    console.print(table)
    of_blocks, days_blocks = all_blocks["cold_starts_5min_keepalive"].shape, len(found) - 2
    console.print(
        f"Comparable: {found[0].of} applications for a day; of the published blocks "
        f"{found[-1].of * days_blocks:,} of {of_blocks[0] * of_blocks[1]:,}, the first "
        f"{days_blocks * BLOCK} minutes of {found[-1].of} applications."
    )
    if any(abs(each.off) > WITHIN for each in found):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
