"""What each source costs in accuracy: measured by a command, quoted by reports."""

from dataclasses import astuple

import numpy as np
import pytest

from benchmarks.simulator.arrivals import Requests
from benchmarks.whatif.accuracy import AGAIN, COMMAND, Accuracy, accuracy_of, measured
from benchmarks.whatif.exporters import ELSEWHERE
from benchmarks.whatif.sources import QUEUE_PROXIES, table, waits_of
from learner.sources.presets import BY_NAME

SOURCES = [*QUEUE_PROXIES, *ELSEWHERE]


def test_all_that_is_exported_is_measured_and_is_a_source() -> None:
    assert set(measured()) == {*SOURCES, AGAIN}
    assert set(SOURCES) - {""} <= set(BY_NAME)
    for errors in measured().values():
        assert np.isfinite(astuple(errors)).all()


@pytest.mark.parametrize("source", SOURCES)
def test_a_report_quotes_what_was_measured(source: str) -> None:
    said = accuracy_of(source)
    assert measured()[source].said() in said
    assert measured()[AGAIN].said() in said
    assert COMMAND in said


def test_of_others_it_says_that_nothing_is_measured() -> None:
    assert accuracy_of("another") == (
        f"How far figures from this source are off is not measured ({COMMAND})."
    )


def test_errors_are_shown_by_source() -> None:
    one = Accuracy(cold_now=0.0, cold_ahead=-0.031, pods_now=0.5, pods_ahead=0.0)
    assert table({"": one}).rows == (("own query", "+0.0%", "-3.1%", "+50.0%", "+0.0%"),)


def test_who_comes_while_a_first_pod_starts_waits_for_it() -> None:
    requests = Requests(
        arrival_s=np.array([0.0, 1.0, 4.5, 6.0, 90.0, 200.0, 7.0]),
        service_s=np.full(7, 0.1),
        offset=np.array([0, 6, 6, 7]),
    )
    assert waits_of(requests).tolist() == [5.0, 4.0, 0.5, 0.0, 0.0, 5.0, 5.0]
