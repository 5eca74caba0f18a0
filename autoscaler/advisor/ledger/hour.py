"""The hour that is going on: sums that grow with every snapshot."""

from collections.abc import Mapping

import numpy as np

from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.advisor.ledger.table import Table, with_squares
from autoscaler.core.names import name_id
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.limits import LEDGER_ROWS

_NOBODY: IntArray = np.zeros(0, dtype=np.int64)


class Hour:
    """Sums by service and mode; services are known by their `name_id` until somebody names them."""

    def __init__(self, start_s: float, begun: Table | None = None) -> None:
        """begun: what is known of this hour already."""
        self.start_s = start_s
        self.is_full = False
        self.covered_s = begun.covered_s if begun else 0.0
        self._rows: dict[tuple[int, int], int] = {}  # by `name_id` and mode
        self._sums = np.zeros((len(COLUMNS), 0))
        self._service = self._mode = self._place = _NOBODY  # of the last addition
        self._named: tuple[Mapping[int, str], int, IntArray, tuple[str, ...]] | None = None
        if begun:
            ids = np.array([name_id(name) for name in begun.services], dtype=np.int64)
            self.add(ids, begun.mode, np.asarray(begun.sums[: len(COLUMNS)], np.float64), 0.0)

    def add(self, service: IntArray, mode: IntArray, counted: FloatArray, seconds: float) -> None:
        """Add what was counted of k services in so many s. service, mode: (k,). counted: (c, k)."""
        if not (np.array_equal(service, self._service) and np.array_equal(mode, self._mode)):
            self._place = self._places(service, mode)
            self._service, self._mode = service, mode
        there = self._place >= 0
        self._sums[:, self._place[there]] += counted[:, there]
        self.covered_s += seconds

    def _places(self, service: IntArray, mode: IntArray) -> IntArray:
        """(k,) rows; new ones where there are none, and -1 beyond the limit."""
        rows, most = self._rows, int(LEDGER_ROWS.most)
        places = [
            rows.setdefault(key, len(rows)) if len(rows) < most else rows.get(key, -1)
            for key in zip(service.tolist(), mode.tolist(), strict=True)
        ]
        self.is_full |= -1 in places
        missing = len(rows) - self._sums.shape[1]
        self._sums = np.pad(self._sums, ((0, 0), (0, missing)))
        return np.array(places, dtype=np.int64)

    def table(self, names: Mapping[int, str], until_s: float) -> Table:
        """What is known until Unix s, of services that have a name and were counted at all."""
        named, services = self._names(names)
        mode = np.array([mode for _, mode in self._rows], dtype=np.int64)[named]
        sums = self._sums[:, named]
        some = sums.any(axis=0)
        if not some.all():
            services = tuple(services[row] for row in np.flatnonzero(some).tolist())
            mode, sums = mode[some], sums[:, some]
        return Table(
            start_s=self.start_s,
            length_s=until_s - self.start_s,
            covered_s=self.covered_s,
            services=services,
            mode=mode,
            sums=with_squares(sums),
        )

    def _names(self, names: Mapping[int, str]) -> tuple[IntArray, tuple[str, ...]]:
        """Rows that have a name, and their names; made anew when either has changed."""
        made, n = self._named, len(self._rows)
        if made is None or made[0] is not names or made[1] != n:
            rows = [row for row, (service, _) in enumerate(self._rows) if service in names]
            services = tuple(names[service] for service, _ in self._rows if service in names)
            made = self._named = (names, n, np.array(rows, dtype=np.int64), services)
        return made[2], made[3]
