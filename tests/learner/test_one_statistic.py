"""One absurd statistic in a real Prometheus: the learner goes on for everybody."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SimulatedClock
from learner.publishing.publisher import Publisher, PublishSettings
from learner.settings import LearnerSettings
from learner.sources.demand_reader import PrometheusReader
from tests.conftest import prometheus_server
from tests.learner.exported import labelled, put

START_S, STEP_S, N_STEPS = 1_700_000_040.0, 60.0, 240
NAMES = ("shop/browse", "shop/cart", "till/pay")


def exported(cart: float) -> dict[str, list[tuple[float, float]]]:
    """Gauge and counter of three services; one statistic of cart's is that."""
    rng = np.random.default_rng(4)
    at_s = START_S + STEP_S * np.arange(N_STEPS + 1)
    series = {}
    for name in NAMES:
        calls = rng.poisson(2.0, len(at_s))
        peak = calls.astype(float)
        if name == "shop/cart":
            peak[100] = cart
        for metric, values in (
            ("kn_ahead_peak_in_flight", peak),
            ("kn_ahead_requests_total", np.cumsum(calls)),
        ):
            pairs = zip(at_s.tolist(), values.tolist(), strict=True)
            series[labelled(metric, name)] = [(at, float(value)) for at, value in pairs]
    return series


@pytest.mark.parametrize("cart", [1e9, 1e300, -1.0])
def test_forecasts_are_published_for_all_services(tmp_path: Path, cart: float) -> None:
    put(exported(cart), tmp_path)
    settings = PublishSettings(
        bundle=tmp_path / "forecasts.npz",
        step_s=STEP_S,
        history_s=(N_STEPS - 1) * STEP_S,
        learner=LearnerSettings(windows=(0, 1, 2), max_rows=2_000, rounds=5),
    )
    clock = SimulatedClock(START_S + N_STEPS * STEP_S + 30.0)
    with prometheus_server(tmp_path) as url:
        reader = PrometheusReader(url, capacity=1.0)
        Publisher(reader, settings, clock, clock.advance).publish()
    bundle = load_bundle(settings.bundle)
    assert bundle.services == NAMES
    assert bundle.reason == ("",) * 3
    assert not np.isnan(bundle.exceedance).any()
    assert not bundle.refused
