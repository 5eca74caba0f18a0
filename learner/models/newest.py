"""The rows of the newest origin, when what models ask of them is known already."""

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.types import IntArray
from learner.models.columns import LevelFeatures
from learner.models.rows import LevelRows


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestRows:
    """All levels in reach of every service at the end of demand, and their features."""

    rows: LevelRows  # service by service
    features: LevelFeatures

    def only(self, services: IntArray) -> "NewestRows":
        """Those of some services, which count from 0 then."""
        place = np.full(int(self.rows.service.max(initial=-1)) + 1, -1)
        place[services] = np.arange(len(services))
        mine = np.flatnonzero(place[self.rows.service] >= 0)
        order = mine[np.argsort(place[self.rows.service[mine]], kind="stable")]
        return NewestRows(
            rows=replace(
                self.rows,
                service=place[self.rows.service[order]],
                cell=self.rows.cell[order],
                origin=self.rows.origin[order],
            ),
            features=replace(self.features, values=self.features.values[order]),
        )
