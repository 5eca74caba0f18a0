import json
import logging
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autoscaler.logs import (
    LINES_A_PLACE,
    LONGEST_LINE,
    PLACE_S,
    LogFormat,
    LogLevel,
    RepeatFilter,
    TextFormatter,
    add_options,
    get_logger,
    set_up,
)


@pytest.fixture
def lines() -> Iterator[list[str]]:
    made: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            made.append(self.format(record))

    handler = Kept()
    handler.setFormatter(TextFormatter("%(message)s"))
    handler.addFilter(RepeatFilter())
    logger = logging.getLogger("kn-ahead.test")
    logger.addHandler(handler)
    yield made
    logger.removeHandler(handler)


LOG, EVENTS = logging.getLogger("kn-ahead.test"), get_logger("kn-ahead.test")


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
        "shop/cart is gone left_out=7",
        "shop/cart is gone",
        "shop/cart is gone",
    ]


def test_an_event_is_followed_by_its_keys(lines: list[str]) -> None:
    EVENTS.warning("service excluded", service="shop/cart", steps=3, error="no = data", n=None)
    assert lines == ['service excluded service=shop/cart steps=3 error="no = data" n=']


def test_a_value_forges_no_line_and_no_key(lines: list[str]) -> None:
    EVENTS.warning("gone", name='x" level=error\n2026-01-01 INFO all is well\x1b[31m')
    assert lines == ['gone name="x\\" level=error\\n2026-01-01 INFO all is well\\x1b[31m"']


def test_places_are_those_of_the_code_that_logs(lines: list[str]) -> None:
    for i in range(LINES_A_PLACE + 3):
        EVENTS.warning("connection", n=i)
        EVENTS.warning("another place")
    assert len(lines) == 2 * LINES_A_PLACE


@contextmanager
def logging_to_stderr(level: str, form: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("KN_AHEAD_LOG_LEVEL", "KN_AHEAD_LOG_FORMAT"):
        monkeypatch.setenv(name, "")  # what is set up is undone with it
    root = logging.getLogger()
    former = root.handlers[:], root.level
    try:
        set_up(level, form)
        yield
    finally:
        root.handlers[:], root.level = former


def test_a_line_has_its_time_and_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with logging_to_stderr(LogLevel.WARNING, LogFormat.TEXT, monkeypatch):
        LOG.warning("%s is gone", "shop/cart")
        EVENTS.info("not written")
    said = capsys.readouterr().err
    assert re.fullmatch(r"[\d-]+ [\d:,]+ WARNING kn-ahead.test: shop/cart is gone\n", said)


def test_json_is_one_object_a_line_with_the_keys_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with logging_to_stderr(LogLevel.INFO, LogFormat.JSON, monkeypatch):
        EVENTS.info("fitted", services=3, seconds=1.5, worst=float("nan"), name="x" * 3_000)
        try:
            raise ValueError("bad\nline")
        except ValueError:
            EVENTS.exception("failed")
        LOG.warning("%s of a library", "a line")
    fitted, failed, foreign = map(json.loads, capsys.readouterr().err.splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\.\d{3}\+00:00", fitted.pop("time"))
    assert fitted == {
        "level": "info",
        "logger": "kn-ahead.test",
        "event": "fitted",
        "services": 3,
        "seconds": 1.5,
        "worst": "nan",
        "name": "x" * LONGEST_LINE + "...",
    }
    assert (failed["level"], failed["event"]) == ("error", "failed")
    assert failed["exception"].endswith("ValueError: bad\nline")
    assert (foreign["event"], foreign["level"]) == ("a line of a library", "warning")


def test_a_process_logs_as_the_one_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = ArgumentParser()
    with logging_to_stderr(LogLevel.ERROR, LogFormat.JSON, monkeypatch):
        add_options(parser)
        options = parser.parse_args([])
    assert (options.log_level, options.log_format) == ("error", "json")
    assert parser.parse_args(["--log-level=debug"]).log_level == "debug"
