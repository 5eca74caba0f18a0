"""The sequential test by which an edge loses its say, and gets it back.

The null hypothesis of an edge that is in force is that of its warnings, whatever came before, at
least a share q comes true: half of what it states, and at most `WORTH`, so that one with a call for
every fifth pod is left alone. One bets against it, as in `evidence`, here with the likelihood ratio

    L = r / q  if a warning comes true,  (1 - r) / (1 - q)  if it does not,    r < q

whose mean is at most 1 under it. W = max(W, 1) L, the mean over several r, reaches 1 / a at any one
warning with a probability of at most a, however warnings depend on each other. What came true
long ago does not put off what does not now. While it is withdrawn the hypothesis is that at most q
comes true, and r > q.
"""

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray

FALSE_WITHDRAWAL = 1e-6  # at most, at each warning: below 1 % in a year of 27 warnings a day
FALSE_RETURN = 1e-3  # at most, at each warning
WORTH = 0.2  # at the default price a pod pays where more than 0.17 of its starts are not in vain
UNDER = np.array([1 / 16, 1 / 2])[:, None]  # (k, 1) r / q against an edge that is in force
OVER = np.array([1 / 4, 3 / 4])[:, None]  # (k, 1) (r - q) / (1 - q) for one that is withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeEvidence:
    """What is known of m edges; (m,) each."""

    withdrawn: BoolArray
    log_wealth: FloatArray  # (k, m) of each r, against what is in force
    run: FloatArray  # (2, m) warnings, and those that came true, since evidence began anew

    @classmethod
    def none(cls, m: int) -> "EdgeEvidence":
        """Of m edges that are in force."""
        return cls(
            withdrawn=np.zeros(m, dtype=np.bool_),
            log_wealth=np.zeros((len(UNDER), m)),
            run=np.zeros((2, m)),
        )

    def after(self, edge: IntArray, came: BoolArray, stated: FloatArray) -> "EdgeEvidence":
        """With one more warning of some edges; its ``withdrawn`` is what follows from it.

        edge: (k,). came: (k,) whether it came true. stated: (m,) with what probability; NaN = not.
        """
        q = np.clip(np.nan_to_num(stated[edge], nan=1.0) / 2, 1e-3, WORTH)
        out = self.withdrawn[edge]
        r = np.where(out, q + OVER * (1 - q), UNDER * q)
        before = np.maximum(self.log_wealth[:, edge], 0.0)
        after = before + np.log(np.where(came, r / q, (1 - r) / (1 - q)))
        least = -np.log(np.where(out, FALSE_RETURN, FALSE_WITHDRAWAL))
        changes = np.logaddexp.reduce(after, axis=0) - np.log(len(after)) >= least
        withdrawn, log_wealth, run = self.withdrawn.copy(), self.log_wealth.copy(), self.run.copy()
        withdrawn[edge] = out ^ changes
        log_wealth[:, edge] = np.where(changes, 0.0, after)
        began = (before <= 0.0).all(axis=0)
        run[:, edge] = np.where(began, 0.0, run[:, edge]) + np.stack([np.ones(len(edge)), came])
        return replace(self, withdrawn=withdrawn, log_wealth=log_wealth, run=run)
