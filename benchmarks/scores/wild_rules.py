"""The rules of "Serverless in the Wild": one image per application, loaded or not.

Source: Shahrad et al., USENIX ATC 2020. Executions take no time, all images weigh the same, and any
number of invocations share one. After each invocation a policy may unload the image, load it again
``pre_s`` later, and keep it for ``keep_s`` from then on. An invocation that finds it not loaded is
cold. Wasted is the time that it is loaded, as the time that it executes counts as nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray

FIXED_S = 600.0  # the keep-alive whose waste is 100 %


@dataclass(frozen=True, slots=True, kw_only=True)
class WildOutcome:
    """One application."""

    invocations: int
    cold: int
    wasted_s: float  # loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class WildScore:
    """All applications."""

    cold_p75: float  # 75th percentile over applications of the share of cold invocations
    always_cold: float  # share of applications, those with one invocation left out; NaN: none
    wasted: float  # of what a fixed keep-alive of 10 minutes wastes, 1 = as much; NaN: nothing


def played(
    arrival_s: FloatArray,
    pre_s: FloatArray | float,
    keep_s: FloatArray | float,
    end_s: float,
    since_s: float = -np.inf,
) -> WildOutcome:
    """Play one application until Unix s ``end_s``, and count from ``since_s`` on.

    arrival_s: (k,) ascending. pre_s, keep_s: of the window after each, (k,) or one for all.
    """
    idle = np.diff(np.append(arrival_s, end_s))
    window = np.broadcast_to(pre_s, idle.shape), np.broadcast_to(keep_s, idle.shape)
    before = np.clip(since_s - arrival_s, 0.0, None)  # s of each idle time that are not counted
    loaded_s = np.minimum(idle, window[0] + window[1]) - np.maximum(window[0], before)
    warm = (idle >= window[0]) & (idle <= window[0] + window[1])
    counted = arrival_s >= since_s
    return WildOutcome(
        invocations=int(counted.sum()),
        cold=int(counted.sum()) - int((warm[:-1] & counted[1:]).sum()),
        wasted_s=float(np.maximum(loaded_s, 0.0).sum()),
    )


def fixed(
    arrival_s: FloatArray, end_s: float, keep_s: float = FIXED_S, since_s: float = -np.inf
) -> WildOutcome:
    """Play a fixed keep-alive."""
    return played(arrival_s, 0.0, keep_s, end_s, since_s)


def stepwise(
    arrival_s: FloatArray, loaded: BoolArray, start_s: float, step_s: float
) -> WildOutcome:
    """Play one application whose image is loaded or not for whole steps; others are left out.

    loaded: (n_steps,) as planned from Unix s ``start_s`` on. The paper knows no such policies: here
    a cold invocation loads the image until the end of its step.
    """
    step = np.floor((arrival_s - start_s) / step_s).astype(np.int64)
    inside = (step >= 0) & (step < len(loaded))
    called, first = np.unique(step[inside], return_index=True)
    cold = ~loaded[called]
    rest_s = start_s + (called + 1) * step_s - arrival_s[inside][first]
    return WildOutcome(
        invocations=int(inside.sum()),
        cold=int(cold.sum()),
        wasted_s=float(loaded.sum() * step_s + rest_s[cold].sum()),
    )


def scored(outcomes: Sequence[WildOutcome], reference: Sequence[WildOutcome]) -> WildScore:
    """Score a policy beside the fixed keep-alive; applications without calls are left out."""
    called = [each for each in outcomes if each.invocations]
    invocations, cold = (
        np.array([getattr(each, name) for each in called], dtype=np.int64)
        for name in ("invocations", "cold")
    )
    wasted = sum(each.wasted_s for each in reference)
    return WildScore(
        cold_p75=float(np.percentile(cold / invocations, 75)) if called else float("nan"),
        always_cold=_share_of_always_cold(invocations, cold),
        wasted=sum(each.wasted_s for each in outcomes) / wasted if wasted else float("nan"),
    )


def _share_of_always_cold(invocations: IntArray, cold: IntArray) -> float:
    several = invocations > 1
    return float((cold == invocations)[several].mean()) if several.any() else float("nan")
