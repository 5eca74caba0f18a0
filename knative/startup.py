"""Start-up times as measured: from a pod's creation until it was ready."""

from collections import defaultdict, deque

import numpy as np

KEPT = 50  # of each service
UNMEASURED_S = 10.0  # until the first start was seen
QUANTILE = 90  # what a forecast has to be ahead of


class StartUps:
    """The last start-up times of each service."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))

    def add(self, service: str, seconds: float) -> None:
        """A pod of the service took so long."""
        if 0 <= seconds < 3600:
            self._seen[service].append(seconds)

    def lead_s(self, service: str) -> float:
        """What a pod of the service takes at P90, s; Kubernetes' times are whole seconds."""
        seen = self._seen.get(service)
        return float(np.percentile(seen, QUANTILE)) + 1.0 if seen else UNMEASURED_S
