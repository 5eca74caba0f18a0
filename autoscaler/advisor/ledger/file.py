"""Files of the ledger: a period that is over, and the hour that goes on.

Each is an array file of a fixed layout (`exchange.layout`), packed. Its version, its size on disk,
its size unpacked and its shapes are checked before its numbers are used.
"""

import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.advisor.ledger.counted import COLUMNS, Counted
from autoscaler.advisor.ledger.table import N_ROWS, Table
from autoscaler.core.state.revision import Mode
from autoscaler.errors import PermanentError
from autoscaler.exchange.layout import Arrays, Field, Layout
from autoscaler.files import whole_file
from autoscaler.limits import LEDGER_BYTES, LEDGER_NAMES, LEDGER_ROWS, REVISIONS

_MOST = {"rows": int(LEDGER_ROWS.most), "names": int(LEDGER_NAMES.most), "sums": N_ROWS}
_FIELDS = (
    *(Field(name, "<f8", ()) for name in ("start_s", "length_s", "covered_s")),
    Field("names", "|u1", ("names",)),  # UTF-8, a line each
    Field("mode", "|u1", ("rows",)),
)
PERIOD = Layout(
    magic=b"KNAHLEDG",
    version=2,
    most=_MOST,
    fields=(*_FIELDS, Field("sums", "<f4", ("sums", "rows"))),
)
GOING_ON = Layout(  # with what is needed to go on counting
    magic=b"KNAHLEDH",
    version=2,
    most={**_MOST, "columns": len(COLUMNS), "services": int(REVISIONS.most)},
    fields=(
        *_FIELDS,
        Field("sums", "<f8", ("sums", "rows")),
        Field("at_s", "<f8", ()),
        Field("service", "<i8", ("services",)),
        Field("counted", "<f8", ("columns", "services")),
    ),
)
_LEVEL = 6  # of zlib


def write_period(path: Path, table: Table) -> None:
    """Write an hour or a day that is over; beyond the limit those with most requests.

    Raises PermanentError if it cannot be written.
    """
    _write(path, PERIOD, _arrays(table))


def read_period(path: Path) -> Table:
    """What `write_period` wrote. Raises FileNotFoundError, PermanentError."""
    return _table(_read(path, PERIOD), path)


def write_going_on(path: Path, table: Table, counted: Counted) -> None:
    """Write the hour that goes on, and the sums of the snapshot that it was counted until.

    Raises PermanentError if it cannot be written.
    """
    more = {"at_s": counted.at_s, "service": counted.service, "counted": counted.sums}
    _write(path, GOING_ON, _arrays(table) | more)


def read_going_on(path: Path) -> tuple[Table, Counted]:
    """What `write_going_on` wrote. Raises FileNotFoundError, PermanentError."""
    arrays = _read(path, GOING_ON)
    counted = Counted(at_s=float(arrays["at_s"]), service=arrays["service"], sums=arrays["counted"])
    return _table(arrays, path), counted


def _write(path: Path, layout: Layout, arrays: dict[str, Any]) -> None:
    data = zlib.compress(layout.pack(arrays), _LEVEL)
    with whole_file(path) as file:
        file.write(data)


def _arrays(table: Table) -> dict[str, Any]:
    if len(table.services) > LEDGER_ROWS.most:
        table = _largest(table, int(LEDGER_ROWS.most))
    names = "\n".join(table.services).encode()
    return {
        "start_s": table.start_s,
        "length_s": table.length_s,
        "covered_s": table.covered_s,
        "names": np.frombuffer(names, np.uint8),
        "mode": table.mode,
        "sums": table.sums,
    }


def _largest(table: Table, most: int) -> Table:
    """The services with most requests."""
    rows = np.sort(np.argsort(-table.sums[COLUMNS.index("requests")], kind="stable")[:most])
    return replace(
        table,
        services=tuple(table.services[row] for row in rows.tolist()),
        mode=table.mode[rows],
        sums=table.sums[:, rows],
    )


def _read(path: Path, layout: Layout) -> Arrays:
    with path.open("rb") as file:
        packed = file.read(int(LEDGER_BYTES.most) + 1)
    if len(packed) > LEDGER_BYTES.most:
        raise PermanentError(f"{path} is too large; allowed: {LEDGER_BYTES}")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, layout.largest)
    except zlib.error as error:
        raise PermanentError(f"{path} is damaged ({error}); allowed: a file as written") from error
    if not unpacker.eof:
        raise PermanentError(f"{path} is cut short, or too large; allowed: a file as written")
    return layout.unpack(data, path)


def _table(arrays: Arrays, path: Path) -> Table:
    valid = bool((arrays["mode"] < len(Mode)).all())
    numbers = [arrays[name] for name in ("start_s", "length_s", "covered_s", "sums")]
    if not (valid and all(bool((np.isfinite(n) & (n >= 0)).all()) for n in numbers)):
        raise PermanentError(f"{path} holds what was never counted; allowed: numbers from 0 on")
    names = arrays["names"].tobytes().decode("utf-8", "replace")
    services = tuple(map(sys.intern, names.split("\n"))) if names else ()
    if (len(services), N_ROWS) != (len(arrays["mode"]), len(arrays["sums"])):
        raise PermanentError(
            f"{path} has {len(services)} names, {len(arrays['mode'])} rows and "
            f"{len(arrays['sums'])} sums; allowed: as many names as rows, {N_ROWS} sums"
        )
    return Table(
        start_s=float(arrays["start_s"]),
        length_s=float(arrays["length_s"]),
        covered_s=float(arrays["covered_s"]),
        services=services,
        mode=arrays["mode"].astype(np.int64),
        sums=arrays["sums"],
    )
