"""What a service cost and how long its callers waited, under Knative's rule and under kn-ahead.

Of the two policies one is in force and is counted as observed; the other is the twin's (`twin`),
and is counted as estimated. All are sums since the service joined the fleet.
"""

from dataclasses import dataclass
from typing import Generic, TypeAlias

from autoscaler.core.state.revision import F
from autoscaler.core.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Generic[F]):
    """Sums of one service, or (n,) of all."""

    requests: F  # that arrived, in seconds that were counted for both policies
    knative_cold: F  # requests that arrived while no pod was ready
    knative_cold_s: F  # s that these waited for one
    knative_short: F  # requests that arrived while pods did not suffice for all; cold ones too
    knative_pod_s: F  # s of pod, from creation to gone
    knative_starts: F  # pods that were created
    ahead_cold: F
    ahead_cold_s: F
    ahead_short: F
    ahead_pod_s: F
    ahead_starts: F


AccountArrays: TypeAlias = Account[FloatArray]
NOTHING_COUNTED: Account[float] = Account(
    requests=0.0,
    knative_cold=0.0,
    knative_cold_s=0.0,
    knative_short=0.0,
    knative_pod_s=0.0,
    knative_starts=0.0,
    ahead_cold=0.0,
    ahead_cold_s=0.0,
    ahead_short=0.0,
    ahead_pod_s=0.0,
    ahead_starts=0.0,
)
