"""From which rate of starts on the cluster does not follow."""

import json
from pathlib import Path

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.live.load import Answer
from benchmarks.live.pods import PodTimes
from benchmarks.live.starts import (
    Rate,
    calls_at,
    copies_to_start,
    rated,
    rates_of,
    section,
    verdict,
    write_json,
)
from tests.benchmarks.live.test_report import asked

N = 10
COPIES = copies_to_start(N)


def started(apart_s: float, *, slower: float = 1.0) -> Rate:
    """Calls at such times, each of which finds no pod; pods are ready that much further apart."""
    at_s = 1000.0 + apart_s * np.arange(N)
    ready_s = 1000.0 + 2.0 + slower * apart_s * np.arange(N)
    answers = [
        Answer(copy=i, intended_s=at, sent_s=at, done_s=ready + 0.1, status=200, words=())
        for i, (at, ready) in enumerate(zip(at_s.tolist(), ready_s.tolist(), strict=True))
    ]
    pods = [
        PodTimes(name=f"pod-{i}", revision=copy.revisions[0], created_s=at, ready_s=ready, parts={})
        for i, (copy, at, ready) in enumerate(
            zip(COPIES, at_s.tolist(), ready_s.tolist(), strict=True)
        )
    ]
    former = PodTimes(name="former", revision="", created_s=0.0, ready_s=5.0, parts={})
    return rated(1 / apart_s, answers, [former, *pods], COPIES)


def test_pods_that_are_ready_as_fast_as_they_are_asked_for_are_no_saturation() -> None:
    found = started(0.5)
    assert (found.calls, found.cold, found.failed) == (N, N, 0)
    assert found.reached == pytest.approx(2.0)
    np.testing.assert_allclose(found.wait_s, 2.1)
    assert not found.saturated


def test_pods_that_come_more_slowly_are_and_waits_grow() -> None:
    found = started(0.25, slower=2.0)
    assert found.reached == pytest.approx(2.0)
    assert found.saturated
    assert np.diff(found.wait_s).min() > 0


def test_the_verdict_names_the_last_rate_that_was_followed() -> None:
    assert verdict([started(0.5), started(0.25, slower=2.0)]) == (
        "The cluster followed up to 2 starts a second; at 4 it reached 2.0."
    )
    assert verdict([started(0.5)]).endswith("2 starts a second, the most that was asked for.")
    assert verdict([started(0.25, slower=2.0)]).startswith("The cluster followed no rate")


def test_calls_that_failed_are_saturation() -> None:
    failed = Answer(copy=0, intended_s=1.0, sent_s=1.0, done_s=2.0, status=0)
    found = rated(1.0, [failed], [], COPIES)
    assert (found.failed, found.saturated) == (1, True)
    assert np.isnan(found.reached)
    assert verdict([found]) == "The cluster followed no rate: at 1 it reached none."
    assert section([found]).rows[0][3] == "none"


def test_each_rate_is_in_the_json_with_each_wait(tmp_path: Path) -> None:
    failed = Answer(copy=0, intended_s=1.0, sent_s=1.0, done_s=2.0, status=0)
    found = [started(0.25, slower=2.0), rated(8.0, [failed], [], COPIES)]
    write_json(asked(), found, tmp_path / "starts.json")
    read = json.loads((tmp_path / "starts.json").read_text())
    assert (read["image"], read["verdict"]) == ("dev.local/app", verdict(found))
    first, second = read["rates"]
    assert first["wait_s"] == pytest.approx(found[0].wait_s.tolist())
    assert (first["asked"], first["reached"], first["saturated"]) == (4.0, pytest.approx(2.0), True)
    assert (second["failed"], second["reached"], second["wait_s"]) == (1, None, [])


@pytest.mark.parametrize("text", ["", "fast", "1,,2", "0", "-1", "nan", "inf"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="are no rates; allowed: starts a second"):
        rates_of(text)


def test_a_rate_that_needs_too_many_services_is_refused() -> None:
    with pytest.raises(PermanentError, match="start rate 1000 needs 5000 services; allowed: up to"):
        calls_at(1000.0)
