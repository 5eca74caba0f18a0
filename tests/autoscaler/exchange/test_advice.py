"""Advice on its way: the controller believes what can be, and of the rest nothing."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.names import name_id
from autoscaler.core.prediction.advice import NO_PATHS, Paths
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS
from autoscaler.errors import PermanentError
from autoscaler.exchange.advice import (
    BY_WINDOW,
    LAYOUT,
    AdviceTable,
    checked,
    for_fleet,
    read_advice,
)
from tests.autoscaler.core.stories import LAW

NOW_S = 1_700_000_000.0
KEYS = ["shop/cart-00001", "shop/cart-00002", "shop/till-00001", "bank/pay-00001"]
SERVICES = ["shop/cart", "shop/cart", "shop/till", "bank/pay"]
NAMES = sorted(set(SERVICES))


def ids(names: list[str]) -> Any:
    return np.array([name_id(name) for name in names], dtype=np.int64)


def fleet(keys: list[str] = KEYS) -> Fleet:
    made = Fleet()
    services = [SERVICES[KEYS.index(key)] for key in keys]
    made.add(dict.fromkeys(keys, KNATIVE_DEFAULTS), now=NOW_S, services=services)
    return made


def table(keys: list[str] = KEYS, demand: list[list[float]] | None = None) -> AdviceTable:
    """Worth starting for is each one's place in the list, then twice as much; cart calls till.

    Worth keeping for is twice that.
    """
    expected = demand or [[i + 1.0, 2 * i + 2.0] for i in range(len(keys))]
    start = np.array(expected, dtype=np.float64).reshape(len(keys), 2)
    return AdviceTable(
        written_at_s=NOW_S,
        starts_s=np.array([NOW_S, NOW_S + 60]),
        ends_s=np.array([NOW_S + 60, NOW_S + 300]),
        revision=ids(keys),
        price_s=np.full(len(keys), np.nan),
        worth_starting=start,
        worth_keeping=2 * start,
        called=start / 10,
        service=ids(NAMES),
        paths=Paths(
            upstream=np.array([NAMES.index("shop/cart")]),
            downstream=np.array([NAMES.index("shop/till")]),
            probability=np.array([0.75]),
            confidence=np.array([0.5]),
            gain=np.array([2.0]),
            lag_s=np.array([3.0]),
        ),
    )


def read(tmp_path: Path, written: AdviceTable) -> AdviceTable:
    written.write(tmp_path / "advice")
    return read_advice(tmp_path / "advice")


def test_advice_comes_to_the_rows_that_it_is_for(tmp_path: Path) -> None:
    there = fleet(KEYS[::-1])
    advice = for_fleet(read(tmp_path, table()), there)
    assert advice.worth_starting.tolist() == [[4, 8], [3, 6], [2, 4], [1, 2]]
    assert advice.worth_keeping.tolist() == [[8, 16], [6, 12], [4, 8], [2, 4]]
    assert advice.called == pytest.approx(advice.worth_starting / 10)
    ends = [advice.paths.upstream, advice.paths.downstream]
    assert [there.services.keys[int(end[0])] for end in ends] == ["shop/cart", "shop/till"]
    assert advice.layout == there.layout


def test_a_withdrawn_revision_needs_no_forecast_and_who_is_not_there_is_nobody(
    tmp_path: Path,
) -> None:
    gone = ids([KEYS[3], KEYS[0], "shop/gone-00001"])
    advice = for_fleet(read(tmp_path, replace(table(KEYS[1:3]), withdrawn=gone)), fleet())
    assert advice.withdrawn is not None
    assert advice.withdrawn.tolist() == [True, False, False, True]


def test_revisions_without_advice_have_none(tmp_path: Path) -> None:
    advice = for_fleet(read(tmp_path, table(KEYS[1:3])), fleet())
    assert np.isnan(advice.worth_starting[[0, 3]]).all()
    assert np.isnan(advice.worth_keeping[[0, 3]]).all()
    assert advice.worth_starting[[1, 2]].tolist() == [[1, 2], [2, 4]]


def test_advice_for_who_is_not_there_is_left_alone(tmp_path: Path) -> None:
    advice = for_fleet(read(tmp_path, table()), fleet(KEYS[2:]))
    assert advice.worth_starting.tolist() == [[3, 6], [4, 8]]
    assert len(advice.paths) == 0


def test_there_may_be_no_advice_at_all(tmp_path: Path) -> None:
    empty = replace(table([]), service=np.zeros(0, np.int64), paths=NO_PATHS)
    advice = for_fleet(read(tmp_path, empty), fleet())
    assert np.isnan(advice.worth_starting).all()


@pytest.mark.parametrize(
    ("column", "absurd"),
    [
        *product(("worth_starting", "worth_keeping"), (-1.0, np.inf, -np.inf, 1e30, 1.6e8)),
        *product(("called",), (-1.0, np.inf, -np.inf, 1.1)),
    ],
)
def test_a_number_that_cannot_be_costs_its_own_revision_its_advice(
    tmp_path: Path, column: str, absurd: float
) -> None:
    bad = table()
    getattr(bad, column)[1, 1] = absurd
    found = read(tmp_path, bad)
    assert found.refused == 1
    advice = for_fleet(found, fleet())
    assert np.isnan(advice.worth_starting[1]).all()
    assert np.isnan(advice.worth_keeping[1]).all()
    assert advice.worth_starting[[0, 2, 3]].tolist() == [[1, 2], [3, 6], [4, 8]]


def test_no_forecast_of_a_window_is_no_error(tmp_path: Path) -> None:
    found = read(tmp_path, table(demand=[[1, np.nan], [3, 4], [5, 6], [7, 8]]))
    assert found.refused == 0
    assert np.isnan(for_fleet(found, fleet()).worth_starting[0, 1])


def test_of_a_revision_that_is_named_twice_the_first_word_counts(tmp_path: Path) -> None:
    found = read(tmp_path, table([KEYS[0], KEYS[1], KEYS[0]]))
    assert found.refused == 1
    assert for_fleet(found, fleet()).worth_starting[:2].tolist() == [[1, 2], [2, 4]]


@pytest.mark.parametrize(
    ("column", "absurd"),
    [
        ("probability", 1.5),
        ("probability", np.nan),
        ("confidence", -0.1),
        ("gain", 1e30),
        ("gain", np.inf),
        ("lag_s", 1e38),
        ("lag_s", -1.0),
        ("upstream", 3),
        ("upstream", -1),
        ("downstream", 2**31 - 1),
    ],
)
def test_a_path_that_cannot_be_is_left_out(tmp_path: Path, column: str, absurd: float) -> None:
    good = table()
    bad = replace(good, paths=replace_path(good.paths, column, absurd))
    found = read(tmp_path, bad)
    assert (len(found.paths), found.refused) == (0, 1)
    assert for_fleet(found, fleet()).worth_starting.tolist() == good.worth_starting.tolist()


def replace_path(paths: Paths, column: str, value: float) -> Paths:
    names = ("upstream", "downstream", "probability", "confidence", "gain", "lag_s")
    columns = {name: getattr(paths, name) for name in names}
    columns[column] = np.array([value], dtype=columns[column].dtype)
    return Paths(**columns)


@pytest.mark.parametrize(
    "windows",
    [
        {"ends_s": np.array([NOW_S - 1, NOW_S + 300])},
        {"ends_s": np.array([NOW_S + 60, np.inf])},
        {"starts_s": np.array([-np.inf, NOW_S + 60])},
        {"starts_s": np.array([np.nan, NOW_S + 60])},
        {"ends_s": np.array([NOW_S + 60, NOW_S + 86_400 * 32])},
    ],
)
def test_windows_that_cannot_be_are_no_advice_at_all(
    tmp_path: Path, windows: dict[str, Any]
) -> None:
    with pytest.raises(PermanentError, match="windows"):
        read(tmp_path, replace(table(), **windows))


anything = st.floats(width=32) | st.just(np.nan)


@LAW
@given(data=st.data(), row=st.integers(0, 3))
def test_whatever_is_said_of_one_revision_the_others_keep_theirs(
    data: st.DataObject, row: int
) -> None:
    """The law: one service's forecast changes nobody else's advice."""
    good = table()
    changed = {name: getattr(good, name).copy() for name in BY_WINDOW}
    for demand in changed.values():
        demand[row] = [data.draw(anything), data.draw(anything)]
    bad = replace(good, **changed)
    where = Path("advice")
    ours, theirs = (
        for_fleet(checked(LAYOUT.unpack(LAYOUT.pack(t.arrays()), where), where), fleet())
        for t in (bad, good)
    )
    others = [i for i in range(4) if i != row]
    for name in BY_WINDOW:
        mine, good_ones = getattr(ours, name), getattr(theirs, name)
        assert mine[others].tolist() == good_ones[others].tolist()
        believed = mine[row][~np.isnan(mine[row])]
        most = 1.0 if name == "called" else 1.5e8
        assert ((believed >= 0) & (believed <= most)).all()
