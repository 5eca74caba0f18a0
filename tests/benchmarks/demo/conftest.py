"""The small finished replay, and what its services are called afterwards."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.replay import Replay
from benchmarks.traces.trace import Trace
from tests.benchmarks.finished import Finished

LIVE_STEPS = 20


@pytest.fixture(scope="session")
def replay(finished: Finished) -> Replay:
    return finished[0]


@pytest.fixture(scope="session")
def whole(replay: Replay) -> Trace:
    """Its trace, which goes on for twenty minutes."""
    after = np.random.default_rng(1).poisson(3.0, (2, LIVE_STEPS)).astype(np.float64)
    counts = np.concatenate([replay.trace.counts, after], axis=1)
    return replace(replay.trace, counts=counts, duration_s=np.full(counts.shape, 0.5))
