"""Rows whose features are known: what experts share, so that each need not make them anew."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed

from autoscaler.core.types import IntArray
from learner.demand import Demand
from learner.models.columns import LevelFeatures
from learner.models.features import level_features
from learner.models.levels import cells_in_reach, pods_needed
from learner.models.rows import LevelRows, rows_in_reach


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRows:
    """All levels in reach of services at the origins asked for, and their features."""

    rows: LevelRows  # service by service
    place: IntArray  # (n_rows,) of the row's origin among those asked for
    features: LevelFeatures

    def only(self, services: IntArray) -> "KnownRows":
        """Those of some services, which count from 0 then."""
        place = np.full(int(self.rows.service.max(initial=-1)) + 1, -1)
        place[services] = np.arange(len(services))
        mine = np.flatnonzero(place[self.rows.service] >= 0)
        order = mine[np.argsort(place[self.rows.service[mine]], kind="stable")]
        return KnownRows(
            rows=replace(
                self.rows,
                service=place[self.rows.service[order]],
                cell=self.rows.cell[order],
                origin=self.rows.origin[order],
            ),
            place=self.place[order],
            features=replace(self.features, values=self.features.values[order]),
        )


def known_rows(demand: Demand, origins: IntArray, windows: tuple[int, ...]) -> KnownRows:
    """Those of all services."""
    pieces = list(pieces_of(demand, origins, windows))
    rows = [piece.rows for piece in pieces]
    return KnownRows(
        rows=LevelRows(
            service=np.concatenate([each.service for each in rows]),
            cell=np.concatenate([each.cell for each in rows]),
            origin=np.concatenate([each.origin for each in rows]),
        ),
        place=np.concatenate([piece.place for piece in pieces]),
        features=LevelFeatures(
            names=pieces[0].features.names,
            values=np.concatenate([piece.features.values for piece in pieces]),
        ),
    )


def pieces_of(demand: Demand, origins: IntArray, windows: tuple[int, ...]) -> Iterator[KnownRows]:
    """The same, some services at a time: where they are many, all would be too large."""
    need = pods_needed(demand)

    def known(rows: LevelRows, place: IntArray) -> KnownRows:
        level = level_features(need, rows, windows, start_s=demand.start_s, step_s=demand.step_s)
        return KnownRows(rows=rows, place=place, features=level)

    # As many at a time as there are cores, and no more: each takes some hundred MB.
    side_by_side = Parallel(
        n_jobs=-1, prefer="threads", return_as="generator", pre_dispatch="n_jobs"
    )
    pieces = rows_in_reach(cells_in_reach(need, origins), origins, demand.n_steps)
    yield from side_by_side(delayed(known)(rows, place) for rows, place in pieces)
