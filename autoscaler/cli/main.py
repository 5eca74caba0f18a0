"""The command line: commands of every package that is installed.

A package has its commands in `commands.app`. An installation may lack packages: a controller's has
neither learner nor benchmarks.
"""

import platform
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from autoscaler import __version__
from autoscaler.cli import commands
from autoscaler.cli.exit_codes import epilog

ROOMS = ("benchmarks", "learner", "knative")

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    epilog=epilog(),
)
app.add_typer(commands.app)
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


def main(program: str) -> None:
    """Run the command line; misuse is one line on stderr and exit code 2, as `AutoscalerError`s.

    program: how it was called, for its help.
    """
    try:
        sys.exit(app(prog_name=program, standalone_mode=False))
    except typer.TyperException as error:
        if message := " ".join(error.format_message().split()):  # "" = help was shown instead
            typer.echo(f"kn-ahead: {message}", err=True)
        sys.exit(error.exit_code)
