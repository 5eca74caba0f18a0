import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.errors import PermanentError
from autoscaler.exchange.layout import Field, Layout

LAYOUT = Layout(
    magic=b"KNTESTED",
    version=3,
    most={"rows": 100, "columns": 4},
    fields=(
        Field("at_s", "<f8", ()),
        Field("flag", "|b1", ("rows",)),
        Field("table", "<f4", ("rows", "columns")),
        Field("last", "<i8", ("columns",)),
    ),
)


def arrays(rows: int = 5, columns: int = 3) -> dict[str, Any]:
    return {
        "at_s": 1.5,
        "flag": np.arange(rows) % 2 == 0,
        "table": np.arange(rows * columns).reshape(rows, columns) / 7,
        "last": np.arange(columns) - 1,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize(("rows", "columns"), [(5, 3), (0, 0), (100, 4), (1, 0)])
def test_what_is_written_is_read(path: Path, rows: int, columns: int) -> None:
    written = arrays(rows, columns)
    LAYOUT.write(path, written)
    read = LAYOUT.read(path)
    assert read["at_s"] == 1.5
    for name in ("flag", "last"):
        np.testing.assert_array_equal(read[name], written[name])
    np.testing.assert_allclose(read["table"], written["table"], rtol=1e-6)


def test_a_file_is_replaced_whole_and_leaves_no_draft(path: Path) -> None:
    LAYOUT.write(path, arrays())
    before = path.stat().st_ino
    with path.open("rb") as open_before:
        LAYOUT.write(path, arrays(rows=7))
        assert os.fstat(open_before.fileno()).st_ino == before
        assert len(open_before.read()) < path.stat().st_size
    assert list(path.parent.iterdir()) == [path]


def test_what_is_read_cannot_be_changed(path: Path) -> None:
    LAYOUT.write(path, arrays())
    with pytest.raises(ValueError, match="read-only"):
        LAYOUT.read(path)["flag"][0] = True


@pytest.mark.parametrize(
    "wrong",
    [
        {"flag": np.zeros(4, np.bool_)},
        {"last": np.zeros(2, np.int64)},
        arrays(rows=101),
        arrays(columns=5),
    ],
    ids=["other rows", "other columns", "too many rows", "too many columns"],
)
def test_shapes_that_do_not_fit_are_not_written(path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has"):
        LAYOUT.write(path, arrays() | wrong)


def damaged(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(PermanentError, match=str(path)):
        LAYOUT.read(path)


def test_whatever_is_no_such_file_is_refused(path: Path) -> None:
    LAYOUT.write(path, arrays())
    good = path.read_bytes()
    for data in (
        b"",
        b"KNTESTED",
        good[:-1],
        good + b"\0",
        b"PK\x03\x04" + good[4:],
        good[:8] + struct.pack("<I", 4) + good[12:],  # another version
        good[:12] + struct.pack("<I", 3) + good[16:],  # other dimensions
        good[:16] + struct.pack("<Q", 101) + good[24:],  # more rows than there may be
        good[:16] + struct.pack("<Q", 2**63) + good[24:],
    ):
        damaged(path, data)


def test_a_huge_file_is_refused_before_it_is_read(path: Path) -> None:
    LAYOUT.write(path, arrays())
    with path.open("r+b") as file:
        file.truncate(2**40)  # a hole: it takes no room on the disk
    with pytest.raises(PermanentError, match="bytes; its head says"):
        LAYOUT.read(path)


def test_a_pipe_a_folder_and_a_link_are_refused(path: Path, tmp_path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(PermanentError, match="no file"):
        LAYOUT.read(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises((PermanentError, OSError)):
        LAYOUT.read(tmp_path / "folder")
    LAYOUT.write(tmp_path / "real", arrays())
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="symbolic"):
        LAYOUT.read(tmp_path / "link")


def test_the_largest_file_is_known_beforehand() -> None:
    full = LAYOUT.pack(arrays(rows=100, columns=4))
    assert len(full) == LAYOUT.largest


@settings(max_examples=300, deadline=None, derandomize=True)
@given(noise=st.binary(max_size=200), keep=st.integers(0, 200), at=st.integers(0, 300))
def test_noise_is_refused_or_read_and_never_more(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, keep: int, at: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    good = LAYOUT.pack(arrays())
    path.write_bytes(good[:keep] + noise + good[at:])
    try:
        read = LAYOUT.read(path)
    except PermanentError:
        return
    assert sum(array.nbytes for array in read.values()) <= LAYOUT.largest
