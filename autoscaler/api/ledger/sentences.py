"""What was saved, in sentences: losses as well, and where nothing is known, from when on it is."""

from datetime import datetime

from autoscaler.advisor.ledger.comparison import Comparison
from autoscaler.advisor.ledger.table import HOUR_S

LEAST_S = 3600.0  # s that have to be known before anything is said of them
WHOLE = 0.98  # share of the time from which on it counts as all of it

NOT_BEGUN = "Nothing is known yet of what kn-ahead saves: nothing has been counted."
UNKNOWN = "Nothing is known of that time."
OFF = "Nothing is compared: in mode off, kn-ahead is Knative's rule."


def begun(since: datetime, until: datetime) -> str:
    """What is said before `LEAST_S` are known. since: when counting began; until: when it is."""
    return (
        f"What kn-ahead saves is counted since {since:%H:%M} UTC, and said here "
        f"from {until:%H:%M} UTC on."
    )


def saved(
    when: str,
    applied: Comparison | None,
    shadow: Comparison | None,
    *,
    some: bool,
    covered: float,
) -> list[str]:
    """What was saved where kn-ahead was in force, and would have been in shadow.

    when: such as "In the last 7 days". some: whether anything came, in any mode. covered: share of
    that time that is known, 0 to 1.
    """
    said = []
    if applied is not None:
        said.append(_sentence(when, applied, would=False))
    if shadow is not None:
        own = "Of services in shadow" if applied is not None else when
        said.append(_sentence(own, shadow, would=True))
    if not said:
        return [OFF if some else f"{when} nothing came, and nothing was saved."]
    if covered < WHOLE:
        said.append(f"Of that time {covered:.0%} is known.".replace("%", " %"))
    return said


def _sentence(when: str, of: Comparison, *, would: bool) -> str:
    cold, interval = round(of.saved_cold.value), of.saved_cold
    low, high = round(interval.low), round(interval.high)
    pods = _pods(of.more_pod_s.value)
    if cold < 0:
        were = "would have been" if would else "was" if cold == -1 else "were"
        more = f"{-cold:,} more {_requests(-cold)} than under Knative alone"
        return f"{when} there {were} {more}, {pods} (95 %: {-high:,} to {-low:,})."
    were = "would have been" if would else "was" if cold <= 1 else "were"
    many = f"{cold:,}" if cold else "no"
    return f"{when} {many} {_requests(cold or 1)} {were} saved {pods} (95 %: {low:,} to {high:,})."


def _requests(many: int) -> str:
    return "cold request" if many == 1 else "cold requests"


def _pods(more_s: float) -> str:
    hours = round(more_s / HOUR_S, 1)
    if hours == 0:
        return "at the same pod-hours"
    return (
        f"for {hours:,.1f} pod-hours more" if hours > 0 else f"with {-hours:,.1f} pod-hours fewer"
    )
