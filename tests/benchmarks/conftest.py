"""A small finished replay, used by several tests."""

import numpy as np
import pytest
from rich.console import Console

from benchmarks.replay import Replay, ReplaySettings
from benchmarks.report.screen import Screen
from benchmarks.traces.trace import Trace
from learner.settings import LearnerSettings
from tests.benchmarks.finished import FIT_STEPS, N_STEPS, SCREEN, Finished


@pytest.fixture(scope="session")
def finished() -> Finished:
    """Two services, learned for two hours and replayed for fifty minutes on a screen."""
    rng = np.random.default_rng(0)
    counts = np.array([rng.poisson(3.0, N_STEPS), rng.random(N_STEPS) < 0.1], dtype=np.float64)
    replay = Replay(
        Trace(
            services=("shop/browse", "shop/refund"),
            start_s=86_400.0,
            step_s=60.0,
            counts=counts,
            duration_s=np.full((2, N_STEPS), 0.5),
            kind="counts",
        ),
        ReplaySettings(
            fit_until_s=86_400.0 + FIT_STEPS * 60.0,
            learner=LearnerSettings(max_rows=2000, rounds=10, windows=(0, 1, 2)),
        ),
    )
    screen = Screen(Console(file=SCREEN, width=120))
    with screen.progress() as progress:
        replay.fit(progress=progress)
    return replay, screen.run(replay)
