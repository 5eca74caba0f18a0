"""Services that call each other, for the tests of anticipated load."""

from dataclasses import replace
from typing import Any

import numpy as np

from autoscaler.core.control import Advised, ControlState, Reported, Tick, control
from autoscaler.core.prediction.advice import Advice, Paths, no_advice
from autoscaler.core.state.decision import DecisionArrays
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active, Mode

NOW_S = 1_700_000_000.0
SHOP = replace(KNATIVE_DEFAULTS, mode=Mode.OUTWARD, pod_capacity=1.0, lead_s=3.0)


def paths(*pairs: tuple[int, int], **values: float) -> Paths:
    """Sure paths between services, that call once, two seconds later."""
    m = len(pairs)
    known = {"probability": 1.0, "confidence": 1.0, "gain": 1.0, "lag_s": 2.0} | values
    return Paths(
        upstream=np.array([u for u, _ in pairs], dtype=np.int64),
        downstream=np.array([d for _, d in pairs], dtype=np.int64),
        **{name: np.full(m, value) for name, value in known.items()},
    )


def advice(fleet: Fleet, known: Paths) -> Advice:
    return replace(no_advice(len(fleet), fleet.layout), paths=known)


class Shop:
    """Services in a row, one revision each, all at zero for long; the loop runs over them."""

    def __init__(
        self, n: int, known: Paths | None = None, *, revisions: int = 1, **spec: Any
    ) -> None:
        fleet = Fleet()
        keys = [f"shop/s{i}-{k:05d}" for i in range(n) for k in range(revisions)]
        services = [f"shop/s{i}" for i in range(n) for _ in range(revisions)]
        revision = replace(SHOP, **spec)
        fleet.add(dict.fromkeys(keys, revision), now=NOW_S - 1000, services=services)
        fleet.memory.kpa[:] = 0
        fleet.observed.active[:] = int(Active.FALSE)
        for name in ("initialized", "set_up", "named"):
            getattr(fleet.observed, name)[:] = True
        fleet.services.calls.last_call_s[:] = -np.inf
        self.state = ControlState(fleet=fleet)
        if known is not None:
            self.advise(known)

    @property
    def fleet(self) -> Fleet:
        return self.state.fleet

    def advise(self, known: Paths) -> None:
        control(self.state, Advised(advice=advice(self.fleet, known)), NOW_S)

    def call(
        self,
        row: int,
        *,
        load: float = 1.0,
        came: float = 1.0,
        after_s: float = 0.0,
        by_activator: bool = False,
    ) -> list[int]:
        """Statistics of one second for one row; returns the rows that were decided thereupon."""
        now = NOW_S + after_s
        event = Reported(
            rows=np.array([row]),
            seconds=np.array([int(now)]),
            samples=np.array([[load], [came]]),
            by_activator=by_activator,
        )
        control(self.state, event, now)
        return np.flatnonzero(self.fleet.decision.at_s == now).tolist()

    def work(self, row: int, *, rate: float, in_flight: float = 1.0, seconds: int = 60) -> None:
        """A row is at work for so many seconds until three seconds ago."""
        observed = self.fleet.observed
        observed.ready[row] = observed.replicas[row] = 3
        observed.active[row] = int(Active.TRUE)
        for ago_s in range(seconds, 2, -1):
            self.call(row, load=in_flight, came=rate, after_s=-float(ago_s))

    def tick(self, after_s: float = 0.0) -> DecisionArrays:
        control(self.state, Tick(), NOW_S + after_s)
        return self.fleet.decision

    def anticipated(self, row: int, after_s: float = 0.0) -> int:
        return int(self.tick(after_s).anticipated[row])
