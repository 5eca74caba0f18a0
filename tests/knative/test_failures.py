import logging

import pytest

from autoscaler.errors import TransientError
from knative.api import ApiError
from knative.failures import AGAIN_S, NO_MORE_S, Failures

KEY, OTHER = "shop/cart", "shop/till"


def test_the_wait_doubles_to_a_limit_and_begins_anew_after_a_success() -> None:
    failures = Failures()
    waits_s = []
    for _ in range(7):
        failures.add(KEY, TransientError("gone"))
        waits_s.append(failures.wait_s(KEY))
    assert waits_s == [AGAIN_S, 2.0, 4.0, 8.0, 16.0, NO_MORE_S, NO_MORE_S]
    failures.discard(KEY)
    assert KEY not in failures
    failures.add(KEY, TransientError("gone"))
    assert failures.wait_s(KEY) == AGAIN_S


def test_a_server_that_asks_for_more_time_gets_it() -> None:
    failures = Failures()
    failures.add(KEY, ApiError("busy", status=429, retry_after_s=45.0))
    assert failures.wait_s(KEY) == 45.0


def test_a_failure_is_said_once_and_shown_until_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failures, heard = Failures(), list[str]()
    failures.ailing = heard.append
    with caplog.at_level(logging.WARNING):
        failures.add(KEY, TransientError("refused"))
        failures.add(KEY, TransientError("refused"))
        failures.add(OTHER, TransientError("refused"))
    assert [r.getMessage() for r in caplog.records] == [
        f"{KEY}: refused; trying again",
        f"{OTHER}: refused; trying again",
    ]
    assert heard[-1] == f"revisions not acted for: 2; {KEY}: refused"
    failures.discard(KEY)
    assert heard[-1] == f"revisions not acted for: 1; {OTHER}: refused"
    failures.discard(OTHER)
    assert heard[-1] == ""
    assert len(heard) == 5
    failures.discard(OTHER)
    assert len(heard) == 5


def test_what_nobody_foresaw_is_said_with_its_traceback_and_waits_longest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failures = Failures()
    failures.add(KEY, KeyError("name"))
    assert failures.wait_s(KEY) == NO_MORE_S
    assert caplog.records[0].exc_info


def test_all_are_forgotten_when_nobody_acts_any_more() -> None:
    failures, heard = Failures(), list[str]()
    failures.ailing = heard.append
    failures.add(KEY, TransientError("refused"))
    failures.clear()
    assert list(failures) == []
    assert heard[-1] == ""
