"""Simple and well-known ways to choose pairs of services, to hold the learner's search against.

Each chooses pairs only. All give a pair the same probability, the share of starts that were
followed, so that a difference is one of the choice.
"""

import contextlib
import io
import warnings
from dataclasses import dataclass

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, Origin
from autoscaler.core.types import BoolArray, FloatArray
from autoscaler.errors import PermanentError
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.significance import binomial_tail, false_rate
from learner.dependencies.starts.evidence import Evidence

FALSE_RATE = 0.01  # share of pairs that may be false, as of the learner
LEAST_TRIALS = 5.0  # starts, below which a share says nothing
STEP_S, STEPS_A_MINUTE = 10.0, 6
LAGS = 2  # steps: as far as a start follows another
PC_ALPHA = 0.001
PC_GIVEN = 2  # services conditioned on, at most: with more it takes hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of some days."""

    busy: BusyPeriods
    evidence: Evidence
    counts: FloatArray  # (n, n_steps) calls in steps of STEP_S

    @property
    def by_minute(self) -> FloatArray:
        """(n, n_minutes) calls."""
        n, n_steps = self.counts.shape
        whole = n_steps // STEPS_A_MINUTE * STEPS_A_MINUTE
        return np.asarray(self.counts[:, :whole].reshape(n, -1, STEPS_A_MINUTE).sum(axis=2))


def share_alone(past: Past) -> Edges:
    """Every pair with a few starts: no test."""
    return _edges(past, past.evidence.trials >= LEAST_TRIALS)


def same_minute(past: Past) -> Edges:
    """Pairs that are called in the same minute more often than by chance."""
    active = (past.by_minute > 0).astype(np.float64)
    n_active = active.sum(axis=1)
    both, shape = active @ active.T, (len(active),) * 2
    p = binomial_tail(
        both,
        np.broadcast_to(n_active[:, None], shape),
        np.broadcast_to(n_active / active.shape[1], shape),
    )
    np.fill_diagonal(p, 1.0)
    return _edges(past, _accepted(p))


def granger(past: Past) -> Edges:
    """Pairs of which the upstream's counts improve an autoregression of the downstream's.

    Tested are those in which a start ever followed another: no others can warn. Raises
    PermanentError where statsmodels is not installed.
    """
    try:
        from statsmodels.tools.sm_exceptions import InfeasibleTestError  # noqa: PLC0415
        from statsmodels.tsa.stattools import grangercausalitytests  # noqa: PLC0415
    except ImportError as error:
        raise _missing("statsmodels") from error

    n = past.busy.n
    p = np.ones((n, n))
    followed = past.evidence.followed >= 1
    for up, down in zip(*np.divmod(past.evidence.pair[followed], n), strict=True):
        both = np.sqrt(past.counts[[down, up]].T)
        with (
            contextlib.suppress(InfeasibleTestError),  # one is the other's copy
            contextlib.redirect_stdout(io.StringIO()),  # it prints what it finds
            warnings.catch_warnings(action="ignore"),
        ):
            tests, _ = grangercausalitytests(both, [LAGS])[LAGS]
            p[up, down] = tests["ssr_ftest"][1]
    return _edges(past, _accepted(p))


def pc(past: Past) -> Edges:
    """What the PC algorithm leaves of counts by minute; no direction = both.

    Raises PermanentError where causal-learn is not installed.
    """
    try:
        from causallearn.search.ConstraintBased.PC import pc as search  # noqa: PLC0415
    except ImportError as error:
        raise _missing("causal-learn") from error
    counts = np.sqrt(past.by_minute)
    varies = np.flatnonzero(counts.std(axis=1) > 0)
    # Without noise a service that is always called with another makes the test singular.
    noise = 0.01 * np.random.default_rng(0).standard_normal((len(varies), counts.shape[1]))
    data = (counts[varies] + noise).T
    graph = search(data, PC_ALPHA, "fisherz", show_progress=False, max_k=PC_GIVEN).G.graph
    chosen = np.zeros((past.busy.n,) * 2, dtype=np.bool_)
    # graph[a, b] is the mark at a: -1 a tail, 1 an arrow's head.
    chosen[np.ix_(varies, varies)] = (graph != 0) & ~((graph == 1) & (graph.T == -1))
    return _edges(past, chosen)


def _missing(package: str) -> PermanentError:
    return PermanentError(f"{package} is not installed; allowed: after pip install {package}")


def _accepted(p: FloatArray) -> BoolArray:
    n = len(p)
    return np.asarray(false_rate(p.ravel(), n * (n - 1)).reshape(n, n) <= FALSE_RATE)


def _edges(past: Past, chosen: BoolArray) -> Edges:
    """The chosen pairs (n, n), with the share of starts that were followed."""
    evidence, n = past.evidence, past.busy.n
    up, down = np.divmod(evidence.pair, n)
    mine = chosen[up, down] & (evidence.trials[up, down] > 0)
    share = evidence.followed[mine] / evidence.trials[up, down][mine]
    unknown = np.full(len(share), np.nan)
    return Edges(
        services=evidence.services,
        upstream=up[mine],
        downstream=down[mine],
        lag_s=unknown,
        gain=share,
        probability=np.minimum(share, 1.0),
        confidence=unknown,
        evidence=evidence.trials[up, down][mine],
        seen_at_s=unknown,
        direct=np.ones(len(share), dtype=np.bool_),
        origin=np.full(len(share), int(Origin.LEARNED_STARTS)),
    )
