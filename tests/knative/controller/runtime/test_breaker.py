"""Who crashes again and again starts as plain KPA."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knative.controller.runtime.breaker import CRASHES, FILE_BYTES, WITHIN_S, Breaker
from tests.autoscaler.core.stories import LAW
from tests.knative.objects import NOW_S


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "starts"


def starts(file: Path, *at_s: float) -> list[bool]:
    """Whether each of some starts has to be a plain one; none of them ended well."""
    return [Breaker(file).start(NOW_S + at) for at in at_s]


def test_after_three_crashes_in_ten_minutes_a_start_is_plain(file: Path) -> None:
    assert starts(file, 0, 10, 20, 30, 40) == [False, False, False, True, True]


def test_crashes_long_ago_do_not_count(file: Path) -> None:
    assert starts(file, 0, 10, WITHIN_S + 5, WITHIN_S + 15) == [False, False, False, False]
    assert starts(file, WITHIN_S + 20, WITHIN_S + 25) == [False, True]


def test_an_end_that_was_asked_for_is_no_crash(file: Path) -> None:
    for at in range(10):
        breaker = Breaker(file)
        assert not breaker.start(NOW_S + at)
        breaker.end()
    assert not file.exists()


def test_it_stays_plain_however_often_it_crashes(file: Path) -> None:
    every = starts(file, *(0.25 * i for i in range(2000)))
    assert all(every[CRASHES:])
    assert file.stat().st_size <= FILE_BYTES


def test_a_clock_that_was_set_back_counts_nothing_of_the_future(file: Path) -> None:
    assert starts(file, 1000, 1001, 1002, 0, 1) == [False, False, False, False, False]


@pytest.mark.parametrize(
    "damage",
    [b"\xff\xfe\x00", b"soon\n", b"", b"nan\ninf\n-1e999\n", b"1\n" * 10_000, b"1,2,3"],
    ids=["bytes", "words", "empty", "no numbers", "far too long", "of another kind"],
)
def test_a_file_that_is_damaged_is_begun_anew(file: Path, damage: bytes) -> None:
    file.write_bytes(damage)
    assert starts(file, 0, 1, 2, 3) == [False, False, False, True]


def test_where_nothing_can_be_written_it_starts_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "starts").mkdir()
    with caplog.at_level(logging.ERROR):
        for breaker in (Breaker(tmp_path / "nowhere" / "starts"), Breaker(tmp_path / "starts")):
            assert [breaker.start(NOW_S) for _ in range(5)] == [False] * 5
            breaker.end()
    assert "crashes are not counted" in caplog.text


@LAW
@given(content=st.binary(max_size=200), at=st.floats(-1e10, 1e10))
def test_whatever_is_in_the_file_a_start_is_answered(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, at: float
) -> None:
    file = tmp_path_factory.mktemp("state") / "starts"
    file.write_bytes(content)
    assert Breaker(file).start(at) in {True, False}
    assert len(file.read_text().split()) >= 1
