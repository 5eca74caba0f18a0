"""Series of Prometheus as upstreams: read from a real one, followed or not."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from autoscaler.cli.main import app
from autoscaler.core.prediction.dependencies import Origin
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from learner.demand import Demand
from learner.dependencies.count_search import edges_from_external, edges_in_counts
from learner.models.rows import LevelRows
from learner.models.upstream import strongest_upstreams, upstream_columns
from learner.sources.counters import Grid
from learner.sources.queries import Labels, PrometheusServer
from learner.sources.upstreams import WithUpstreams, upstreams_of, values_of
from tests.conftest import prometheus_server
from tests.learner.exported import put
from tests.misbehaving import misbehaving, sent

T0, N_STEPS = 1_700_000_040.0, 1440
LAG_STEPS = 3


def queue() -> FloatArray:
    """(2, N_STEPS) messages that wait in two partitions at each step's end; seeded."""
    rng = np.random.default_rng(1)
    return np.stack(
        [rng.poisson(20.0 * np.exp(0.5 * rng.standard_normal(N_STEPS))) for _ in range(2)]
    ).astype(float)


def demand() -> Demand:
    """Cart works the queue off some minutes later; front has nothing to do with it."""
    rng = np.random.default_rng(2)
    worked = rng.poisson(np.roll(queue().sum(axis=0), LAG_STEPS) / 2.0)
    counts = np.stack([worked, rng.poisson(20.0, N_STEPS)]).astype(float)
    return Demand(
        services=("shop/cart", "shop/front"),
        start_s=T0,
        step_s=60.0,
        arrivals=counts,
        peak=counts,
        capacity=np.ones(2),
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    folder = tmp_path_factory.mktemp("prometheus")
    at = (T0 + 60.0 * np.arange(1, N_STEPS + 1)).tolist()
    series = {
        f'queue_lag{{partition="{p}"}}': list(zip(at, values.tolist(), strict=True))
        for p, values in enumerate(queue())
    }
    series["odd"] = list(zip(at, [-1.0, float("nan"), float("inf"), 7.0], strict=False))
    put(series, folder)
    with prometheus_server(folder) as url:
        yield PrometheusServer(url)


class Known:
    """Demand of which all is known."""

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        return demand()


def read(server: PrometheusServer, *texts: str) -> Demand:
    source = WithUpstreams(Known(), server, upstreams_of(texts))
    return source.read(start_s=T0, end_s=T0 + 60.0 * N_STEPS, step_s=60.0)


def values(server: PrometheusServer, *texts: str) -> FloatArray:
    external = read(server, *texts).external
    assert external is not None
    return external.values


def test_a_series_is_read_step_by_step_and_several_are_added_up(server: PrometheusServer) -> None:
    both = values(server, "shop/cart=queue_lag", "shop/cart=sum(queue_lag)")
    np.testing.assert_array_equal(both, np.stack([queue().sum(axis=0)] * 2))


def test_what_is_no_number_from_zero_up_is_a_gap(server: PrometheusServer) -> None:
    np.testing.assert_array_equal(
        values(server, "shop/cart=odd")[0, :4], [np.nan, np.nan, np.nan, 7.0]
    )


def test_without_upstreams_demand_is_what_it_was(server: PrometheusServer) -> None:
    assert read(server).external is None
    assert len(edges_from_external(demand())) == 0


def test_a_service_that_follows_has_an_edge_with_its_lag(server: PrometheusServer) -> None:
    edges = edges_from_external(read(server, "shop/cart=sum(queue_lag)"))
    assert edges.services == ("prometheus/1-sum-queue-lag", "shop/cart")
    assert (edges.upstream.tolist(), edges.downstream.tolist()) == ([0], [1])
    assert edges.lag_s.tolist() == [60.0 * LAG_STEPS]
    assert edges.gain[0] == pytest.approx(0.5, rel=0.15)
    assert edges.origin.tolist() == [int(Origin.PROMETHEUS)]
    assert edges.direct.all()


def test_what_it_follows_is_what_it_is_forecast_from(server: PrometheusServer) -> None:
    whole = read(server, "shop/cart=sum(queue_lag)")
    found = strongest_upstreams(whole, edges_in_counts(whole))
    assert (found.upstream, found.service) == (("prometheus/1-sum-queue-lag",), ("shop/cart",))
    past = whole.until(1000)
    assert past.external is not None
    assert past.external.values.shape == (1, 1000)
    rows = LevelRows(service=np.arange(2), cell=np.zeros(2, int), origin=np.full(2, 1000))
    columns = upstream_columns(found, past, rows)
    assert np.isnan(columns["upstream_now"]).tolist() == [False, True]


@pytest.mark.parametrize("text", ["shop/front=sum(queue_lag)", "shop/none=sum(queue_lag)"])
def test_a_service_that_does_not_follow_or_is_not_there_has_none(
    server: PrometheusServer, text: str
) -> None:
    assert len(edges_from_external(read(server, text))) == 0


def test_a_query_that_is_none_is_said_once_in_prometheus_words_and_the_others_count(
    server: PrometheusServer, caplog: pytest.LogCaptureFixture
) -> None:
    source = WithUpstreams(Known(), server, upstreams_of(["shop/cart=sum(", "shop/cart=queue_lag"]))
    for _ in range(2):
        found = source.read(start_s=T0, end_s=T0 + 60.0 * N_STEPS, step_s=60.0).external
        assert found is not None
        assert np.isnan(found.values).all(axis=1).tolist() == [True, False]
    (said,) = [record.message for record in caplog.records]
    assert said.startswith(
        'unhealthy part="the upstream \'sum(\' of shop/cart" why="Prometheus at '
    )
    assert "parse error" in said


def test_a_prometheus_that_is_gone_leaves_a_gap() -> None:
    gone = PrometheusServer("http://127.0.0.1:1", attempts=1)
    assert np.isnan(values(gone, "shop/cart=x")).all()
    assert len(edges_from_external(read(gone, "shop/cart=x"))) == 0


@pytest.mark.parametrize("text", ["", "shop/cart", "cart=x", "shop/cart=", "Shop/Cart=x", "=x"])
def test_what_is_malformed_is_named_with_what_is_allowed(text: str) -> None:
    with pytest.raises(PermanentError) as caught:
        upstreams_of(["shop/a=fine", text])
    assert repr(text) in str(caught.value)
    assert "allowed: namespace/service=query" in str(caught.value)


def test_the_command_line_refuses_it_in_one_line(tmp_path: Path) -> None:
    options = ["--prometheus", "http://127.0.0.1:1", "--bundle", str(tmp_path / "f.npz")]
    result = CliRunner().invoke(app, ["learn", *options, "--upstream", "cart=x"])
    assert result.exit_code == 2, result.exception
    assert result.stderr.startswith("kn-ahead: the upstream is 'cart=x'; allowed: ")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_queries_may_hold_what_the_option_is_cut_at() -> None:
    first, second = upstreams_of(['shop/cart=sum(lag{topic="a"}) == 3', "shop/cart=sum(lag)"])
    assert first.query == 'sum(lag{topic="a"}) == 3'
    assert (first.name, second.name) == ("prometheus/1-sum-lag-topic-a-3", "prometheus/2-sum-lag")


class Broken(PrometheusServer):
    """Fails as nobody foresaw."""

    def series(self, query: str, grid: Grid) -> Iterator[tuple[Labels, FloatArray, FloatArray]]:
        raise ZeroDivisionError("a fault of ours")


def test_a_fault_of_ours_in_reading_a_series_is_a_gap_of_that_series() -> None:
    assert np.isnan(values(Broken("http://127.0.0.1:1"), "shop/cart=x")).all()


def test_what_cannot_be_is_a_gap() -> None:
    absurd = ["1e300", "-1", "+Inf", "NaN", "2e12", "7"]
    pairs = [[T0 + 60.0 * (i + 1), value] for i, value in enumerate(absurd)]
    result = [{"metric": {}, "values": pairs}]
    body = json.dumps({"data": {"result": result}}).encode()
    with misbehaving(sent(body, "Content-Type: application/json")) as url:
        found = values_of(PrometheusServer(url), "x", demand().until(6))
    np.testing.assert_array_equal(found, [np.nan] * 5 + [7.0])
