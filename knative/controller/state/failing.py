"""Revisions whose plans failed last, and why: said once each, and shown while it lasts."""

import logging

LONGEST_WHY = 300  # characters

log = logging.getLogger(__name__)


class FailedPlans:
    """By "namespace/revision"."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}

    def add(self, key: str, why: str) -> None:
        """A plan failed."""
        if key not in self._why:
            log.warning("%s: %s; trying again", key, why)
        self._why[key] = why[:LONGEST_WHY]

    def discard(self, key: str) -> None:
        """A plan went well, or its revision went."""
        self._why.pop(key, None)

    def clear(self) -> None:
        """Nobody acts any more."""
        self._why.clear()

    def __contains__(self, key: str) -> bool:
        return key in self._why

    @property
    def summary(self) -> str:
        """How many there are, and one of them; "" = none."""
        for key, why in self._why.items():
            return f"revisions not acted for: {len(self._why)}; {key}: {why}"
        return ""
