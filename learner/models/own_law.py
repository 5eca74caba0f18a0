"""A level's own law: how its past runs and pauses ended, as a probability for each window.

While a level is needed, the run goes on to a window's begin with the share of past runs of its age
that did, and the next run begins as runs have followed each other; while it is idle, the need
begins within the window with the share of past pauses of its age that ended there (empirical
hazards, Kaplan and Meier 1958). Where a run or a pause may end before the window, the level is
taken to be needed as often as of late.

Boosting starts from this law and learns where to depart from it. What it learned on some services
then carries over to others: a booster that starts from the average learns their periods instead.
"""

from itertools import pairwise

import numpy as np

from autoscaler.core.types import FloatArray
from learner.models.columns import LevelFeatures

LEAST = 1e-3  # probability, and its distance from 1: a past has only so many stretches


def own_law(features: LevelFeatures, windows: tuple[int, ...]) -> FloatArray:
    """Log odds that each row's level is needed within each window, (n_rows, n_windows).

    NaN where no past stretch lasted as long as the present one.
    """
    spans = list(pairwise(windows))
    running = features["lag_1"] == 1
    recent = np.nan_to_num(features["mean_240"])  # share of steps
    answer = np.empty((len(running), len(spans)))
    run_ended = _hazard(features, "busy", (0, 1))  # by the first step of the window
    pause_ended = np.zeros(len(running))  # before the window
    for window, (begin, end) in enumerate(spans):
        again = 1 - (1 - np.minimum(recent, 1 - LEAST)) ** (end - begin)
        starts = _hazard(features, "idle", (begin, end))
        goes_on = np.clip(1 - run_ended, 0, 1)
        next_run = np.maximum(_hazard(features, "cycle", (begin, end)), again) if begin else 0.0
        while_running = goes_on + (1 - goes_on) * next_run
        while_idle = starts + np.clip(1 - starts, 0, 1) * np.minimum(pause_ended, 1) * again
        answer[:, window] = np.where(running, while_running, while_idle)
        if begin:
            run_ended = run_ended + _hazard(features, "busy", (begin, end))
        pause_ended = pause_ended + starts
    inside = np.clip(answer, LEAST, 1 - LEAST)
    outlived = np.where(running, features["busy_outlived"], features["idle_outlived"])
    law = np.log(inside / (1 - inside))
    return np.asarray(np.where((outlived < 1)[:, None], law, np.nan))


def _hazard(features: LevelFeatures, kind: str, span: tuple[int, int]) -> FloatArray:
    """(n_rows,) share of past stretches of that age that ended within the span."""
    return features[f"{kind}_hazard_{span[0]}_{span[1]}"].astype(np.float64)
