"""Promises: what each service promised, the price that keeps it, and what was achieved.

The price of a service follows hour by hour from the ledger (`core.prediction.promise`). It is kept
in a file beside the ledger over restarts; without one it begins anew.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.advisor.ledger.table import HOUR_S, Table
from autoscaler.core.names import name_id
from autoscaler.core.prediction.promise import (
    LEAST_S,
    MOST_S,
    START_S,
    STEPS_A_DAY,
    price_after,
    usual_after,
)
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.exchange.layout import Field, Layout
from autoscaler.exchange.snapshot import Named, Snapshot
from autoscaler.limits import LEDGER_ROWS

FILE = "promises"
ACHIEVED_HOURS = 168  # the last ones, over which it is said what was achieved
NORMAL_95 = 1.96  # standard deviations of a normal distribution that hold 95 % of it

LAYOUT = Layout(
    magic=b"KNAHPROM",
    version=1,
    most={"services": int(LEDGER_ROWS.most)},
    fields=(
        Field("until_s", "<f8", ()),
        Field("service", "<i8", ("services",)),
        Field("price_s", "<f8", ("services",)),
        Field("usual", "<f8", ("services",)),
        Field("since_s", "<f8", ("services",)),
    ),
)
_SUMS = ("ahead_cold", "requests", "ahead_pod_s", "knative_pod_s")
_ROWS = [COLUMNS.index(name) for name in _SUMS]


class _Kept(NamedTuple):
    """What is kept of one service."""

    price_s: float
    usual: float  # requests a day
    since_s: float  # Unix s of the first hour that counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Achieved:
    """Of one service, over hours that were counted since it promised, at most the last 168.

    The interval is that of a ratio estimator, over hours as blocks, of which each is independent:
    variance = sum of (cold - rate x requests)^2 / (sum of requests)^2.
    """

    hours: int
    requests: float
    rate: float  # of cold requests
    low: float  # of 95 %
    high: float
    more_pod_s: float  # s of pod a day, beyond Knative's rule; below 0 = fewer

    @classmethod
    def of(cls, hours: FloatArray) -> "Achieved | None":
        """(k, 4) sums of k hours by `_SUMS`; None = no request came."""
        cold, requests, ahead_s, knative_s = hours.T if len(hours) else np.zeros((4, 0))
        n = float(requests.sum())
        if n <= 0:
            return None
        rate = float(cold.sum()) / n
        half = NORMAL_95 * float(np.sqrt(((cold - rate * requests) ** 2).sum())) / n
        return cls(
            hours=len(hours),
            requests=n,
            rate=rate,
            low=max(rate - half, 0.0),
            high=min(rate + half, 1.0),
            more_pod_s=float((ahead_s - knative_s).sum()) * STEPS_A_DAY / len(hours),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Of one service."""

    rate: float  # of cold requests at most, promised
    price_s: float  # of a cold request, in force; s of idle pod
    achieved: Achieved | None
    bill: float | None = None  # that had the last word of late, a fraction; None = none had
    estimated: str = ""  # why the twin's estimate of it counts; "" = it is observed

    @property
    def missed(self) -> bool:
        """Whether more was cold than promised, beyond chance."""
        return self.achieved is not None and self.achieved.low > self.rate

    @property
    def attainable(self) -> bool:
        """Whether the price can still rise and be paid, or the promise is kept."""
        return not (self.missed and (self.price_s >= MOST_S or self.bill is not None))

    def __str__(self) -> str:
        """In words."""
        promised = f"Of 100 requests {100 * self.rate:.3g} are promised to be cold at most"
        if self.achieved is None:
            return f"{promised}; none was counted yet."
        of = self.achieved
        more_h = of.more_pod_s / HOUR_S
        pods = f"{abs(more_h):.1f} pod-hours a day {'fewer' if more_h < 0 else 'more'}"
        how = f"estimated, as {self.estimated}; " if self.estimated else ""
        said = (
            f"{promised}; in {of.hours} hours {100 * of.rate:.2g} were "
            f"({how}95 %: {100 * of.low:.2g} to {100 * of.high:.2g}), for {pods} than Knative's."
        )
        if self.missed and self.bill is not None:
            return f"{said} Fewer are not attainable under the bill of {1 + self.bill:.4g}."
        if not self.attainable:
            return f"{said} That is as few as can be attained: the price is the greatest there is."
        return f"{said} It is missed so far, and the price rises." if self.missed else said


class Promises:
    """The promises of a fleet; one thread hands hours over, others may read."""

    def __init__(self, folder: Path | None = None) -> None:
        """folder: the ledger's; None = prices begin anew with this process."""
        self._path = folder / FILE if folder else None
        self._kept: dict[int, _Kept] | None = None  # by `name_id`
        self._until_s = 0.0  # Unix s; hours before it are in what is kept
        self._rates: Mapping[str, float] = {}
        self._hours: deque[tuple[float, Mapping[str, FloatArray]]] = deque(maxlen=ACHIEVED_HOURS)
        self._settled = True  # whether prices in force follow from all hours that were taken
        self.prices_s: Mapping[str, float] = {}  # in force, by service
        self.missed: Mapping[str, Promise] = {}  # by service
        self.fault = ""  # why nothing is kept over a restart; "" = it is

    @property
    def services(self) -> tuple[str, ...]:
        """That promised something, sorted."""
        return tuple(sorted(self._rates))

    def promise(self, service: str) -> Promise | None:
        """Of one service; None = it has none."""
        rate, kept = self._rates.get(service), (self._kept or {}).get(name_id(service))
        if rate is None:
            return None
        hours = [
            sums[service]
            for start_s, sums in list(self._hours)
            if service in sums and kept and start_s >= kept.since_s
        ]
        return Promise(
            rate=rate,
            price_s=self.prices_s.get(service, START_S),
            achieved=Achieved.of(np.array(hours)),
        )

    def begin(self, rates: Mapping[str, float], until_s: float) -> None:
        """Begin a turn; `take` and `settle` follow.

        rates: promised, by service. until_s: Unix s until which hours are over.
        """
        self._rates = rates
        if self._kept is None:
            self._kept, self._until_s = self._read(until_s)

    def take(self, table: Table) -> None:
        """Take one more hour that is over."""
        if self._kept is None:
            return
        sums = self._sums(table)
        self._hours.append((table.start_s, sums))
        if table.start_s >= self._until_s:
            self._step(self._kept, table.start_s, sums)
            self._until_s = table.start_s + HOUR_S
            self._settled = False

    def settle(self) -> bool:
        """Put prices in force, and keep them; returns whether one has changed."""
        if self._kept is None:
            return False
        kept = {name: self._kept.get(name_id(name)) for name in self._rates}
        prices_s = {name: one.price_s if one else START_S for name, one in kept.items()}
        changed = prices_s != self.prices_s
        self.prices_s = prices_s
        if changed or not self._settled:
            made = ((name, self.promise(name)) for name in self._rates)
            self.missed = {name: one for name, one in made if one and one.missed}
        if not self._settled:
            self._write(self._kept)
            self._settled = True
        return changed

    def forget(self) -> None:
        """Another replica leads: what it wrote is read when this one does again."""
        self._kept = None
        self._hours.clear()

    def _sums(self, table: Table) -> dict[str, FloatArray]:
        """By `_SUMS`, of services that promised something, while they were not off."""
        found: dict[str, FloatArray] = {}
        modes = table.mode.tolist()
        for row, service in enumerate(table.services):
            if service in self._rates and modes[row] != Mode.OFF:
                sums = np.asarray(table.sums[_ROWS, row], dtype=np.float64)
                found[service] = found.get(service, 0.0) + sums
        return found

    def _step(
        self, all_kept: dict[int, _Kept], start_s: float, sums: Mapping[str, FloatArray]
    ) -> None:
        """Have prices follow from the sums of an hour that began at Unix s."""
        if not sums:
            return
        ids = [name_id(service) for service in sums]
        rate = np.array([self._rates[service] for service in sums])
        cold, requests, _, _ = np.array(list(sums.values())).T
        begun = [_Kept(START_S, n * STEPS_A_DAY, start_s) for n in requests.tolist()]
        former = [all_kept.get(one, new) for one, new in zip(ids, begun, strict=True)]
        price_s, usual, since_s = np.array(former).T
        price_s = price_after(price_s, cold, requests, usual, rate)
        rows = np.stack([price_s, usual_after(usual, requests), since_s], axis=1).tolist()
        all_kept.update((one, _Kept(*row)) for one, row in zip(ids, rows, strict=True))

    def _read(self, until_s: float) -> tuple[dict[int, _Kept], float]:
        """What was kept, and until when; it begins anew, and says so, where it cannot be read."""
        if self._path is None or not self._path.exists():
            return {}, until_s
        try:
            found = LAYOUT.read(self._path)
        except (PermanentError, OSError) as error:
            self.fault = f"prices of promises begin anew: {error}"
            return {}, until_s
        columns = np.array([found[name] for name in _Kept._fields])
        valid = (columns[0] >= LEAST_S) & (columns[0] <= MOST_S) & (columns[1] >= 0)
        ids, rows = found["service"][valid].tolist(), columns.T[valid].tolist()
        kept = {one: _Kept(*row) for one, row in zip(ids, rows, strict=True)}
        kept_s = float(found["until_s"])
        within = until_s - ACHIEVED_HOURS * HOUR_S <= kept_s <= until_s
        return kept, kept_s if within else until_s

    def _write(self, all_kept: dict[int, _Kept]) -> None:
        if self._path is None or not all_kept:
            return
        columns = dict(zip(_Kept._fields, np.array(list(all_kept.values())).T, strict=True))
        ids = np.array(list(all_kept), dtype=np.int64)
        try:
            LAYOUT.write(self._path, {"until_s": self._until_s, "service": ids, **columns})
            self.fault = ""
        except (OSError, ValueError) as error:
            self.fault = f"prices of promises are not kept over a restart: {error}"


def promised(snapshot: Snapshot, names: Mapping[int, Named]) -> dict[str, float]:
    """The least rate that reachable revisions of each service promise; none of those in off."""
    columns = snapshot.columns
    has = np.isfinite(columns["spec_max_cold_rate"]) & columns["spec_reachable"]
    rates: dict[str, float] = {}
    for row in np.flatnonzero(has & (columns["spec_mode"] != Mode.OFF)).tolist():
        named = names.get(int(snapshot.revision[row]))
        if named:
            rate = float(columns["spec_max_cold_rate"][row])
            rates[named.service] = min(rate, rates.get(named.service, rate))
    return rates
