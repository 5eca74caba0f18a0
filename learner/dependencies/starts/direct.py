"""Direct edges: those that no path over a service between explains."""

import numpy as np

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.state.rings import span
from autoscaler.core.types import BoolArray

SLACK_S = 1.0  # s by which the lags of a path may differ from the lag that they explain
SHARE = 0.8  # of an edge's gain that the gain of a path has to reach to explain it


def direct_starts(edges: Edges) -> Edges:
    """The edges with ``direct`` set by one rule.

    A -> B is not direct if there is a C with A -> C and C -> B, later than A and earlier than B
    each, whose lags add up to that of A -> B (within a second), and whose gains multiply to four
    fifths of its gain at least. All edges count, direct or not, so the result does not depend on
    their order, nor on cycles.
    """
    ordered, first = edges.by_upstream()
    n_next = first[ordered.downstream + 1] - first[ordered.downstream]
    leg = np.repeat(np.arange(len(ordered)), n_next)  # A -> C
    other = span(first[ordered.downstream], n_next)  # C -> B
    n = len(ordered.services)
    key = ordered.upstream[leg] * n + ordered.downstream[other]
    place = np.minimum(np.searchsorted(ordered.key, key), max(len(ordered) - 1, 0))
    lag, gain = ordered.lag_s, ordered.gain
    explains = (
        (ordered.key[place] == key)
        & (np.minimum(lag[leg], lag[other]) > 0)
        & (np.abs(lag[leg] + lag[other] - lag[place]) <= SLACK_S)
        & (gain[leg] * gain[other] >= SHARE * gain[place])
    )
    direct: BoolArray = np.ones(len(ordered), dtype=np.bool_)
    direct[place[explains]] = False
    columns = {name: getattr(ordered, name) for name in ordered.__slots__}
    return Edges(**columns | {"direct": direct})
