"""Istio's metrics in a real Prometheus become edges between services."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.prediction.dependencies import Origin
from autoscaler.errors import TransientError
from learner.demand import Demand
from learner.sources.istio import IstioReader
from learner.sources.queries import PrometheusServer
from tests.conftest import prometheus_server
from tests.learner.exported import put

T0 = 1_700_000_040.0
N_STEPS = 600
Holding = Callable[[Mapping[str, float]], IstioReader]


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[Holding]:
    """Call it with the growth a minute of each series: a reader of a Prometheus that has them."""
    with ExitStack() as stack:

        def start(growth: Mapping[str, float]) -> IstioReader:
            at = T0 + 60.0 * np.arange(N_STEPS + 1)
            samples = {
                labels: list(
                    zip(at.tolist(), (more * np.arange(N_STEPS + 1)).tolist(), strict=True)
                )
                for labels, more in growth.items()
            }
            put(samples, tmp_path)
            url = stack.enter_context(prometheus_server(tmp_path))
            return IstioReader(PrometheusServer(url))

        yield start


def calls(caller: str, called: str, reporter: str = "source", code: int = 200) -> str:
    (up_ns, up), (down_ns, down) = (name.split("/") for name in (caller, called))
    return (
        f'istio_requests_total{{destination_service_name="{down}",'
        f'destination_service_namespace="{down_ns}",reporter="{reporter}",'
        f'response_code="{code}",source_app="{up}",source_workload_namespace="{up_ns}"}}'
    )


def demand() -> Demand:
    """Ten requests a minute each, of pay none."""
    arrivals = np.full((4, N_STEPS), 10.0)
    arrivals[2] = 0.0
    arrivals[:, 100:110] = np.nan
    return Demand(
        services=("shop/cart", "shop/front", "till/pay", "till/v-00001"),
        start_s=T0,
        step_s=60.0,
        arrivals=arrivals,
        peak=arrivals,
        capacity=np.ones(4),
    )


def test_revisions_become_services_and_their_calls_a_gain(holding: Holding) -> None:
    reader = holding(
        {
            calls("shop/front-00001", "shop/cart-00007"): 4.0,
            calls("shop/front-00002", "shop/cart-00007"): 3.0,
            calls("shop/front-00002", "shop/cart-00008", code=503): 1.0,
            calls("shop/cart-00007", "till/pay-123456"): 1.0,
            calls("till/pay-00001", "shop/cart-00007"): 1.0,
        }
    )
    edges = reader.edges(demand())
    names = edges.services
    found = {
        (names[edges.upstream[i]], names[edges.downstream[i]]): edges.gain[i]
        for i in range(len(edges))
    }
    assert found == {
        ("shop/front", "shop/cart"): pytest.approx(8.0 / 10.0, rel=0.05),
        ("shop/cart", "till/pay"): pytest.approx(0.1, rel=0.05),
        ("till/pay", "shop/cart"): pytest.approx(np.nan, nan_ok=True),
    }
    assert set(edges.origin.tolist()) == {int(Origin.ISTIO)}
    assert np.isnan(edges.lag_s).all()
    assert np.isnan(edges.probability).all()
    assert edges.direct.all()


def test_who_is_no_service_is_left_out(holding: Holding) -> None:
    reader = holding(
        {
            calls("unknown/unknown", "shop/cart-00007"): 4.0,
            calls("istio-system/cluster-local-gateway", "shop/cart-00007"): 4.0,
            calls("shop/front-00001", "shop/database"): 4.0,
            calls("shop/front-00001", "shop/cart-0007"): 4.0,  # four digits: a user's name
            calls("shop/front-00001", "other/cart-00001"): 4.0,
            calls("shop/cart-00001", "shop/cart-00002"): 4.0,  # a service that calls itself
            calls("shop/front-00001", "shop/cart-00001", reporter="destination"): 4.0,
            calls("shop/front-00001", "till/pay-00001"): 0.0,
        }
    )
    assert len(reader.edges(demand())) == 0


def test_without_istio_there_are_no_edges(holding: Holding) -> None:
    assert len(holding({"up": 1.0}).edges(demand())) == 0


def test_a_prometheus_that_is_gone_is_said() -> None:
    server = PrometheusServer("http://127.0.0.1:1", sleep=lambda _: None)
    with pytest.raises(TransientError, match="cannot be reached"):
        IstioReader(server).edges(demand())
