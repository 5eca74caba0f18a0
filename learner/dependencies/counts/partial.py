"""Direct edges between continuous services: those that remain beside all other upstreams."""

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import BoolArray, IntArray

STRONGEST = 40  # upstreams of one service in the regression
LEAST_T = 3.5  # t statistic of the coefficient of a direct edge


def direct_counts(
    z: npt.NDArray[np.float32], up: IntArray, down: IntArray, lag: IntArray
) -> BoolArray:
    """(m,) whether an edge remains when its service is regressed on all its upstreams at once.

    z: (n, T) standardized residuals. up, down: (m,) rows of them. lag: (m,) steps.
    """
    direct = np.zeros(len(up), dtype=np.bool_)
    length = z.shape[1]
    order = np.argsort(down, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(down[order])) + 1):
        if not len(mine):
            continue
        reach = int(lag[mine].max())
        y = z[down[mine[0]], reach:]
        steps = np.arange(reach, length)
        correlation = np.array([z[up[e], steps - lag[e]] @ y for e in mine]) / len(steps)
        strong = np.argsort(-correlation)[:STRONGEST]
        edges = mine[strong]
        x = z[up[edges][:, None], steps - lag[edges][:, None]].astype(np.float64)
        inverse = np.linalg.inv(x @ x.T + 1e-6 * len(steps) * np.eye(len(edges)))
        coefficient = inverse @ (x @ y)
        rest = np.mean((y - coefficient @ x) ** 2)
        t = coefficient / np.sqrt(np.maximum(rest * np.diag(inverse), 1e-12))
        direct[edges] = t >= LEAST_T
    return direct
