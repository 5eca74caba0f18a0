"""config-leader-election.

A ConfigMap with one wrong value is refused whole, as config-autoscaler is. Keys map-lease-prefix.*
are for controllers that name their leases by prefix; the autoscaler's leases have fixed names.
Source: knative.dev/pkg leaderelection/config.go; knative/serving pkg/autoscaler/bucket.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.errors import PermanentError
from knative.settings.quantities import duration_s, integer

NAME = "config-leader-election"
MOST_BUCKETS = 10
LEGACY = {
    "lease-duration": "leaseDuration",
    "renew-deadline": "renewDeadline",
    "retry-period": "retryPeriod",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    """Settings of leader election."""

    buckets: int = 1
    lease_duration_s: float = 60.0  # until others may acquire a lease that is not renewed
    renew_deadline_s: float = 40.0  # for which a leader that cannot renew goes on writing
    retry_period_s: float = 10.0  # between two attempts

    @property
    def leases(self) -> tuple[str, ...]:
        """Names of the leases, in the order in which they are acquired."""
        return tuple(
            f"autoscaler-bucket-{i:02d}-of-{self.buckets:02d}" for i in range(self.buckets)
        )


def election(data: Mapping[str, str]) -> Election:
    """Read config-leader-election's data. Raises PermanentError for the first wrong value."""
    former = Election()
    found = Election(
        buckets=_buckets(data.get("buckets", str(former.buckets))),
        lease_duration_s=_seconds(data, "lease-duration", former.lease_duration_s, least=1.0),
        renew_deadline_s=_seconds(data, "renew-deadline", former.renew_deadline_s),
        retry_period_s=_seconds(data, "retry-period", former.retry_period_s),
    )
    # A leader has to stop before others may start, and try more than once until then.
    _check_below("renew-deadline", found.renew_deadline_s, "lease-duration", found.lease_duration_s)
    _check_below("retry-period", found.retry_period_s, "renew-deadline", found.renew_deadline_s)
    return found


def _buckets(text: str) -> int:
    allowed = f"allowed: 1 to {MOST_BUCKETS}"
    try:
        count = integer(text.strip())
    except ValueError as error:
        raise PermanentError(f"{NAME}: buckets is {text!r}; {allowed}") from error
    if not 1 <= count <= MOST_BUCKETS:
        raise PermanentError(f"{NAME}: buckets is {text!r}; {allowed}")
    return count


def _seconds(data: Mapping[str, str], key: str, otherwise: float, *, least: float = 0.001) -> float:
    name = key if key in data else LEGACY[key]
    if name not in data:
        return otherwise
    try:
        value = duration_s(data[name].strip())
    except ValueError as error:
        raise PermanentError(f"{NAME}: {name} is {data[name]!r}: {error}") from error
    if value < least:
        raise PermanentError(f"{NAME}: {name} is {data[name]!r}; allowed: >= {least:g}s")
    return value


def _check_below(key: str, value: float, other: str, limit: float) -> None:
    if value >= limit:
        raise PermanentError(f"{NAME}: {key} is {value:g}s; allowed: below {other}, {limit:g}s")
