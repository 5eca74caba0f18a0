"""The learner while Prometheus is gone: it logs so once, and publishes when it is back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SimulatedClock
from learner.demand import Demand, DemandSource
from learner.publishing.publisher import Publisher, PublishSettings
from learner.settings import LearnerSettings
from learner.sources.demand_reader import PrometheusReader

ServeHistory = Callable[[Demand], str]

STEP_S = 60.0
START_S = 1_700_000_040.0  # a whole minute
NOBODY = "http://127.0.0.1:1"


def history(n_steps: int = 330) -> Demand:
    """A service called every ten minutes."""
    calls = (np.arange(n_steps) % 10 == 0).astype(np.float64)[None, :]
    return Demand(
        services=("shop/sync",),
        start_s=START_S,
        step_s=STEP_S,
        arrivals=calls,
        peak=calls,
        capacity=np.ones(1),
    )


class Prometheus:
    """Read by the real reader, at an address that may change."""

    def __init__(self) -> None:
        self.url = NOBODY
        self.asked = 0

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        self.asked += 1
        reader = PrometheusReader(self.url, capacity=1.0, sleep=lambda _: None)
        return reader.read(start_s=start_s, end_s=end_s, step_s=step_s)


class EndedError(Exception):
    """Raised by a clock that has run out."""


class Life:
    """A publisher that runs for so many steps at a time."""

    def __init__(self, folder: Path, source: DemandSource) -> None:
        self.bundle = folder / "published.npz"
        self.clock = SimulatedClock(START_S + 300 * STEP_S)
        settings = PublishSettings(
            bundle=self.bundle,
            step_s=STEP_S,
            history_s=290 * STEP_S,
            learner=LearnerSettings(windows=(0, 1, 2), max_rows=500, rounds=10),
        )
        self.publisher = Publisher(source, settings, self.clock, self.sleep)
        self.left = 0

    def sleep(self, seconds: float) -> None:
        if not self.left:
            raise EndedError
        self.left -= 1
        self.clock.advance(seconds)

    def run(self, steps: int) -> None:
        self.left = steps
        with pytest.raises(EndedError):
            self.publisher.run()


def test_while_prometheus_is_gone_nothing_is_published_and_it_is_logged_once(
    tmp_path: Path, serve_history: ServeHistory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="learner.publishing.publisher")
    source = Prometheus()
    life = Life(tmp_path, source)
    life.run(3)
    assert source.asked == 3
    assert not life.bundle.exists()

    source.url = serve_history(history())
    life.run(2)
    published = load_bundle(life.bundle)
    assert published.services == ("shop/sync",)
    assert 0 <= life.clock.now() - published.made_at_s < STEP_S

    source.url = NOBODY
    before = life.bundle.read_bytes()
    life.run(3)
    assert life.bundle.read_bytes() == before  # it grows old, which the autoscaler sees

    said = [record.message for record in caplog.records]
    silences = [text for text in said if "nothing published" in text and "Prometheus at " in text]
    assert len(silences) == 2
    assert "published again after_s=180" in said


class Faulty:
    """Fails in a way that nobody foresaw."""

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        raise ZeroDivisionError("a fault of ours")


def test_an_error_in_our_code_is_logged_once_with_its_traceback_and_the_loop_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Life(tmp_path, Faulty()).run(3)
    (record,) = caplog.records
    assert "a fault of ours" in record.getMessage()
    assert record.exc_info
