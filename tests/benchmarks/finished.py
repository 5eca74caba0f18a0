"""Of the small replay that several tests look at: its size, its screen, and what it is."""

import io

from benchmarks.replay import Replay
from benchmarks.scores.score import PolicyScore

N_STEPS, FIT_STEPS = 170, 120
SCREEN = io.StringIO()
Finished = tuple[Replay, list[PolicyScore]]
