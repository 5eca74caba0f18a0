"""The table of limits, and who counts what they refuse."""

import re
from pathlib import Path

import pytest

import autoscaler
from autoscaler import limits
from autoscaler.errors import PermanentError
from autoscaler.limits import SAID_AGAIN_S, Limit, LimitError, Refusals

TABLE = {name: it for name, it in vars(limits).items() if isinstance(it, Limit)}
ROOT = Path(autoscaler.__file__).parents[1]
SOURCES = {
    path: path.read_text()
    for room in ("autoscaler", "knative", "learner", "benchmarks")
    for path in (ROOT / room).rglob("*.py")
    if path.name != "limits.py"
}
FRAMES, NAMES = limits.FRAME_BYTES, limits.NAMES


def test_a_limit_is_known_by_one_name() -> None:
    assert len({it.name for it in TABLE.values()}) == len(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_limit_says_of_what_and_why_so_much(name: str) -> None:
    it = TABLE[name]
    assert re.fullmatch("[a-z][a-z0-9_]*", it.name)  # as a label's value
    assert it.most >= 0
    assert it.unit
    assert it.why


def test_every_limit_stands_in_the_table_and_bounds_something() -> None:
    assert [path for path, text in SOURCES.items() if re.search(r"\bLimit\(", text)] == []
    used = " ".join(SOURCES.values())
    assert [name for name in TABLE if not re.search(rf"\b{name}\b", used)] == []


@pytest.mark.parametrize(
    ("most", "said"), [(2_097_152, "2,097,152 bytes"), (0.5, "0.5 bytes"), (2.0**53, "9.00")]
)
def test_a_limit_reads_well(most: float, said: str) -> None:
    assert str(Limit("name", most, "bytes", "why")).startswith(said)


def test_who_has_more_is_told_how_much_is_allowed() -> None:
    error = LimitError(FRAMES, "the frame")
    assert isinstance(error, PermanentError)
    assert error.limit is FRAMES
    assert str(error) == "the frame has more than 2097152 bytes a frame; allowed: up to those"


def test_refusals_are_counted_by_limit_all_at_once_or_one_by_one() -> None:
    refusals = Refusals()
    refusals.count(FRAMES, "10.0.0.7", 0.0)
    refusals.count(FRAMES, "10.0.0.8", 1.0, n=10)
    refusals.count(NAMES, "10.0.0.7", 2.0)
    assert refusals.counts == {"frame_bytes": 11, "names": 1}


def test_each_limit_is_told_of_once_a_minute_with_who_and_how_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals()
    for now in range(121):
        refusals.count(FRAMES, f"10.0.0.{now}", float(now))
        refusals.count(NAMES, "10.0.0.7", float(now))
    assert SAID_AGAIN_S == 60.0
    assert [m for m in caplog.messages if FRAMES.unit in m] == [
        f"10.0.0.{n}: more than {FRAMES}, refused ({n + 1} so far; {FRAMES.why})"
        for n in (0, 60, 120)
    ]
    assert len(caplog.messages) == 6
