"""What prediction may still cost: an account of pod time for each revision, and one for all.

The law that keeps it is in `autoscaler.core.prediction.bill`.
"""

from dataclasses import dataclass
from typing import Generic, TypeAlias

import numpy as np

from autoscaler.core.state.revision import B, F, I
from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit(Generic[F, I, B]):
    """The account of one revision; of one without a bill it is full."""

    left_s: F  # s of pod; below 0 = overdrawn
    paid: I  # pods ahead that the last tick paid for
    end_s: F  # s of pod that its pods ahead still cost if nothing asks for them any more
    ahead: B  # what stands was started ahead, and Knative's rule has asked for none since


CreditArrays: TypeAlias = Credit[FloatArray, IntArray, BoolArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCredit:
    """The account of all revisions together."""

    max_extra: float = np.inf  # of what Knative's rule wants, a fraction; inf = no bill
    allowance_s: float = 0.0  # s of pod that it begins with, and never exceeds
    left_s: float = 0.0  # s of pod; below 0 = overdrawn
    paid: int = 0  # pods ahead that the last tick paid for
