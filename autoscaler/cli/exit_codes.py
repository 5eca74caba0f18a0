"""The exit codes of `kn-ahead`, in one table, which `kn-ahead --help` ends with."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    NOT_SO = 1
    UNUSABLE = 2
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done; also where there was nothing to list",
    ExitCode.NOT_SO: "something is not so: a benchmark missed its bound, an answer differs from "
    "the recorded one, a part of a running process failed",
    ExitCode.UNUSABLE: "what was given cannot be used, and one line says what can be: an option, a "
    "file, a name, an address that nobody answers at as expected",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}
BY_SIGNAL = "128+N", "autoscale: its controller was ended by signal N"


def epilog() -> str:
    """The table as text, a paragraph a row."""
    rows = [*((str(int(code)), meaning) for code, meaning in MEANINGS.items()), BY_SIGNAL]
    return "\n\n".join(["Exit codes:", *(f"{code}: {meaning}" for code, meaning in rows)])
