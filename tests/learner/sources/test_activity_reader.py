"""Starts read back from a real Prometheus."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError, TransientError
from learner.dependencies.busy_periods import BusyPeriods, busy_periods_of
from learner.sources.activity_reader import ActivityReader
from learner.sources.queries import PrometheusServer
from tests.conftest import prometheus_server
from tests.learner.exported import Exporter, labelled, put

T0, SPAN_S = 1_700_000_010.0, 4 * 3600.0
START, CALL = "kn_ahead_last_start_timestamp_seconds", "kn_ahead_last_call_timestamp_seconds"
Put = Callable[[Mapping[str, Sequence[tuple[float, float]]]], ActivityReader]


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[Put]:
    """Call it with series: a reader of a real Prometheus that has them."""
    with ExitStack() as stack:

        def start(series: Mapping[str, Sequence[tuple[float, float]]]) -> ActivityReader:
            put(series, tmp_path)
            url = stack.enter_context(prometheus_server(tmp_path))
            return ActivityReader(PrometheusServer(url))

        yield start


def calls() -> dict[str, FloatArray]:
    """A sleeper, one with long spells, one that never sleeps, one that is never called; seeded."""
    rng = np.random.default_rng(1)
    long = [at + np.arange(0.0, length, 20.0) for at, length in ((500.3, 900.0), (5000.7, 3000.0))]
    return {
        "shop/cart": T0 + np.sort(rng.uniform(0.0, SPAN_S, 60)),
        "shop/batch": T0 + np.concatenate(long),
        "till/busy": T0 + np.arange(0.1, SPAN_S, 25.0),
        "till/never": np.zeros(0),
    }


def true_spells(of: dict[str, FloatArray]) -> BusyPeriods:
    names = tuple(sorted(name for name in of if len(of[name])))
    who = np.repeat(np.arange(len(names)), [len(of[name]) for name in names])
    at = np.concatenate([of[name] for name in names])
    return busy_periods_of(names, who, at, since_s=T0, until_s=T0 + SPAN_S)


def assert_same(read: BusyPeriods, true: BusyPeriods) -> None:
    assert read.services == true.services
    np.testing.assert_array_equal(read.service, true.service)
    np.testing.assert_array_equal(read.start_s, true.start_s)
    np.testing.assert_array_equal(read.end_s, true.end_s)


@pytest.mark.parametrize("scrape_s", [5.0, 15.0, 30.0])
def test_spells_come_back_to_the_microsecond(holding: Put, scrape_s: float) -> None:
    made = calls()
    end_s = T0 + SPAN_S
    exporter = Exporter(calls=made, since_s=T0, until_s=end_s + 90.0, scrape_s=scrape_s)
    seen = holding(exporter.samples()).read(start_s=T0, end_s=end_s + 60.0)
    assert_same(seen.busy_periods(since_s=T0, until_s=end_s), true_spells(made))


def test_readings_one_after_the_other_add_up_to_one(holding: Put) -> None:
    made = calls()
    reader = holding(Exporter(calls=made, since_s=T0, until_s=T0 + SPAN_S + 90.0).samples())
    seen = reader.read(start_s=T0, end_s=T0 + 60.0)
    for end_s in np.arange(T0 + 240.0, T0 + SPAN_S + 181.0, 180.0).tolist():
        seen = seen.joined(reader.read(start_s=end_s - 300.0, end_s=end_s))
    assert_same(seen.busy_periods(since_s=T0, until_s=T0 + SPAN_S), true_spells(made))


def test_a_successor_that_heard_nothing_of_what_was_before_makes_no_starts(holding: Put) -> None:
    made, turn_s = calls(), T0 + SPAN_S / 2
    first = Exporter(calls=made, since_s=T0, until_s=turn_s)
    second = Exporter(
        calls=made, since_s=turn_s, until_s=T0 + SPAN_S + 90.0, instance="10.0.0.2:9090"
    )
    assert second.samples()[labelled(START, "till/busy", "10.0.0.2:9090")][2][1] > turn_s
    seen = holding(first.samples() | second.samples()).read(start_s=T0, end_s=T0 + SPAN_S + 60.0)
    assert_same(seen.busy_periods(since_s=T0, until_s=T0 + SPAN_S), true_spells(made))


def test_what_cannot_be_is_left_out(holding: Put) -> None:
    at = (T0 + np.arange(0.0, 1200.0, 15.0)).tolist()
    wrong = {300.0: float("nan"), 315.0: -5.0, 330.0: 1e12, 345.0: 0.0, 360.0: float("inf")}
    sound = T0 + 200.5
    values = [wrong.get(t - T0, sound) for t in at]
    series = {
        labelled(START, "shop/cart"): list(zip(at, values, strict=True))[20:],
        labelled(CALL, "shop/cart"): list(zip(at, values, strict=True))[20:],
        f'{CALL}{{service="nowhere"}}': [(t, t) for t in at],
    }
    seen = holding(series).read(start_s=T0, end_s=T0 + 1200.0)
    assert seen.starts.keys() == {"shop/cart"}
    assert seen.starts["shop/cart"].tolist() == [sound]
    assert seen.last_calls["shop/cart"].tolist() == [sound]


def test_where_nobody_exports_there_is_nothing(holding: Put) -> None:
    seen = holding({"up": [(T0, 1.0), (T0 + 600.0, 1.0)]}).read(start_s=T0, end_s=T0 + 600.0)
    assert (seen.starts, seen.last_calls, seen.observed_s.tolist()) == ({}, {}, [])


def test_a_prometheus_that_is_gone_is_said() -> None:
    server = PrometheusServer("http://127.0.0.1:1", sleep=lambda _: None)
    with pytest.raises(TransientError, match="cannot be reached"):
        ActivityReader(server).read(start_s=T0, end_s=T0 + 600.0)


def test_an_address_that_is_none_is_said() -> None:
    with pytest.raises(PermanentError, match="allowed: http"):
        PrometheusServer("nowhere:9090")
