import logging
import re
from collections.abc import Iterator

import pytest

from autoscaler.logs import (
    LINES_A_PLACE,
    LONGEST_LINE,
    PLACE_S,
    LineFormatter,
    RepeatFilter,
    set_up,
)


@pytest.fixture
def lines() -> Iterator[list[str]]:
    made: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            made.append(self.format(record))

    handler = Kept()
    handler.setFormatter(LineFormatter("%(message)s"))
    handler.addFilter(RepeatFilter())
    logger = logging.getLogger("kn-ahead.test")
    logger.addHandler(handler)
    yield made
    logger.removeHandler(handler)


LOG = logging.getLogger("kn-ahead.test")


def test_a_name_cannot_forge_a_line(lines: list[str]) -> None:
    LOG.warning("%s is gone", "shop/cart\n2026-01-01 INFO all is well\x1b[31m\u2028")
    assert lines == ["shop/cart\\x0a2026-01-01 INFO all is well\\x1b[31m\\u2028 is gone"]


def test_a_long_line_is_cut(lines: list[str]) -> None:
    LOG.warning("%s", "x" * 3_000_000)
    assert lines == ["x" * LONGEST_LINE + "..."]


def test_a_traceback_stays_below_its_line_and_is_escaped(lines: list[str]) -> None:
    try:
        raise ValueError("bad\x1b[0m")
    except ValueError:
        LOG.exception("failed")
    first, *trace = lines[0].splitlines()
    assert first == "failed"
    assert trace[-1] == "    ValueError: bad\\x1b[0m"


def test_a_place_that_repeats_itself_is_written_so_often_and_no_more(lines: list[str]) -> None:
    for i in range(10 * LINES_A_PLACE):
        LOG.warning("connection %d", i)
    LOG.warning("another place")
    assert len(lines) == LINES_A_PLACE + 1


def test_after_a_while_it_is_written_again_and_says_how_much_was_left_out(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("autoscaler.logs.time.monotonic", lambda: now[0])

    def say(n: int) -> None:
        for _ in range(n):
            LOG.warning("%s is gone", "shop/cart")

    say(LINES_A_PLACE + 7)
    now[0] = PLACE_S
    say(2)
    now[0] = 2 * PLACE_S
    say(1)
    assert lines[LINES_A_PLACE:] == [
        "shop/cart is gone (7 lines like this were left out)",
        "shop/cart is gone",
        "shop/cart is gone",
    ]


def test_a_line_has_its_time_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    former = root.handlers[:], root.level
    try:
        set_up()
        LOG.warning("%s is gone", "shop/cart")
    finally:
        root.handlers[:], root.level = former
    said = capsys.readouterr().err
    assert re.fullmatch(r"[\d-]+ [\d:,]+ WARNING kn-ahead.test: shop/cart is gone\n", said)
