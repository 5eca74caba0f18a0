"""What was recorded on a cluster (`kn-ahead controller --record FILE`), replayed at a desk.

    python -m benchmarks.recorded FILE
    python -m benchmarks.recorded FILE --without-advice

The events of the recording are handed to a controller of the present code, at the times at which
they came. The first command tells whether it asks for the same, the second what prediction changed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from autoscaler.errors import PermanentError
from knative.controller.runtime.recording import Record, as_json, read
from knative.controller.state.controller import Controller
from knative.controller.state.events import AdviceSeen

SHOWN = 10  # differences

Progress = Callable[[Iterator[Record]], Iterable[Record]]


@dataclass(slots=True)
class Comparison:
    """How a replay went."""

    begin_s: float = 0.0  # Unix s
    end_s: float = 0.0  # Unix s
    events: Counter[str] = field(default_factory=Counter)  # by kind
    instructions: Counter[str] = field(default_factory=Counter)  # by kind, as recorded
    differences: list[tuple[Record, list[Any]]] = field(default_factory=list)  # what is asked now


def replay(path: Path, *, advised: bool = True, progress: Progress = iter) -> Comparison:
    """Hand the events to a new controller.

    advised: whether it hears of advice. progress: passes records on, and shows that they pass.
    Raises PermanentError for what is no recording.
    """
    plain, records = read(path)
    controller, found = Controller(plain=plain), Comparison()
    for record in progress(records):
        found.begin_s, found.end_s = found.begin_s or record.now, record.now
        found.events[type(record.event).__name__] += 1
        found.instructions.update(one["kind"] for one in record.instructions)
        event = record.event
        if isinstance(event, AdviceSeen) and not advised:
            event = AdviceSeen(table=None)
        asked = as_json(controller.handle(event, record.now))
        if asked != record.instructions:
            found.differences.append((record, asked))
    return found


def main(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    without_advice: Annotated[
        bool, typer.Option("--without-advice", help="Replay it as if nothing had been advised.")
    ] = False,
) -> None:
    """Replay a recording; the exit code is 1 where something else is asked for now."""
    console = Console()

    def progress(records: Iterator[Record]) -> Iterable[Record]:
        return track(records, "Replaying", console=console)

    try:
        found = replay(file, advised=not without_advice, progress=progress)
    except (PermanentError, OSError) as error:
        typer.echo(f"recorded: {error}", err=True)
        raise typer.Exit(2) from error
    table = Table("what", "how many")
    for name, n in [*sorted(found.events.items()), *sorted(found.instructions.items())]:
        table.add_row(name, f"{n:,}")
    console.print(table)
    console.print(f"{found.end_s - found.begin_s:,.0f} s, {len(found.differences):,} differences")
    for record, asked in found.differences[:SHOWN]:
        console.print(f"at {record.now:.3f} {type(record.event).__name__}")
        console.print(f"  recorded {record.instructions}\n  now      {asked}", highlight=False)
    raise typer.Exit(1 if found.differences else 0)


if __name__ == "__main__":
    typer.run(main)
