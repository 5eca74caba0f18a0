"""Tables as kubectl prints them: one line a row, to be read in a terminal or by programs."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from autoscaler.cli.options import Output
from autoscaler.cli.words import plain
from autoscaler.errors import PermanentError

Row = TypeVar("Row")

UNKNOWN = "-"
UNCUT = 100_000  # columns of what is no terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[Row]):
    """One column of a table; a value that is not known is None."""

    head: str  # in capitals, with the unit in brackets
    value: Callable[[Row], Any]  # numbers, or text, which the column is sorted by
    text: Callable[[Any], str] = str  # what is shown of a known value
    number: bool = False  # to the right, and never folded
    wide: bool = False  # with -o wide only
    style: Callable[[Row], str] = lambda _: ""

    @property
    def name(self) -> str:
        """As --sort-by names it."""
        return self.head.partition("(")[0].lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How what was found is shown."""

    output: Output
    sort_by: str  # a column; "" = in alphabetical order
    headers: bool


def console(width: int | None = None) -> Console:
    """What is printed to; without any style where NO_COLOR says so, as in a pipe."""
    styled = not os.environ.get("NO_COLOR")
    return Console(width=width, color_system="auto" if styled else None, highlight=False)


def sorted_by(rows: Sequence[Row], columns: Sequence[Column[Row]], name: str) -> Sequence[Row]:
    """Rows by a column, what is not known last; a "-" before the name turns the order.

    Raises PermanentError for a column that there is not.
    """
    found = [c for c in columns if c.name == name.lower().removeprefix("-")]
    if not found:
        allowed = ", ".join(c.name for c in columns)
        raise PermanentError(f"there is no column {name!r} to sort by; allowed: {allowed}")
    value = found[0].value
    known = [row for row in rows if value(row) is not None]
    known.sort(key=value, reverse=name.startswith("-"))
    return [*known, *(row for row in rows if value(row) is None)]


def print_table(rows: Sequence[Row], columns: Sequence[Column[Row]], *, headers: bool) -> None:
    """Print rows: within a terminal's width, unless there are wide columns; else never cut."""
    wide = any(column.wide for column in columns)
    show(_table(rows, columns, headers=headers), wide=wide)


def show(*parts: RenderableType, wide: bool = False) -> None:
    """Print parts; folded to the width of a terminal unless wide, whole in a pipe."""
    screen = console()
    if screen.is_terminal and not wide:
        screen.print(*parts, sep="\n")
        return
    whole = console(width=UNCUT)
    with whole.capture() as capture:
        whole.print(*parts, sep="\n")
    for line in capture.get().splitlines():
        whole.file.write(f"{line.rstrip()}\n")


def _table(rows: Sequence[Row], columns: Sequence[Column[Row]], *, headers: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=headers)
    for column in columns:
        table.add_column(
            Text(column.head, style="dim"),
            justify="right" if column.number else "left",
            no_wrap=column.number,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(row, column) for column in columns))
    return table


def _cell(row: Row, column: Column[Row]) -> Text:
    value = column.value(row)
    text = UNKNOWN if value is None else plain(column.text(value))
    return Text(text, style=column.style(row))
