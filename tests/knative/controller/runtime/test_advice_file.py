"""The file of advice: whatever is there, the controller has good advice or none, and says why."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.exchange.advice import LAYOUT, NAME, AdviceTable
from knative.controller.runtime.advice_file import AdviceFile
from tests.knative.controller.world import KEY, an_advice


def demand(table: AdviceTable | None) -> float | None:
    return None if table is None else float(table.worth_starting[0, 0])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / NAME


def test_before_the_advisor_has_come_that_far_there_is_none_and_no_fault(tmp_path: Path) -> None:
    advice = AdviceFile(tmp_path)
    assert (advice.poll(), advice.table, advice.fault) == (False, None, "")


def test_advice_is_read_once_and_again_when_it_is_another(file: Path) -> None:
    advice = AdviceFile(file.parent)
    for said in (3.0, 4.0):
        an_advice({KEY: said}).write(file)
        assert [advice.poll(), advice.poll()] == [True, False]
        assert demand(advice.table) == said
        assert advice.fault == ""


def test_advice_that_vanishes_counts_no_more(file: Path) -> None:
    advice = AdviceFile(file.parent)
    an_advice({KEY: 3.0}).write(file)
    advice.poll()
    file.unlink()
    assert (advice.poll(), advice.table, advice.fault) == (True, None, "")
    an_advice({KEY: 3.0}).write(file)
    assert advice.poll()
    assert demand(advice.table) == 3.0


def whole() -> bytes:
    return LAYOUT.pack(an_advice({KEY: 3.0}).arrays())


def with_size(place: int, size: int) -> bytes:
    """A head that says another size of a dimension: windows, revisions, services, paths."""
    data, at = bytearray(whole()), 16 + 8 * place
    data[at : at + 8] = size.to_bytes(8, "little")
    return bytes(data)


DAMAGE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "bad magic": lambda: b"KNAHTICK" + whole()[8:],
    "another version": lambda: whole()[:8] + b"\x07\0\0\0" + whole()[12:],
    "cut in its head": lambda: whole()[:20],
    "cut by a byte": lambda: whole()[:-1],
    "a byte too many": lambda: whole() + b"\0",
    "more windows than there may be": lambda: with_size(0, 2**40),
    "absurdly many revisions": lambda: with_size(1, 2**63),
    "more revisions than follow": lambda: with_size(1, 10_000),
    "absurdly many paths": lambda: with_size(3, 2**64 - 1),
    "noise": lambda: os.urandom(4096),
    "text": lambda: b"advice" * 100,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_advice_is_none_names_the_file_and_the_next_good_one_counts(
    file: Path, damage: Callable[[], bytes]
) -> None:
    advice = AdviceFile(file.parent)
    an_advice({KEY: 3.0}).write(file)
    advice.poll()
    draft = file.with_name("draft")
    draft.write_bytes(damage())
    draft.replace(file)
    assert advice.poll()
    assert advice.table is None
    assert str(file) in advice.fault
    assert not advice.poll()
    an_advice({KEY: 5.0}).write(file)
    assert advice.poll()
    assert (demand(advice.table), advice.fault) == (5.0, "")


def a_folder(file: Path) -> None:
    file.mkdir()


def a_link(file: Path) -> None:
    an_advice({KEY: 3.0}).write(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def a_pipe(file: Path) -> None:
    os.mkfifo(file)


@pytest.mark.parametrize("make", [a_folder, a_link, a_pipe])
def test_what_is_no_file_is_no_advice_and_keeps_nobody_waiting(
    file: Path, make: Callable[[Path], None]
) -> None:
    make(file)
    advice = AdviceFile(file.parent)
    advice.poll()
    assert advice.table is None
    assert str(file) in advice.fault


def test_advice_written_in_place_counts_once_it_is_whole(file: Path) -> None:
    advice = AdviceFile(file.parent)
    for cut in (30, len(whole()) - 1, None):
        file.write_bytes(whole()[:cut])
        advice.poll()
        assert demand(advice.table) == (3.0 if cut is None else None)


def test_advice_that_is_replaced_while_it_is_read_is_read_as_it_was_or_as_it_is(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_advice({KEY: 3.0}).write(file)
    advice, opens = AdviceFile(file.parent), os.open

    def replaced(path: Path, flags: int) -> int:
        an_advice({KEY: 4.0, "shop/till": 5.0}).write(file)  # between the look and the reading
        return opens(path, flags)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, "open", replaced)
        advice.poll()
    assert demand(advice.table) in {3.0, 4.0, 5.0}
    advice.poll()
    assert advice.table is not None
    assert len(advice.table.revision) == 2


@pytest.mark.parametrize("where", ["stat", "open"])
def test_advice_that_cannot_be_read_for_a_while_is_read_when_it_can(
    file: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without descriptors, say: the file is the same afterwards."""
    an_advice({KEY: 3.0}).write(file)
    advice = AdviceFile(file.parent)
    if where == "stat":
        advice.poll()

    def refused(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr({"stat": "pathlib.Path.lstat", "open": "os.open"}[where], refused)
        advice.poll()
        assert advice.table is None
        assert "Too many open files" in advice.fault
    assert advice.poll()
    assert (demand(advice.table), advice.fault) == (3.0, "")
