"""The command demo.

Imports in the order in which something is to be seen: what the page needs takes a second, what
learns and simulates takes several.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli.options import PORT, one_line_errors
from autoscaler.errors import AutoscalerError
from autoscaler.files import check_writable
from autoscaler.logs import LogLevel, set_up

if TYPE_CHECKING:
    from benchmarks.demo.front import FrontDoor

app = typer.Typer()
INTERRUPTED = 130  # exit code, as of shells


@app.command()
def demo(
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = Path(
        "kn-ahead-demo.html"
    ),
    host: Annotated[str, typer.Option(help="Address that the page listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the page and its API.", parser=PORT)] = 8080,
    serve: Annotated[bool, typer.Option(help="Show it live; not in CI (CI=true).")] = "CI"
    not in os.environ,
) -> None:
    """A synthetic shop: two weeks learned, two days replayed under all policies, then live."""
    with one_line_errors():
        check_writable(report)
        with suppress(KeyboardInterrupt):
            if serve:
                _serve(report, host, port)
            else:
                _run(report)
            return
        raise typer.Exit(INTERRUPTED)


def _serve(report: Path, host: str, port: int) -> None:
    """The page from the beginning, and until it is interrupted."""
    from benchmarks.demo.cached import read_cached
    from benchmarks.demo.front import FrontDoor, serving

    door = FrontDoor(report)
    with serving(door, host, port):
        set_up(LogLevel.ERROR)  # what its own browser does wrong is of no use to a newcomer
        with suppress(AutoscalerError):  # another version wrote it: the page fills with this run
            door.show_cached(asyncio.run(read_cached()))
        typer.echo(f"Open {door.url}/ now: a former result is there until this run has its own.")
        _run(report, door)


def _run(report: Path, door: "FrontDoor | None" = None) -> None:
    from rich.console import Console

    from autoscaler.clock import SystemClock
    from benchmarks.demo.run import demonstrate
    from benchmarks.demo.shop import shop_of

    demonstrate(shop_of(SystemClock().now()), Console(), report, door)
