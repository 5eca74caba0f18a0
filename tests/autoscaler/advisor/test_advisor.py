"""The advisor between real files: the controller's snapshots, a bundle, and the advice."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.advisor.advisor import GONE_S, Advisor, AdvisorSettings
from autoscaler.advisor.occasions import Begun
from autoscaler.advisor.read_model import Change, ReadModel
from autoscaler.bundle.file import load_bundle, save_bundle
from autoscaler.clock import SimulatedClock
from autoscaler.core.control import ControlState, Tick, control
from autoscaler.core.names import name_id
from autoscaler.core.prediction.dependencies import Edges, Origin
from autoscaler.core.prediction.promise import START_S
from autoscaler.core.state.decision import Decision
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from autoscaler.exchange.advice import AdviceTable, for_fleet, read_advice
from autoscaler.exchange.snapshot import Changes, Named, write_names, write_tick
from autoscaler.health import FORECASTS, Health
from autoscaler.limits import BUNDLE_BYTES
from autoscaler.refusals import Refusals
from tests.autoscaler.advisor.forecasts import NOW_S, a_bundle

SERVICES = ("shop/browse", "shop/cart-service")
PROMISING = "shop/cart-service-00001"


class Both:
    """An advisor, and a controller of a few revisions that writes what the advisor reads."""

    def __init__(self, folder: Path, *, mode: Mode = Mode.OUTWARD) -> None:
        self.snapshots, self.advice = folder / "snapshots", folder / "advice"
        self.snapshots.mkdir()
        self.advice.mkdir()
        self.bundle = folder / "forecasts.npz"
        self.clock = SimulatedClock(NOW_S)
        self.model = ReadModel(Health())
        self.changes: list[Change] = []
        self.begun: list[Begun] = []
        self.refusals = Refusals()
        self.advisor = Advisor(
            AdvisorSettings(snapshots=self.snapshots, advice=self.advice, bundle=self.bundle),
            self.model,
            self.clock,
            load_bundle=load_bundle,
            on_change=self.changes.append,
            on_begin=self.begun.append,
            refusals=self.refusals,
        )
        self.state = ControlState()
        self.upstreams: Mapping[str, str] = {}
        for service in SERVICES:
            spec = replace(KNATIVE_DEFAULTS, mode=mode)
            self.fleet.add({f"{service}-00001": spec}, now=NOW_S, services=[service])
        self.fleet.observed.set_up[:] = True

    @property
    def fleet(self) -> Fleet:
        return self.state.fleet

    def tick(self) -> None:
        """The controller decides, and shows it."""
        now, before = self.clock.now(), self.fleet.decision.want.copy()
        rows = control(self.state, Tick(), now).decided
        decision = {f.name: getattr(self.fleet.decision, f.name)[rows] for f in fields(Decision)}
        changes = Changes(
            revision=self.fleet.ids[rows], before=before[rows], decision=Decision(**decision)
        )
        names = [self._named(key) for key in self.fleet.keys]
        write_names(self.snapshots / "names.json", [name.encoded() for name in names])
        write_tick(self.snapshots / "tick", self.fleet, changes, {}, now)

    def _named(self, key: str) -> Named:
        service = key.rpartition("-")[0]
        return Named(
            id=name_id(key),
            revision=key,
            service=service,
            configuration="",
            labelled_service="",
            uid="u",
            upstreams=self.upstreams.get(service, ""),
            downstream_namespaces="",
        )

    def turn(self) -> None:
        """One turn of each of the advisor's loops."""
        asyncio.run(self._turn())

    async def _turn(self) -> None:
        for part, step in (
            ("snapshots", self.advisor.read_snapshot),
            (FORECASTS, self.advisor.read_bundle),
            ("dependencies", self.advisor.update_graph),
            ("promises", self.advisor.follow_hours),
            ("advice", self.advisor.advise),
        ):
            self.model.health.report(part, await step(), self.clock.now())

    @property
    def table(self) -> AdviceTable:
        return read_advice(self.advice / "advice")

    def price_s(self, key: str) -> float:
        """What a cold request of a revision is worth, as advised; NaN = as configured, or none."""
        table = self.table
        found = table.price_s[table.revision == name_id(key)]
        return float(found[0]) if len(found) else np.nan

    def advised(self, key: str) -> float:
        """Demand worth serving of a revision."""
        demand = for_fleet(self.table, self.fleet).worth_starting
        return float(demand[self.fleet.row(key)][0]) if demand.size else np.nan


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path)


def learned(**columns: Any) -> Edges:
    """An edge from browse to cart."""
    known: dict[str, Any] = {
        "upstream": np.array([0]),
        "downstream": np.array([1]),
        "lag_s": np.array([2.0]),
        "gain": np.array([1.0]),
        "probability": np.array([0.9]),
        "confidence": np.array([0.99]),
        "evidence": np.array([20.0]),
        "seen_at_s": np.array([NOW_S]),
        "direct": np.array([True]),
        "origin": np.array([int(Origin.LEARNED_STARTS)]),
    }
    return Edges(services=SERVICES, **known | columns)


def test_forecasts_reach_the_controller_at_each_revisions_price(both: Both) -> None:
    save_bundle(a_bundle(250.0), both.bundle)
    both.tick()
    both.turn()
    assert both.advised("shop/cart-service-00001") == 250.0
    assert np.isnan(both.advised("shop/browse-00001"))


def test_edges_reach_the_controller_as_paths(both: Both) -> None:
    save_bundle(a_bundle(250.0, edges=learned()), both.bundle)
    both.tick()
    both.turn()
    advice = for_fleet(both.table, both.fleet)
    pairs = zip(advice.paths.upstream, advice.paths.downstream, strict=True)
    keys = both.fleet.services.keys
    assert [(keys[u], keys[d]) for u, d in pairs] == [SERVICES]
    assert advice.paths.probability.tolist() == [pytest.approx(0.9)]


def test_an_edge_that_a_release_made_false_starts_nothing_any_more(both: Both) -> None:
    save_bundle(a_bundle(250.0, edges=learned()), both.bundle)
    services = both.fleet.services
    browse = np.array([services.row("shop/browse")])
    both.tick()
    both.turn()
    for _ in range(70):
        services.note_calls(browse, np.array([both.clock.now()]), np.zeros(1, dtype=np.bool_))
        for _ in range(3):
            both.clock.advance(29.0)
            both.tick()
            asyncio.run(both.advisor.read_snapshot())
    both.turn()
    assert len(both.table.paths) == 0
    known = both.model.known_edges
    assert list(known.withdrawn) == [SERVICES]
    assert "of 69 starts upstream that found it idle, none were followed" in known.not_acted_on[0]


def test_an_annotation_is_an_edge_without_any_bundle(both: Both) -> None:
    both.upstreams = {"shop/cart-service": "browse"}
    both.tick()
    both.turn()
    assert len(both.table.paths) == 1
    assert "forecasts.npz" in "; ".join(map(str, both.model.health.present()))


def test_who_is_in_mode_off_gets_no_advice(tmp_path: Path) -> None:
    both = Both(tmp_path, mode=Mode.OFF)
    save_bundle(a_bundle(250.0, edges=learned()), both.bundle)
    both.tick()
    both.turn()
    assert (len(both.table.revision), len(both.table.paths)) == (0, 0)


def test_advice_that_is_the_same_is_not_written_again(both: Both) -> None:
    save_bundle(a_bundle(250.0), both.bundle)
    both.tick()
    both.turn()
    before = (both.advice / "advice").stat().st_ino
    both.clock.advance(2.0)
    both.tick()
    both.turn()
    assert (both.advice / "advice").stat().st_ino == before
    both.fleet.spec.cold_price_s[:] = 0.0
    both.tick()
    both.turn()
    assert (both.advice / "advice").stat().st_ino != before


def test_a_revision_that_comes_is_advised_with_the_next_snapshot(both: Both) -> None:
    save_bundle(a_bundle(250.0), both.bundle)
    both.tick()
    both.turn()
    new = "shop/cart-service-00002"
    spec = replace(KNATIVE_DEFAULTS, mode=Mode.OUTWARD)
    both.fleet.add({new: spec}, now=NOW_S, services=["shop/cart-service"])
    both.tick()
    both.turn()
    assert both.advised(new) == 250.0


def test_each_change_is_reported_once(both: Both) -> None:
    both.fleet.observed.ready[:] = 1
    both.tick()
    both.turn()
    both.turn()
    assert [change.revision.revision for change in both.changes] == both.fleet.keys


def test_before_the_controllers_first_snapshot_there_is_nothing_to_do(both: Both) -> None:
    save_bundle(a_bundle(250.0), both.bundle)
    both.turn()
    assert not list(both.advice.iterdir())
    assert both.model.readiness(NOW_S).missing == "no decision was made yet"


def test_a_controller_that_falls_silent_is_shown(both: Both) -> None:
    both.tick()
    both.turn()
    both.clock.advance(GONE_S + 1)
    both.turn()
    assert "the controller has written nothing for 11 s" in str(both.model.health.present())
    both.tick()
    both.turn()
    assert "silent" not in str(both.model.health.present())


@pytest.mark.parametrize("garbage", [b"", b"garbage" * 1000, os.urandom(4096)])
def test_a_snapshot_that_is_none_is_shown_and_the_next_one_counts(
    both: Both, garbage: bytes
) -> None:
    both.tick()
    both.turn()
    for name in ("tick", "names.json"):
        (both.snapshots / name).write_bytes(garbage)

    async def run() -> None:
        task = asyncio.create_task(both.advisor.run())
        while not any(f.part == "snapshots" for f in both.model.health.present()):
            await asyncio.sleep(0.01)
        both.tick()
        while any(f.part == "snapshots" for f in both.model.health.present()):
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(asyncio.wait_for(run(), 10.0))


def test_a_folder_that_cannot_be_written_is_shown(both: Both) -> None:
    (both.advice / "advice").mkdir()
    save_bundle(a_bundle(250.0), both.bundle)
    both.tick()
    both.turn()
    assert "advice cannot be written" in str(both.model.health.present())


def test_a_bundle_that_is_too_large_is_counted(both: Both) -> None:
    with both.bundle.open("wb") as file:
        file.truncate(int(BUNDLE_BYTES.most) + 1)
    both.turn()
    assert both.refusals.counts == {"bundle_bytes": 1}


# --- promises -------------------------------------------------------------------------------------


def test_a_promise_that_is_missed_for_an_hour_makes_the_service_dearer(both: Both) -> None:
    save_bundle(a_bundle(30.0), both.bundle)
    both.fleet.spec.max_cold_rate[both.fleet.row(PROMISING)] = 0.01
    account, service = both.fleet.services.account, both.fleet.services.row(SERVICES[1])
    both.tick()
    both.turn()
    assert both.price_s(PROMISING) == START_S
    for _ in range(70):
        both.clock.advance(60.0)
        account.requests[service] += 20.0
        account.ahead_cold[service] += 1.0
        both.tick()
        both.turn()
    assert both.price_s(PROMISING) > START_S
    assert np.isnan(both.price_s("shop/browse-00001"))
