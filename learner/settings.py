"""What a fit may cost, and how far forecasts look ahead. Imports nothing that takes long."""

from dataclasses import dataclass

WINDOWS = (0, 1, 2, 5, 15, 60)  # steps ahead: the next step, the one after, ... up to an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSettings:
    """What a fit may cost, and how far it looks ahead."""

    windows: tuple[int, ...] = WINDOWS
    """Edges of the windows in steps after the origin, ascending from 0."""

    max_rows: int = 100_000
    """Rows that the pooled model learns from; time and memory grow in proportion."""

    rounds: int = 250
    """Trees of the pooled model for each window; time grows in proportion."""

    seeds: tuple[int, ...] = (0,)
    """The pooled model is the average of one for each seed."""
