"""IceBreaker's predictor: the FFT of an hour of invocations, a minute ahead.

Source: Roy et al., ASPLOS 2022, as FeMux's artefact re-implements it: invocations of each minute,
forecast as in `benchmarks.policies.fft`, are rounded to whole ones and clipped at none, and become
requests in flight by their mean duration; here that of the same hour. IceBreaker's other half, the
choice of cheap or costly nodes, has no counterpart where all pods are alike.
"""

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.policies.contender import Scene
from benchmarks.policies.fft import ICEBREAKER_WINDOW, next_steps
from benchmarks.policies.point_forecast import in_flight


def icebreaker(scene: Scene) -> FloatArray:
    """(n, n_steps - first) requests in flight on average, of each step from the first on."""
    arrivals = np.nan_to_num(scene.demand.arrivals).astype(np.float64)
    invocations = np.maximum(np.rint(next_steps(arrivals, scene.first, ICEBREAKER_WINDOW)), 0.0)
    called = _last_hour(arrivals, scene.first)
    steps_each = np.divide(  # of execution: Little's law
        _last_hour(in_flight(scene), scene.first), called, out=np.zeros_like(called),
        where=called > 0,
    )  # fmt: skip
    return np.asarray(invocations * steps_each, dtype=np.float64)


def _last_hour(values: FloatArray, first: int) -> FloatArray:
    """(n, n_steps - first) sums over the hour before each step."""
    so_far = np.pad(np.cumsum(values, axis=1), ((0, 0), (ICEBREAKER_WINDOW + 1, 0)))
    end = np.arange(first, values.shape[1]) + ICEBREAKER_WINDOW
    return np.asarray(so_far[:, end] - so_far[:, end - ICEBREAKER_WINDOW])
