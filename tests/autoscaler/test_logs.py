import logging
from collections.abc import Iterator

import pytest

from autoscaler.limits import FRAME_BYTES, SAID_AGAIN_S, Refusals
from autoscaler.logs import LINES_A_PLACE, LONGEST_LINE, LineFormatter, RepeatFilter


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


def test_a_refusal_is_counted_each_time_and_said_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals()
    for now in (0.0, 1.0, SAID_AGAIN_S - 0.1, SAID_AGAIN_S):
        refusals.count(FRAME_BYTES, "10.0.0.7", now)
    assert refusals.counts["frame_bytes"] == 4
    assert [r.getMessage().partition(":")[0] for r in caplog.records] == ["10.0.0.7"] * 2
