"""What prediction may still cost: an account of pod time for each revision, and one for all.

The law that keeps it is in `autoscaler.core.prediction.bill`.
"""

from dataclasses import dataclass
from typing import Generic, TypeAlias

import numpy as np

from autoscaler.core.state.revision import F, I
from autoscaler.core.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit(Generic[F, I]):
    """The account of one revision; of one without a bill it is full."""

    left_s: F  # s of pod; below 0 = overdrawn
    day_s: F  # s of pod that was earned within a day
    ahead: I  # pods that stand ahead of Knative's
    end_s: F  # s of pod that those still cost once nothing asks for them any more


CreditArrays: TypeAlias = Credit[FloatArray, IntArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCredit:
    """The account of all revisions together."""

    max_extra: float = np.inf  # of what Knative's rule wants, a fraction; inf = no bill
    allowance_s: float = 0.0  # s of pod that it begins with
    left_s: float = 0.0  # s of pod; below 0 = overdrawn
    day_s: float = 0.0  # s of pod that was earned within a day
