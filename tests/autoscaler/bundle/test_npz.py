"""Archives that lie, or that are small and hold much: refused before they take memory."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.bundle.npz import read_npz
from autoscaler.errors import PermanentError
from autoscaler.limits import (
    ARCHIVE_MEMBERS,
    ARRAY_HEADER,
    BUNDLE_BYTES,
    BUNDLE_UNPACKED,
    MIB,
    Limit,
)
from autoscaler.refusals import LimitError

SMALL = Limit("small", MIB, "bytes unpacked", "for tests")


def npy(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


def zipped(path: Path, *members: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def refusal(path: Path, limit: Limit = SMALL) -> PermanentError:
    with pytest.raises(PermanentError) as caught:
        read_npz(path, allowed="a test", unpacked=limit)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def limit_of(error: PermanentError) -> str:
    assert isinstance(error, LimitError)
    return error.limit.name


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array("text"),
        np.zeros((0, 4)),
        np.array(["a", "ünï", ""]),
        np.array([], dtype=np.str_),
        np.array([True, False]),
        np.arange(400_000.0),
    ],
)
def test_arrays_come_back_as_they_were_and_can_be_changed(tmp_path: Path, array: Any) -> None:
    path = tmp_path / "a.npz"
    for save in (np.savez, np.savez_compressed):
        with path.open("wb") as file:
            save(file, a=array)
        read = read_npz(path, allowed="a test")["a"]
        assert (read.dtype, read.shape, read.flags.writeable) == (array.dtype, array.shape, True)
        np.testing.assert_array_equal(read, array)


def test_what_unpacks_to_more_than_is_allowed_is_refused_by_its_directory(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npz", ("a.npy", npy(np.zeros(200_000))))
    assert path.stat().st_size < 10_000
    assert limit_of(refusal(path)) == "small"


def test_a_directory_that_tells_of_less_than_there_is_inflates_no_more_than_it_tells(
    tmp_path: Path,
) -> None:
    path = zipped(tmp_path / "a.npz", ("a.npy", npy(np.zeros(200_000))))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    assert "damaged" in str(refusal(path))
    # With a header that tells the same lie, it is the checksum that does not fit.
    header = npy(np.zeros(109))
    path = zipped(tmp_path / "b.npz", ("a.npy", header + bytes(1_000_000)))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = len(header).to_bytes(4, "little")
    path.write_bytes(data)
    assert "Bad CRC-32" in str(refusal(path))


@pytest.mark.parametrize("shape", ["(10000000000,)", "(-1,)", "(3, 10000000000000)", "(2, 2)"])
def test_a_header_that_tells_of_another_size_takes_no_memory(tmp_path: Path, shape: str) -> None:
    content = npy(np.zeros(3)).replace(b"(3,)", shape.encode())
    path = zipped(tmp_path / "a.npz", ("a.npy", content))
    assert "damaged" in str(refusal(path))


def test_elements_of_no_size_are_refused(tmp_path: Path) -> None:
    content = npy(np.array(["a"])).replace(b"<U1", b"<U0")[:-4]
    path = zipped(tmp_path / "a.npz", ("a.npy", content))
    assert "another size" in str(refusal(path))


def test_a_long_header_is_not_parsed(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (0,)}" + b" " * 60_000
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    path = zipped(tmp_path / "a.npz", ("a.npy", content))
    assert limit_of(refusal(path)) == ARRAY_HEADER.name
    content = b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header
    path = zipped(tmp_path / "a.npz", ("a.npy", content))
    assert "unusual format" in str(refusal(path))


def test_a_directory_of_very_many_members_is_not_read(tmp_path: Path) -> None:
    one = npy(np.zeros(0))
    path = zipped(tmp_path / "a.npz", *((f"a{i}.npy", one) for i in range(65)))
    assert limit_of(refusal(path)) == ARCHIVE_MEMBERS.name
    data = bytearray(path.read_bytes())
    data[-14:-10] = bytes(4)  # it says that there are none
    path.write_bytes(data)
    assert limit_of(refusal(path)) == ARCHIVE_MEMBERS.name


@pytest.mark.parametrize("name", ["a", "a.txt", "../a.npy", "a b.npy", "\x1b[2J.npy", ".npy"])
def test_a_member_that_is_no_array_is_named(tmp_path: Path, name: str) -> None:
    said = str(refusal(zipped(tmp_path / "a.npz", (name, b"no array"))))
    assert "is no array" in said
    assert said.isprintable()


def test_a_member_that_only_looks_like_an_array_is_refused(tmp_path: Path) -> None:
    assert "damaged" in str(refusal(zipped(tmp_path / "a.npz", ("a.npy", b"no array"))))


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_zipfile_inflates_without_bounds_is_refused(tmp_path: Path, how: int) -> None:
    path = zipped(tmp_path / "a.npz", ("a.npy", npy(np.zeros(3))), how=how)
    assert "unusual way" in str(refusal(path))


READ = """
import resource, sys
from pathlib import Path
from autoscaler.errors import PermanentError
from autoscaler.bundle.file import load_bundle
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_bundle(Path(sys.argv[1]))
except PermanentError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


def grown_mib(path: Path) -> tuple[float, str]:
    """By how much a process of its own grows that reads the bundle, and what it says."""
    command = [sys.executable, "-c", READ, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    kib, _, said = done.stdout.partition(" ")
    return float(kib) / 1024, said


def test_a_file_of_719_kb_that_unpacks_to_480_mb_is_refused_in_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with path.open("wb") as file:
        np.savez_compressed(file, exceedance=np.zeros((60_000, 5, 200)))
    assert path.stat().st_size < 719_000
    grown, said = grown_mib(path)
    assert f"more than {BUNDLE_UNPACKED.most:.0f} bytes unpacked" in said
    assert grown < 20


def test_a_file_of_900_mb_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.npz"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(900 * 10**6)
    grown, said = grown_mib(path)
    assert f"more than {BUNDLE_BYTES.most:.0f} bytes" in said
    assert grown < 20
