"""The reader against a real Prometheus process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.traces.openmetrics import backfill
from learner.demand import Demand
from learner.sources.demand_reader import PrometheusReader, PrometheusSettings
from tests.conftest import prometheus_server

ServeHistory = Callable[[Demand], str]
ServeText = Callable[[str], str]


def history(*, n_steps: int, step_s: float, start_s: float = 1_612_051_200.0) -> Demand:
    """Three services with gaps: at the start, one step long, long, at the end; seeded."""
    rng = np.random.default_rng(3)
    arrivals = rng.poisson([[0.2], [5.0], [900.0]], (3, n_steps)).astype(np.float64)
    arrivals[0, :3] = arrivals[1, 7] = arrivals[1, 20:35] = arrivals[2, -4:] = np.nan
    return Demand(
        services=("shop/browse", "shop/cart", "till/pay"),
        start_s=start_s,
        step_s=step_s,
        arrivals=arrivals,
        peak=np.ceil(arrivals / 7) * 1.5,
        capacity=np.array([1.0, 2.5, 100.0]),
    )


def assert_same(read: Demand, written: Demand) -> None:
    assert read.services == written.services
    assert (read.start_s, read.step_s) == (written.start_s, written.step_s)
    np.testing.assert_array_equal(read.arrivals, written.arrivals)
    np.testing.assert_array_equal(read.peak, written.peak)
    np.testing.assert_array_equal(read.capacity, written.capacity)


def read_again(url: str, written: Demand, settings: PrometheusSettings | None = None) -> Demand:
    """What was written, over its own span and step."""
    reader = PrometheusReader(url, capacity=7.0, settings=settings or PrometheusSettings())
    return reader.read(start_s=written.start_s, end_s=written.end_s, step_s=written.step_s)


@pytest.mark.parametrize("step_s", [60.0, 1.0])
def test_reads_back_what_was_written_in_several_pieces(
    serve_history: ServeHistory, step_s: float
) -> None:
    written = history(n_steps=400, step_s=step_s)
    url = serve_history(written)
    for settings in (
        PrometheusSettings(),
        PrometheusSettings(max_points_per_series=37),
        PrometheusSettings(max_points=100),
    ):
        assert_same(read_again(url, written, settings), written)


def test_what_the_server_gives_up_on_is_asked_for_in_shorter_pieces(tmp_path: Path) -> None:
    written = history(n_steps=400, step_s=60.0)
    backfill(written, tmp_path / "data")
    with prometheus_server(tmp_path, "--query.max-samples=600") as url:
        assert_same(read_again(url, written), written)


def test_a_server_that_gives_up_on_a_single_point_is_said(tmp_path: Path) -> None:
    written = history(n_steps=40, step_s=60.0)
    backfill(written, tmp_path / "data")
    with (
        prometheus_server(tmp_path, "--query.max-samples=1") as url,
        pytest.raises(PermanentError, match=r"answered 422: .* too many samples"),
    ):
        read_again(url, written)


def test_asks_for_no_more_points_than_prometheus_gives(serve_history: ServeHistory) -> None:
    written = history(n_steps=25_000, step_s=1.0)
    assert_same(read_again(serve_history(written), written), written)


@pytest.mark.parametrize(
    ("called_s", "shown_in"),  # s after the third short step began; the step in which it is seen
    [(0.5, (1, 2)), (4.9, (1, 2)), (5.5, (2,)), (9.9, (2,))],
)
def test_what_came_at_the_end_of_a_short_step_is_never_of_the_next(
    serve_text: ServeText, called_s: float, shown_in: tuple[int, ...]
) -> None:
    start_s, step_s, call_s = 1_612_051_200, 10, 20.0 + called_s
    scrapes = np.arange(0.0, 61.0, 5.0) + 1.3
    # A second is counted two seconds after it is over, and then shown for five.
    counted = scrapes >= np.ceil(call_s) + 2
    shown = counted & (scrapes < np.ceil(call_s) + 2 + 5)
    of = '{namespace="shop",service="cart"}'
    lines = ["# TYPE kn_ahead_requests counter"]
    lines += [
        f"kn_ahead_requests_total{of} {n:d} {start_s + at}"
        for at, n in zip(scrapes, counted, strict=True)
    ]
    lines += ["# TYPE kn_ahead_short_peak_in_flight gauge"]
    lines += [
        f"kn_ahead_short_peak_in_flight{of} {n:d} {start_s + at}"
        for at, n in zip(scrapes, shown, strict=True)
    ]
    url = serve_text("\n".join([*lines, "# EOF", ""]))
    reader = PrometheusReader(url, capacity=1.0)
    read = reader.read(start_s=start_s, end_s=start_s + 50, step_s=step_s)
    assert np.flatnonzero(read.peak[0] > 0).tolist() in [[step] for step in shown_in]


def test_prometheus_words_reach_the_user_when_it_refuses(serve_history: ServeHistory) -> None:
    url = serve_history(history(n_steps=60, step_s=60.0))
    settings = PrometheusSettings(requests_query="rate(nonsense[")
    with pytest.raises(PermanentError, match=r"answered 400: .*parse error"):
        PrometheusReader(url, capacity=1.0, settings=settings).read(start_s=0, end_s=600, step_s=60)


def test_a_series_that_is_not_there_is_named(serve_history: ServeHistory) -> None:
    written = history(n_steps=60, step_s=60.0)
    settings = PrometheusSettings(peak_query="max_over_time(knative_peak[$step])")
    reader = PrometheusReader(serve_history(written), capacity=1.0, settings=settings)
    with pytest.raises(PermanentError, match=r"has no series for max_over_time\(knative_peak"):
        reader.read(start_s=written.start_s, end_s=written.end_s, step_s=60)


def test_a_coarser_step_adds_arrivals_up_and_keeps_the_greatest_peak(
    serve_history: ServeHistory,
) -> None:
    written = history(n_steps=240, step_s=30.0)
    reader = PrometheusReader(serve_history(written), capacity=7.0)
    read = reader.read(start_s=written.start_s + 3600, end_s=written.end_s - 600, step_s=60.0)
    fine = slice(120, 220)
    pairs = written.arrivals[:, fine].reshape(3, -1, 2)
    np.testing.assert_array_equal(read.arrivals, pairs.sum(axis=2))
    np.testing.assert_array_equal(read.peak, written.peak[:, fine].reshape(3, -1, 2).max(axis=2))
