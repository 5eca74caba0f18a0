"""Size, screen and type of the small finished replay of `conftest`."""

import io

from benchmarks.replay import Replay
from benchmarks.scores.score import PolicyScore

N_STEPS, FIT_STEPS = 170, 120
SCREEN = io.StringIO()
Finished = tuple[Replay, list[PolicyScore]]
