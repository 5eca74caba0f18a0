from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.control import ControlState, Tick, control
from autoscaler.core.names import name_id
from autoscaler.core.state.decision import Decision, explain, row_of
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS
from autoscaler.errors import PermanentError
from autoscaler.exchange.snapshot import (
    Changes,
    Named,
    read_names,
    read_tick,
    write_names,
    write_tick,
)

NOW_S = 1_700_000_000.0


@pytest.fixture
def fleet() -> Fleet:
    """Two revisions of one service at work, decided once."""
    made = Fleet()
    keys = ("shop/cart-00001", "shop/cart-00002")
    made.add(
        dict.fromkeys(keys, KNATIVE_DEFAULTS),
        now=NOW_S - 60,
        ready=[1, 3],
        services=["shop/cart"] * 2,
    )
    made.observed.set_up[:] = True
    load = np.array([[30.0, 150.0], [3.0, 15.0]])
    made.record(np.arange(2), np.full(2, int(NOW_S)), load)
    made.services.calls.requests[:] = 18.0
    control(ControlState(fleet=made), Tick(), NOW_S)
    return made


def some(fleet: Fleet, rows: list[int]) -> Changes:
    decision = {f.name: getattr(fleet.decision, f.name)[rows] for f in fields(Decision)}
    return Changes(
        revision=fleet.ids[rows], before=np.array([-2] * len(rows)), decision=Decision(**decision)
    )


def test_a_tick_is_read_as_it_was_written(fleet: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "tick"
    write_tick(path, fleet, some(fleet, [1]), {"leading": True}, NOW_S)
    read = read_tick(path)
    assert (read.at_s, read.notes) == (NOW_S, {"leading": True})
    assert read.revision.tolist() == [name_id(key) for key in fleet.keys]
    assert read.service[read.service_of].tolist() == [name_id("shop/cart")] * 2
    for row in range(2):
        assert explain(row_of(read.decision, row)) == explain(row_of(fleet.decision, row))
    assert read.columns["observed_ready"].tolist() == [1, 3]
    assert read.columns["calls_requests"].tolist() == [18.0]
    assert read.columns["starts"].shape == (4, 1)
    assert read.changes.revision.tolist() == [name_id("shop/cart-00002")]
    assert explain(row_of(read.changes.decision, 0)) == explain(row_of(fleet.decision, 1))


def test_a_fleet_may_be_empty(tmp_path: Path) -> None:
    write_tick(tmp_path / "tick", Fleet(), some(Fleet(), []), {}, NOW_S)
    assert len(read_tick(tmp_path / "tick").revision) == 0


def test_notes_that_are_too_long_are_left_out(fleet: Fleet, tmp_path: Path) -> None:
    write_tick(tmp_path / "tick", fleet, some(fleet, []), {"faults": "x" * 100_000}, NOW_S)
    assert read_tick(tmp_path / "tick").notes == {"too_long": True}


def named(i: int) -> Named:
    return Named(
        id=i,
        revision=f"shop/cart-{i:05d}",
        service="shop/cart",
        configuration="cart",
        labelled_service="cart",
        uid=f"uid-{i}",
        upstreams="browse, \u2028 bank/pay",
        downstream_namespaces="*",
    )


def test_names_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    write_names(path, [named(1).encoded(), named(2).encoded()])
    assert read_names(path) == (named(1), named(2))
    write_names(path, [])
    assert read_names(path) == ()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 1, "names": []}', '{"version": 2, "names": [[1]]}', "\x00"],
)
def test_a_file_that_holds_no_names_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "names.json"
    path.write_text(text)
    with pytest.raises(PermanentError, match="holds no names"):
        read_names(path)
