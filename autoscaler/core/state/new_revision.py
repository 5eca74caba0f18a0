"""What the columns of a revision hold when it joins the fleet."""

import numpy as np

from autoscaler.core.names import NO_NAME
from autoscaler.core.state.credit import Credit
from autoscaler.core.state.decision import Decision, OneDecision
from autoscaler.core.state.early import Early
from autoscaler.core.state.revision import (
    NO_ANSWER,
    UNDECIDED,
    Active,
    Memory,
    Observed,
    PodCounts,
    Requested,
    Revision,
)

NO_DECISION: OneDecision = Decision(
    at_s=np.nan,
    no_data=True,
    stable=0.0,
    panic=0.0,
    panicking=False,
    undelayed=NO_ANSWER,
    kpa=NO_ANSWER,
    predicted=NO_ANSWER,
    anticipated=NO_ANSWER,
    desired=NO_ANSWER,
    bounded=NO_ANSWER,
    want=UNDECIDED,
    scale=False,
    probe=False,
    proxy=True,
    activators=0,
    upstream=NO_NAME,
    upstream_rate=0.0,
    upstream_since_s=np.nan,
    gain=0.0,
    lag_s=0.0,
    ahead=0,
    extra=0,
    max_extra=np.inf,
    credit_s=np.nan,
    further_s=0.0,
    of_cluster=False,
    withdrawn=False,
)
NO_CASES: Early[float, int] = Early(left=NO_ANSWER, cases=0.0, back=0.0, missed=0.0)
NO_PODS: PodCounts[int] = PodCounts(unready=0, pending=0, terminating=0)
NOTHING_REQUESTED: Requested[float, int, bool] = Requested(
    want=UNDECIDED,
    scale=False,
    probe=False,
    proxy=False,
    activators=-1,
    active=-1,
    ready=-1,
    initialized=False,
    changed=True,
    retry_s=np.nan,
    wait_s=0.0,
)


def first_credit(revision: Revision) -> Credit[float, int]:
    """A full account."""
    return Credit(left_s=revision.extra_allowance_s, day_s=0.0, ahead=0, end_s=0.0)


def first_observed(ready: int, now: float) -> Observed[float, int, bool]:
    """With ``ready`` pods at Unix s ``now``; everything else is to be observed."""
    return Observed(
        ready=ready,
        replicas=ready,
        set_up=False,
        named=False,
        active=Active.UNKNOWN,
        active_since_s=now,
        proxied_since_s=np.nan,
        probe_passed=False,
        initialized=False,
    )


def first_memory(revision: Revision, ready: int, now: float) -> Memory[float, int]:
    """With more than one pod ready it panics, so that a restart never scales down at once."""
    panicking = ready > 1
    burst = revision.target_burst_capacity
    spare = int(revision.initial_scale * revision.total - burst)
    return Memory(
        panic_since_s=now if panicking else np.nan,
        max_panic_pods=ready if panicking else 0,
        kpa=NO_ANSWER,
        excess_burst_capacity=burst if burst in (-1, 0) else spare,
    )
