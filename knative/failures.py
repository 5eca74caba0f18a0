"""Revisions that could not be acted for: why, and how long each waits until it is tried again."""

import logging
from collections.abc import Callable, Iterator

from autoscaler.errors import AutoscalerError
from knative.api import ApiError

AGAIN_S = 1.0  # s until a failed pass is tried again
NO_MORE_S = 30.0  # s, the longest

log = logging.getLogger(__name__)


class Failures:
    """A failure is said once; the next of the same revision doubles the wait."""

    def __init__(self) -> None:
        self._waits_s: dict[str, float] = {}  # by "namespace/revision"
        self._why: dict[str, str] = {}
        self.ailing: Callable[[str], None] = lambda _: None  # hears of every change of `summary`

    def __iter__(self) -> Iterator[str]:
        return iter(self._waits_s)

    def __contains__(self, key: str) -> bool:
        return key in self._waits_s

    def wait_s(self, key: str) -> float:
        """How long a revision that failed waits."""
        return self._waits_s[key]

    def add(self, key: str, error: Exception) -> None:
        """A pass failed; an API server that asks for more time gets it."""
        wait_s = min(2 * self._waits_s.get(key, AGAIN_S / 2), NO_MORE_S)
        if not isinstance(error, AutoscalerError):
            # An object of a shape nobody foresaw concerns its own revision only.
            log.error("%s: the pass failed", key, exc_info=error)
            wait_s = NO_MORE_S
        elif key not in self:
            log.warning("%s: %s; trying again", key, error)
        asked_s = error.retry_after_s if isinstance(error, ApiError) else 0.0
        self._waits_s[key] = max(wait_s, asked_s)
        self._why[key] = str(error) or repr(error)
        self.ailing(self.summary)

    def discard(self, key: str) -> None:
        """A pass went well."""
        if self._waits_s.pop(key, None) is not None:
            del self._why[key]
            self.ailing(self.summary)

    def clear(self) -> None:
        """Nobody acts any more."""
        self._waits_s.clear()
        self._why.clear()
        self.ailing("")

    @property
    def summary(self) -> str:
        """How many there are, and one of them; "" = none."""
        for key, why in self._why.items():
            return f"revisions not acted for: {len(self._why)}; {key}: {why}"
        return ""
