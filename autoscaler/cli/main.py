"""The command line: commands of every package that is installed.

A package has its commands in `commands.app`. An installation may lack packages: a controller's has
neither learner nor benchmarks.
"""

import platform
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler import __version__
from autoscaler.cli.options import one_line_errors
from autoscaler.errors import PermanentError
from autoscaler.files import check_writable

if TYPE_CHECKING:
    from autoscaler.core.prediction.dependencies import Edges

ROOMS = ("benchmarks", "learner", "knative")

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for room in ROOMS:
    if find_spec(room) and find_spec(f"{room}.commands"):
        app.add_typer(import_module(f"{room}.commands").app)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kn-ahead {__version__}, Python {platform.python_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[  # its callback has said it
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say, and end.")
    ] = False,
) -> None:
    """Pods are ready before the requests come: a predictive autoscaler for Knative."""


@app.command()
def version() -> None:
    """Say which version this is."""
    _say_version(asked=True)


@app.command()
def graph(
    url: Annotated[
        str, typer.Option(help="Of a running autoscaler's REST API, as http://127.0.0.1:9090.")
    ] = "",
    bundle: Annotated[
        Path | None, typer.Option(help="Forecasts that the learner published, instead.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the picture goes: a name in .svg or .html.")
    ] = None,
    direct: Annotated[
        bool, typer.Option("--direct/--all", help="Leave out what others in between explain.")
    ] = True,
    service: Annotated[
        str, typer.Option(help="namespace/service: only what leads to it or from it.")
    ] = "",
    least: Annotated[
        float, typer.Option(help="Confidence below which none is shown.", min=0.0, max=1.0)
    ] = 0.0,
) -> None:
    """Show the dependencies between services, in the terminal and as a picture."""
    from rich.console import Console

    from autoscaler.api.graph.picture import check_suffix
    from autoscaler.cli.graph import picture, shown

    with one_line_errors():
        if bool(url) == bool(bundle):
            raise PermanentError(
                f"graph got {'both' if url else 'neither'} of --url and --bundle; allowed: one"
            )
        if output:
            check_suffix(output)
            check_writable(output)
        known = _edges(url, bundle)
        edges = shown(known, direct=direct, least=least, service=service)
        Console().print(picture(edges, of=known))
        if output:
            _draw(edges, known, output)


def _edges(url: str, bundle: Path | None) -> "Edges":
    from autoscaler.bundle.file import load_bundle
    from autoscaler.cli.graph_source import read_edges

    if bundle:
        return load_bundle(bundle).edges
    return read_edges(url)


def _draw(edges: "Edges", known: "Edges", output: Path) -> None:
    from autoscaler.api.graph.picture import write_picture
    from autoscaler.cli.graph import hint, summary

    if not len(edges):
        typer.echo(f"Nothing to draw: {output} is not written.")
        return
    write_picture(edges, output, about=summary(edges, of=known))
    typer.echo(f"Picture: {output.resolve()}  {hint(edges)}".rstrip())


def main() -> None:
    """Run the command line; misuse is one line on stderr and exit code 2, as `AutoscalerError`s."""
    try:
        sys.exit(app(prog_name="kn-ahead", standalone_mode=False))
    except typer.TyperException as error:
        if message := " ".join(error.format_message().split()):  # "" = help was shown instead
            typer.echo(f"kn-ahead: {message}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
