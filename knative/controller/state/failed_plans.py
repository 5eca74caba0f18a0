"""Revisions whose last plan failed: logged once each, and shown until a plan succeeds."""

from autoscaler.logs import get_logger

LONGEST_WHY = 300  # characters

log = get_logger(__name__)


class FailedPlans:
    """Why the last plan of a revision failed, by "namespace/revision"."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}

    def add(self, key: str, why: str) -> None:
        """A plan failed."""
        if key not in self._why:
            log.warning("plan failed; trying again", revision=key, why=why)
        self._why[key] = why[:LONGEST_WHY]

    def discard(self, key: str) -> None:
        """A plan succeeded, or its revision was deleted."""
        self._why.pop(key, None)

    def clear(self) -> None:
        """Another replica leads."""
        self._why.clear()

    def __contains__(self, key: str) -> bool:
        return key in self._why

    @property
    def summary(self) -> str:
        """How many there are, and one of them; "" = none."""
        for key, why in self._why.items():
            return f"revisions not acted for: {len(self._why)}; {key}: {why}"
        return ""
