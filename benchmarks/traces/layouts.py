"""Which reader takes which files: told by how the first of them begins."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from autoscaler.errors import PermanentError
from benchmarks.traces import azure_2019, exported, huawei, request_rows
from benchmarks.traces.count_table import CountTable
from benchmarks.traces.csv_rows import header_of, numbered_lines

# In a folder, the first of these that it has.
FOLDERS = (
    f"{azure_2019.INVOCATIONS}*.csv",
    "invocations.csv",
    *(f"{folder}/*.csv" for folder in huawei.DURATION_FOLDERS),
    "*.csv",
)
PICKLE_START = b"\x80"


class Reader(NamedTuple):
    """Takes CSV files whose headers it knows."""

    matches: Callable[[list[str]], bool]
    read: Callable[[list[Path]], CountTable]
    columns: str  # that it knows, for people


READERS = (
    Reader(azure_2019.matches, azure_2019.read, azure_2019.COLUMNS),
    Reader(huawei.matches, huawei.read, f"{','.join(huawei.NAMES)} and one for each function"),
    *(
        Reader(layout.matches, request_rows.read, ",".join(layout.columns))
        for layout in request_rows.LAYOUTS
    ),
)


def files_of(folder: Path) -> list[Path]:
    """The trace's files in a folder. Raises PermanentError where there are none."""
    for pattern in FOLDERS:
        if paths := sorted(folder.glob(pattern)):
            return paths
    raise PermanentError(f"{folder} holds no CSV file; allowed: a public trace")


def read_text(paths: list[Path]) -> CountTable:
    """Read text files of one layout. Raises PermanentError, naming the file."""
    if exported.matches(_first_line(paths[0])):
        if len(paths) > 1:
            raise PermanentError(f"{paths[1]} is one file too many; allowed: one of OpenMetrics")
        return exported.read(paths[0])
    readers = {path: _reader(path) for path in paths}
    first = readers[paths[0]]
    other = next((path for path in paths if readers[path].columns != first.columns), None)
    if other:
        begins = ",".join(header_of(other))
        raise PermanentError(
            f"{other} begins with {begins[:80]!r}; allowed: {first.columns}, as {paths[0].name}"
        )
    return first.read(paths)


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(1) == PICKLE_START:
            raise PermanentError(
                f"{path} is a pickle, which would run its code here; allowed: a CSV of it, as"
                " pandas' DataFrame.explode and to_csv make it"
            )
    return next((line for _, line in numbered_lines(path)), "")


def _reader(path: Path) -> Reader:
    header = header_of(path)
    if huawei.COLD_STARTS in header:
        raise PermanentError(f"{path} holds cold starts; allowed: requests of the same release")
    for reader in READERS:
        if reader.matches(header):
            return reader
    known = "; or ".join(reader.columns for reader in READERS)
    raise PermanentError(
        f"{path} begins with {','.join(header)[:80]!r}; allowed: an npz, kn-ahead's OpenMetrics,"
        f" or the columns {known}"
    )
