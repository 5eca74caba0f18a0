"""A recording that is damaged or cut short, or cannot be written, harms nobody and is named."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import PermanentError
from autoscaler.limits import RECORDING_BYTES, Limit
from knative.controller.runtime import recording
from knative.controller.runtime.recording import Record, Recorder, read
from tests.autoscaler.core.stories import LAW
from tests.knative.controller.recorded import NAMES, Recorded, happens
from tests.knative.objects import NOW_S


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("run") / "run.gz"
    world = Recorded(path)
    happens(world, NAMES)
    world.recorder.end()
    return path.read_bytes()


def read_all(path: Path) -> list[Record]:
    return list(read(path)[1])


def ends_well(path: Path) -> list[Record]:
    """What can be read of a file; any error names it."""
    try:
        return read_all(path)
    except PermanentError as error:
        if str(path) not in str(error):
            raise
        return []


@LAW
@given(share=st.floats(0, 1))
def test_a_recording_that_was_cut_short_just_ends(
    tmp_path_factory: pytest.TempPathFactory, good: bytes, share: float
) -> None:
    path = tmp_path_factory.mktemp("run") / "run.gz"
    path.write_bytes(good)
    every = read_all(path)
    path.write_bytes(good[: int(share * len(good))])
    found = ends_well(path)
    # What followed from the last event may be what was cut.
    assert [repr(r) for r in found[:-1]] == [repr(r) for r in every[: len(found)][:-1]]
    assert [repr(r.event) for r in found[-1:]] == [repr(r.event) for r in every[: len(found)][-1:]]


def test_of_a_writer_that_was_killed_all_up_to_its_last_tick_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.gz"
    world = Recorded(path)
    happens(world, ["cart is called", "tick"])
    before = len(read_all(path))  # it goes on, and has not been closed
    assert before >= 10
    happens(world, ["tick"])
    assert len(read_all(path)) > before
    world.recorder.end()


@LAW
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), packed=st.booleans())
def test_a_recording_that_is_damaged_names_itself(
    tmp_path_factory: pytest.TempPathFactory, good: bytes, at: float, byte: int, packed: bool
) -> None:
    data = bytearray(good if packed else gzip.decompress(good))
    data[int(at * len(data))] = byte
    path = tmp_path_factory.mktemp("run") / "run.gz"
    path.write_bytes(data if packed else gzip.compress(bytes(data)))
    ends_well(path)


HEAD = recording.HEAD.pack
BEGUN = recording.TITLE + HEAD(0, NOW_S, 15) + b'{"plain":false}'
DAMAGE = {
    "no gzip": b"kn-ahead recording 1\n",
    "empty": b"",
    "another kind of file": gzip.compress(b"something else entirely"),
    "title alone": gzip.compress(recording.TITLE),
    "an event first": gzip.compress(recording.TITLE + HEAD(1, NOW_S, 2) + b"{}"),
    "a beginning without words": gzip.compress(recording.TITLE + HEAD(0, NOW_S, 2) + b"{}"),
    "a beginning that is no JSON": gzip.compress(recording.TITLE + HEAD(0, NOW_S, 2) + b"{["),
    "a record that is too long": gzip.compress(BEGUN + HEAD(1, NOW_S, 2**32 - 1)),
    "an event that is a list": gzip.compress(BEGUN + HEAD(1, NOW_S, 2) + b"[]"),
    "an event that is a text": gzip.compress(BEGUN + HEAD(1, NOW_S, 2) + b'""'),
    "an event nobody knows": gzip.compress(BEGUN + HEAD(1, NOW_S, 13) + b'{"kind":"Me"}'),
    "an event that lacks all": gzip.compress(BEGUN + HEAD(1, NOW_S, 18) + b'{"kind":"PodSeen"}'),
    "deep nesting": gzip.compress(BEGUN + HEAD(1, NOW_S, 100_000) + b"[" * 100_000),
    "instructions that are none": gzip.compress(
        BEGUN + HEAD(1, NOW_S, 17) + b'{"kind":"Ticked"}' + HEAD(3, NOW_S, 1) + b"["
    ),
    "advice that is none": gzip.compress(BEGUN + HEAD(2, NOW_S, 4) + b"KNAH"),
    "a kind of record nobody knows": gzip.compress(
        BEGUN + HEAD(9, NOW_S, 17) + b'{"kind":"Ticked"}'
    ),
}


@pytest.mark.parametrize("data", DAMAGE.values(), ids=DAMAGE.keys())
def test_what_is_no_recording_is_refused_by_its_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "run.gz"
    path.write_bytes(data)
    with pytest.raises(PermanentError, match=r"run\.gz"):
        read_all(path)


def test_what_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.gz", tmp_path):
        with pytest.raises(PermanentError, match=str(path)):
            read_all(path)


# --- where it cannot be written -------------------------------------------------------------------


def test_a_full_disk_ends_the_recording_and_nothing_else() -> None:
    world = Recorded(Path("/dev/full"))
    happens(world, NAMES * 3)
    assert world.recorder.fault.startswith("the recording ends: ")
    assert world.tick(2.0) is not None
    world.recorder.end()


def test_too_long_a_recording_ends_and_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Limit(RECORDING_BYTES.name, 5000, RECORDING_BYTES.unit, RECORDING_BYTES.why)
    monkeypatch.setattr(recording, "RECORDING_BYTES", short)
    world = Recorded(tmp_path / "run.gz")
    happens(world, NAMES * 3)
    assert "bytes, and ends" in world.recorder.fault
    assert len(read_all(tmp_path / "run.gz")) > 10


def test_a_file_that_cannot_be_made_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        Recorder(tmp_path / "nowhere" / "run.gz", plain=False, now=NOW_S)
