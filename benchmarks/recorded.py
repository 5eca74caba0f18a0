"""Replays a recording of a controller (`kn-ahead controller --record FILE`).

    python -m benchmarks.recorded FILE
    python -m benchmarks.recorded FILE --without-advice

The recorded events are handed to a controller of the present code with their recorded times. The
first command compares its instructions with the recorded ones, the second shows what prediction
changed.
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

SHOWN = 10  # differences printed

OnRecord = Callable[[Iterator[Record]], Iterable[Record]]


@dataclass(slots=True)
class Comparison:
    """Result of a replay."""

    begin_s: float = 0.0  # Unix s
    end_s: float = 0.0  # Unix s
    events: Counter[str] = field(default_factory=Counter)  # by kind
    instructions: Counter[str] = field(default_factory=Counter)  # by kind, as recorded
    differences: list[tuple[Record, list[Any]]] = field(default_factory=list)  # present answers


def replay(path: Path, *, advised: bool = True, on_record: OnRecord = iter) -> Comparison:
    """Hand the events to a new controller.

    advised: whether advice is among them. on_record: wraps the records, to show progress.
    Raises PermanentError for a file that is no recording.
    """
    plain, records = read(path)
    controller, found = Controller(plain=plain), Comparison()
    for record in on_record(records):
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
        bool, typer.Option("--without-advice", help="Replay it without any advice.")
    ] = False,
) -> None:
    """Replay a recording; exit code 1 where instructions differ."""
    console = Console()

    def track_records(records: Iterator[Record]) -> Iterable[Record]:
        return track(records, "Replaying", console=console)

    try:
        found = replay(file, advised=not without_advice, on_record=track_records)
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
