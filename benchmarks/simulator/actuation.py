"""What the cluster does with instructions: scale targets follow, the activator joins the path."""

import numpy as np

from autoscaler.core.control import Answered, ControlState, Instructions, control
from autoscaler.core.state.fleet import ALL, Fleet, Rows
from autoscaler.core.state.revision import Active
from autoscaler.core.types import FloatArray, IntArray


def start_at_zero(fleet: Fleet) -> None:
    """Make all rows services that are initialised and have been at zero for long."""
    fleet.memory.kpa[:] = 0
    fleet.observed.active[:] = int(Active.FALSE)
    for known in ("initialized", "set_up", "named"):
        getattr(fleet.observed, known)[:] = True


def apply_instructions(
    state: ControlState, done: Instructions, decided: IntArray | None, now: float | FloatArray
) -> tuple[IntArray, IntArray]:
    """Apply instructions to the fleet at Unix s ``now``; returns rows to scale, and their pods.

    decided: (n,) rows that were decided; None = all. now: one for all, or one per decided row.
    """
    fleet = state.fleet
    asked = fleet.requested
    rows = done.rows[asked.scale[done.rows]]
    pods = asked.want[rows].copy()
    fleet.observed.replicas[rows] = pods
    _follow_path(fleet, ALL if decided is None else decided, now)
    probed = done.rows[asked.probe[done.rows]]
    if len(probed):
        control(state, Answered(rows=probed), float(np.max(now)))
    return rows, pods


def _follow_path(fleet: Fleet, rows: Rows, now: float | FloatArray) -> None:
    """The activator is in the path where it was asked for, and where no pod is ready."""
    observed = fleet.observed
    proxied = fleet.decision.proxy[rows] | (observed.ready[rows] == 0)
    since = observed.proxied_since_s[rows]
    observed.proxied_since_s[rows] = np.where(
        proxied, np.where(np.isnan(since), now, since), np.nan
    )
