"""Errors, counts and log lines of exceeded limits."""

import pytest

from autoscaler.errors import PermanentError
from autoscaler.limits import FRAME_BYTES as FRAMES
from autoscaler.limits import NAMES
from autoscaler.refusals import LOG_INTERVAL_S, LimitError, Refusals


def test_the_error_names_what_is_allowed() -> None:
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


def test_each_limit_is_logged_once_a_minute_with_the_peer_and_the_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals()
    for now in range(121):
        refusals.count(FRAMES, f"10.0.0.{now}", float(now))
        refusals.count(NAMES, "10.0.0.7", float(now))
    assert LOG_INTERVAL_S == 60.0
    assert [m.split(" why=")[0] for m in caplog.messages if FRAMES.unit in m] == [
        f'refused who=10.0.0.{n} more_than="{FRAMES}" limit={FRAMES.name} so_far={n + 1}'
        for n in (0, 60, 120)
    ]
    assert len(caplog.messages) == 6
