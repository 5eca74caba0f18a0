"""A token bucket: a burst at once, and a rate in the long run."""


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
        """Take a token, after `ready` has returned true."""
        self._tokens -= 1.0

    def full(self, now: float) -> bool:
        """Whether it is full, as a new one is."""
        self.ready(now)
        return self._tokens >= self._burst
