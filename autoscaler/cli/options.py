"""Shared by all commands: parsers of values, and errors as one line."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.exit_codes import ExitCode
from autoscaler.errors import AutoscalerError, PermanentError
from autoscaler.logs import FORMAT_VARIABLE, LEVEL_VARIABLE, LogFormat, LogLevel

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def within(least: int, most: int | None = None) -> Callable[[object], int]:
    """A parser of whole numbers from ``least`` to ``most``; None = unlimited."""

    def read(value: object) -> int:
        text = str(value).strip()
        number = int(text) if re.fullmatch(r"-?\d{1,18}", text) else None
        if number is None or number < least or (most is not None and number > most):
            allowed = f">= {least}" if most is None else f"{least} to {most}"
            raise typer.BadParameter(f"{text!r}; allowed: whole numbers {allowed}")
        return number

    return read


class Output(StrEnum):
    """How `kn-ahead get` prints objects."""

    TABLE, WIDE, JSON, YAML, NAME = "table", "wide", "json", "yaml", "name"


PORT, ANY_PORT, COUNT, FIT = within(1, 65_535), within(0, 65_535), within(0), within(1)
DAYS = within(1, 400)

StepS = Annotated[float, typer.Option("--step", help="Step of the demand learned from, s.")]
Concurrency = Annotated[
    int, typer.Option(help="Requests in flight that one pod takes; 0 = no limit.", parser=COUNT)
]

FitRows = Annotated[
    int,
    typer.Option(help="Rows that a fit learns from; time and memory grow with it.", parser=FIT),
]
FitRounds = Annotated[
    int, typer.Option(help="Trees of each window's model; time grows with it.", parser=FIT)
]

TokenFile = Annotated[
    Path | None, typer.Option(help="File that holds a bearer token for Prometheus.")
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", help="Sent to Prometheus, as 'X-Scope-OrgID: team'; may be repeated."),
]
CaFile = Annotated[
    Path | None, typer.Option(help="Certificates, PEM, that Prometheus's is checked against.")
]
ClientCert = Annotated[
    Path | None, typer.Option(help="Certificate, PEM, that Prometheus is shown.")
]
ClientKey = Annotated[Path | None, typer.Option(help="Its private key, PEM.")]

ApiTokenFile = Annotated[Path | None, typer.Option(help="File that holds a bearer token for it.")]
ApiHeaders = Annotated[
    list[str] | None,
    typer.Option("--header", help="Sent to it, as 'Name: value'; repeatable."),
]
ApiCaFile = Annotated[
    Path | None, typer.Option(help="Certificates, PEM, that the URL's is checked against.")
]

DEFAULT_URL = "http://127.0.0.1:9090"
Url = Annotated[
    str,
    typer.Option(
        envvar="KN_AHEAD_URL",
        show_default=DEFAULT_URL,
        help="Of a running autoscaler's REST API.",
    ),
]
Context = Annotated[
    str, typer.Option(help="Of a kubeconfig: the autoscaler in its cluster, instead of a URL.")
]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="In place of $KUBECONFIG or ~/.kube/config; as --context.")
]

LogLevelOption = Annotated[
    LogLevel, typer.Option("--log-level", envvar=LEVEL_VARIABLE, help="Of the log on stderr.")
]
LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", envvar=FORMAT_VARIABLE, help="Of the log on stderr.")
]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Report an `AutoscalerError` as one line on stderr, with exit code 2."""
    try:
        yield
    except AutoscalerError as error:
        typer.echo(f"kn-ahead: {error}", err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error


def moment(text: str, start_s: float) -> float:
    """Unix s of "10d", "36h", "90m", "30s" after ``start_s``, or of an ISO 8601 time.

    >>> moment("2h", 100.0)
    7300.0
    """
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip()):
        return start_s + float(found[1]) * UNITS_S[found[2]]
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except ValueError as error:
        raise PermanentError(
            f"time {text!r} is not understood; allowed: 10d, 36h, 90m, 30s after the start, "
            "or ISO 8601 such as 2026-11-23T00:00Z"
        ) from error
