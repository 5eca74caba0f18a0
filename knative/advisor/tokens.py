"""A token bucket: so many at once, and so many a second in the long run."""


class TokenBucket:
    """Full at first; reads no clock."""

    def __init__(self, *, per_s: float, burst: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._tokens, self._at_s = burst, 0.0

    def ready(self, now: float) -> bool:
        """Whether there is a token. now: s of any clock that never goes back."""
        filled = self._tokens + self._per_s * max(now - self._at_s, 0.0)
        self._tokens, self._at_s = min(filled, self._burst), now
        return self._tokens >= 1.0

    def take(self) -> None:
        """Take the token that was said to be there."""
        self._tokens -= 1.0

    def full(self, now: float) -> bool:
        """Whether nothing is owed, so that a new bucket would be the same."""
        self.ready(now)
        return self._tokens >= self._burst
