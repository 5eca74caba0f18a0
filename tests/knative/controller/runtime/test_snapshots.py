"""What the advisor is shown: numbers each tick, names when they change, changes in between."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.control import Instructions
from autoscaler.core.names import name_id
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS
from autoscaler.exchange.snapshot import NAMES, TICK, Snapshot, read_names, read_tick
from autoscaler.limits import CHANGES
from knative.controller.runtime.snapshots import Snapshots
from knative.controller.state import events as seen
from knative.controller.state.carried import Carried
from knative.controller.state.changes import ChangeLog
from tests.knative.controller.world import KEY, World
from tests.knative.objects import NOW_S, a_podautoscaler

OTHER = "shop/till"


@pytest.fixture
def world() -> World:
    """Two revisions, of which a tick has decided."""
    world = World()
    world.has_revision("cart", annotations={"kn-ahead.dev/upstreams": "till-service"})
    world.has_revision("till")
    world.receives(KEY, OTHER, concurrency=350.0)
    world.tick()
    return world


def shows(world: World, snapshots: Snapshots, fleet: Fleet | None = None) -> None:
    controller = world.controller
    snapshots.write(
        controller.revisions,
        controller.fleet if fleet is None else fleet,
        controller.changes.take(),
        {"leadership": ""},
        world.clock.now(),
    )


def shown(world: World, folder: Path) -> Snapshot:
    shows(world, Snapshots(folder))
    return read_tick(folder / TICK)


# --- numbers --------------------------------------------------------------------------------------


def test_a_tick_is_shown_as_it_was_decided(world: World, tmp_path: Path) -> None:
    snapshot = shown(world, tmp_path)
    assert (snapshot.at_s, snapshot.notes) == (NOW_S, {"leadership": ""})
    assert snapshot.revision.tolist() == [name_id(KEY), name_id(OTHER)]
    assert snapshot.decision.want.tolist() == [5, 5]
    assert snapshot.decision.stable.tolist() == [350.0, 350.0]
    assert snapshot.columns["observed_ready"].tolist() == [1, 1]
    assert snapshot.columns["failing"].tolist() == [False, False]


def test_who_fails_to_be_acted_for_is_shown(world: World, tmp_path: Path) -> None:
    world.handle(seen.PlanFailed(key=OTHER, uid="uid-of-till", why="refused", wait_s=0.0))
    assert shown(world, tmp_path).columns["failing"].tolist() == [False, True]


def test_who_follows_shows_that_nothing_is_decided(world: World, tmp_path: Path) -> None:
    shows(world, Snapshots(tmp_path), Fleet())
    assert len(read_tick(tmp_path / TICK).revision) == 0
    assert len(read_names(tmp_path / NAMES)) == 2


# --- names ----------------------------------------------------------------------------------------


def test_names_say_what_numbers_stand_for_and_what_revisions_declare(
    world: World, tmp_path: Path
) -> None:
    shows(world, Snapshots(tmp_path))
    cart, till = read_names(tmp_path / NAMES)
    assert (cart.id, cart.revision, cart.service) == (name_id(KEY), KEY, "shop/cart-service")
    assert (cart.uid, cart.labelled_service) == ("uid-of-cart", "cart-service")
    assert (cart.upstreams, till.upstreams) == ("till-service", "")


def test_names_are_written_when_they_change_and_only_then(world: World, tmp_path: Path) -> None:
    snapshots, path, inodes = Snapshots(tmp_path), tmp_path / NAMES, []

    def writes_names() -> bool:
        shows(world, snapshots)
        inodes.append(path.stat().st_ino)
        return inodes[-1:] != inodes[-2:-1]

    assert [writes_names(), writes_names()] == [True, False]
    world.tick(2.0)
    world.sees(a_podautoscaler("till", status={"desiredScale": 3}))
    assert not writes_names()
    annotations = {"kn-ahead.dev/downstream-namespaces": "bank"}
    world.sees(a_podautoscaler("till", annotations=annotations))
    assert writes_names()
    assert read_names(path)[1].downstream_namespaces == "bank"
    world.loses("PodAutoscaler")
    assert writes_names()
    assert [named.revision for named in read_names(path)] == [OTHER]


def test_a_restart_goes_on_with_what_was_counted(world: World, tmp_path: Path) -> None:
    fleet = world.controller.fleet
    row = fleet.row(KEY)
    fleet.credit.left_s[row] = 12.0
    fleet.early.cases[row], fleet.early.back[row], fleet.early.missed[row] = 7.0, 2.0, 1.0
    fleet.services.waits.view.cases[fleet.service[row]] = 9.0
    fleet.services.waits.view.requests[fleet.service[row]] = 29.0
    shows(world, Snapshots(tmp_path))
    again = World()
    again.controller.revisions.resume(Snapshots(tmp_path).carried())
    again.has_revision("cart")
    again.has_revision("new")
    for _ in range(2):
        found = again.controller.fleet
        assert found.credit.left_s.tolist() == [12.0, 600.0]
        assert (found.early.cases[0], found.early.back[0], found.early.missed[0]) == (7.0, 2.0, 1.0)
        waits = found.services.waits.view
        assert (waits.cases[0], waits.requests[0], waits.cases[1]) == (9.0, 29.0, 0.0)
        again.controller.revisions.rebuild(NOW_S)
    (tmp_path / TICK).write_bytes(b"damaged")
    for folder in (tmp_path, tmp_path / "none"):
        assert Snapshots(folder).carried() == Carried()


# --- where it cannot be written -------------------------------------------------------------------


def test_what_cannot_be_written_is_a_fault_and_is_written_when_it_can_be(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "later"
    snapshots = Snapshots(folder)
    shows(world, snapshots)
    assert snapshots.fault.startswith("nothing is shown: ")
    folder.mkdir()
    (folder / NAMES).mkdir()  # in the way of the names
    shows(world, snapshots)
    assert snapshots.fault
    (folder / NAMES).rmdir()
    shows(world, snapshots)
    assert snapshots.fault == ""
    assert len(read_names(folder / NAMES)) == len(read_tick(folder / TICK).revision) == 2


# --- changes --------------------------------------------------------------------------------------


def test_changes_are_those_decisions_that_want_other_pods_and_are_told_once(
    world: World, tmp_path: Path
) -> None:
    first = shown(world, tmp_path).changes
    assert first.revision.tolist() == [name_id(KEY), name_id(OTHER)]
    assert first.before.tolist() == [-2, -2]  # nothing was decided before
    assert len(shown(world, tmp_path).changes.revision) == 0
    world.receives(OTHER, concurrency=1000.0)
    world.tick()
    world.receives(OTHER, concurrency=1000.0)
    world.tick()
    changes = shown(world, tmp_path).changes
    assert changes.revision.tolist() == [name_id(OTHER)] * 2
    assert changes.before.tolist() == [5, int(changes.decision.want[0])]


def test_a_change_is_told_with_the_decision_of_that_moment(world: World) -> None:
    world.controller.changes.take()
    world.receives(KEY, concurrency=1000.0)
    world.tick()
    decided = world.decided()
    world.loses("PodAutoscaler")
    changes = world.controller.changes.take()
    assert (changes.decision.want[0], changes.decision.at_s[0]) == (decided.want, decided.at_s)


def test_of_very_many_changes_the_eldest_are_kept_and_the_others_counted() -> None:
    n, fleet, log = 3000, Fleet(), ChangeLog()
    fleet.add({f"shop/s{i}": KNATIVE_DEFAULTS for i in range(n)}, now=NOW_S)
    rows, none = np.arange(n), np.zeros(0, dtype=np.int64)
    for before in (1, 2):
        done = Instructions(rows=rows, decided=rows, before=np.full(n, before), initialized=none)
        log.add(fleet, done)
    kept = log.take()
    assert len(kept.revision) == CHANGES.most
    assert kept.before.tolist() == [1] * n + [2] * (int(CHANGES.most) - n)
    assert log.left_out == 2 * n - CHANGES.most
    assert len(log.take().revision) == 0
