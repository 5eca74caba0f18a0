"""Hours of a ledger that are over come once, in order, and anew after a restart."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.advisor.ledger.ended import ENDED_S, EndedHours
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.ledger.store import HOURS_KEPT_S, Store
from autoscaler.advisor.ledger.table import HOUR_S, Table, with_squares

BEGIN_S = 1_772_442_000.0  # 2026-03-02T09:00:00Z


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Of ten hours."""
    for hour in range(10):
        keep(tmp_path, BEGIN_S + hour * HOUR_S)
    return Ledger(tmp_path)


def keep(folder: Path, start_s: float) -> None:
    Store(folder).write(
        Table(
            start_s=start_s,
            length_s=HOUR_S,
            covered_s=HOUR_S,
            services=("shop/cart",),
            mode=np.array([1]),
            sums=with_squares(np.ones((len(COLUMNS), 1))),
        )
    )


def taken(ended: EndedHours, ledger: Ledger, hours: float) -> list[float]:
    """Hours since the beginning that are handed out so many hours after it."""
    tables = ended.take(ledger, BEGIN_S + hours * HOUR_S + ENDED_S)
    return [(table.start_s - BEGIN_S) / HOUR_S for table in tables]


def test_an_hour_comes_once_and_in_order(ledger: Ledger) -> None:
    ended = EndedHours()
    assert taken(ended, ledger, 3) == [0, 1, 2]
    assert taken(ended, ledger, 3.5) == []
    assert taken(ended, ledger, 5) == [3, 4]


def test_the_hour_that_goes_on_is_not_over_until_its_end_is_a_minute_ago(ledger: Ledger) -> None:
    ended = EndedHours()
    taken(ended, ledger, 3)
    assert not ended.due(BEGIN_S + 4 * HOUR_S + ENDED_S - 1.0)
    assert ended.due(BEGIN_S + 4 * HOUR_S + ENDED_S)


def test_a_restart_begins_with_the_hours_that_are_still_kept_apart(ledger: Ledger) -> None:
    assert taken(EndedHours(), ledger, HOURS_KEPT_S / HOUR_S + 4) == [4, 5, 6, 7, 8, 9]


def test_what_another_replica_wrote_comes_from_the_beginning(ledger: Ledger) -> None:
    ended = EndedHours()
    taken(ended, ledger, 3)
    ended.begin_anew()
    assert taken(ended, ledger, 4) == [0, 1, 2, 3]


def test_it_goes_on_after_time_was_set_back(ledger: Ledger, tmp_path: Path) -> None:
    ended = EndedHours()
    taken(ended, ledger, 1e5)
    assert ended.due(BEGIN_S + 10 * HOUR_S)
    assert taken(ended, ledger, 10) == []
    keep(tmp_path, BEGIN_S + 10 * HOUR_S)
    assert taken(ended, ledger, 11) == [10]
