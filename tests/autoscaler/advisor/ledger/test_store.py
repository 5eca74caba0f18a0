"""The folder: what is kept for how long, and what becomes of files that are damaged."""

import os
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscaler.advisor.ledger.counted import COLUMNS, Counted
from autoscaler.advisor.ledger.file import GOING_ON, PERIOD
from autoscaler.advisor.ledger.store import DAYS_KEPT, HOURS_KEPT_S, Store
from autoscaler.advisor.ledger.table import DAY_S, HOUR_S, Table, with_squares
from autoscaler.limits import LEDGER_BYTES, Limit

DAY = 1_772_409_600.0  # 2026-03-02T00:00:00Z
LATER = DAY + DAY_S + HOURS_KEPT_S


def an_hour(start_s: float, saved: float = 1.0, *services: str) -> Table:
    services = services or ("shop/cart",)
    sums = np.zeros((len(COLUMNS), len(services)))
    sums[COLUMNS.index("requests")] = 10.0
    sums[COLUMNS.index("knative_cold")] = saved
    return Table(
        start_s=start_s,
        length_s=HOUR_S,
        covered_s=1800.0,
        services=services,
        mode=np.full(len(services), 3),
        sums=with_squares(sums),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read(store: Store) -> None:
    written = an_hour(DAY, 2.5, "shop/cart", "jobs/nächtlich")
    store.write(written)
    read = store.hour(DAY)
    assert read is not None
    assert read.services == written.services
    assert (read.covered_s, read.length_s, read.mode.tolist()) == (1800.0, HOUR_S, [3, 3])
    assert read.sums.tolist() == written.sums.tolist()


def test_an_hour_without_any_service_is_no_gap(store: Store) -> None:
    one = an_hour(DAY)
    store.write(replace(one, services=(), mode=one.mode[:0], sums=one.sums[:, :0]))
    read = store.hour(DAY)
    assert read is not None
    assert (read.services, read.covered_s) == ((), 1800.0)


def test_hours_become_a_day_a_week_later_and_the_interval_stays(store: Store, folder: Path) -> None:
    for hour, saved in ((1, 2.0), (5, 3.0)):
        store.write(an_hour(DAY + hour * HOUR_S, saved))
    before = store.table(store.entries())
    store.tidy(LATER - 1)
    assert names(folder) == ["2026-03-02T01.hour", "2026-03-02T05.hour"]
    store.tidy(LATER)
    assert names(folder) == ["2026-03-02.day"]
    (entry,) = store.entries()
    after = store.table([entry])
    assert before is not None
    assert after is not None
    assert after.sums.tolist() == before.sums.tolist()
    assert after.sums[len(COLUMNS)].tolist() == [2.0**2 + 3.0**2]
    assert (after.covered_s, after.length_s) == (3600.0, DAY_S)


def test_hours_that_a_crash_left_beside_their_day_do_not_count_twice(
    store: Store, folder: Path
) -> None:
    store.write(an_hour(DAY))
    hour = (folder / "2026-03-02T00.hour").read_bytes()
    store.tidy(LATER)
    (folder / "2026-03-02T00.hour").write_bytes(hour)
    assert [entry.path.name for entry in store.entries()] == ["2026-03-02.day"]
    store.tidy(LATER)
    assert names(folder) == ["2026-03-02.day"]


def test_days_are_kept_for_longer_than_a_year(store: Store, folder: Path) -> None:
    for day in range(DAYS_KEPT + 1):
        store.write(replace(an_hour(DAY + day * DAY_S), length_s=DAY_S))
    store.tidy(DAY + DAYS_KEPT * DAY_S)
    assert len(names(folder)) == DAYS_KEPT
    assert names(folder)[0] == "2026-03-03.day"


def test_a_clock_that_jumps_ahead_by_years_drops_nothing(store: Store, folder: Path) -> None:
    store.write(an_hour(DAY))
    store.tidy(DAY + 3000 * DAY_S)
    assert names(folder) == ["2026-03-02.day"]


def test_the_oldest_go_where_the_folder_would_grow_too_large(folder: Path) -> None:
    store = Store(folder, Limit("ledger_folder", 200, "bytes", "in a test"))
    for hour in range(5):
        store.write(an_hour(DAY + hour * HOUR_S))
    assert sum(path.stat().st_size for path in folder.iterdir()) > 200
    store.tidy(DAY + 5 * HOUR_S)
    assert 0 < sum(path.stat().st_size for path in folder.iterdir()) <= 200
    assert names(folder)[-1] == "2026-03-02T04.hour"


def test_drafts_and_damaged_files_go_after_a_week_and_nothing_else_does(
    store: Store, folder: Path
) -> None:
    store.write(an_hour(DAY))
    ours = (".2026-03-02T00.hour.0a1b2c3d", ".going-on.0a1b2c3d", "2026-03-01T00.hour.damaged")
    for name in (*ours, "README", ".keep", "notes.hour"):
        (folder / name).write_text("x")
        os.utime(folder / name, (DAY, DAY))
    store.tidy(DAY + HOURS_KEPT_S + 1)
    assert names(folder) == [".keep", "2026-03-02T00.hour", "README", "notes.hour"]


# --- damage ---------------------------------------------------------------------------------------


def packed(data: bytes) -> bytes:
    return zlib.compress(data)


def with_rows(rows: int, names: bytes, **more: object) -> bytes:
    """A file whose parts need not fit each other."""
    arrays = {"start_s": DAY, "length_s": HOUR_S, "covered_s": 1.0,
              "names": np.frombuffer(names, np.uint8), "mode": np.zeros(rows),
              "sums": np.zeros((len(COLUMNS) + 2, rows))}  # fmt: skip
    return packed(PERIOD.pack(arrays | more))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"", "cut short"),
        (b"garbage" * 100, "damaged"),
        (packed(b"no such layout"), "does not begin with"),
        (packed(bytes(PERIOD.largest + 1)), "too large"),
        (b"\0" * (int(LEDGER_BYTES.most) + 1), "too large; allowed: 16,777,216 bytes"),
        (with_rows(2, b"shop/cart"), "1 names, 2 rows"),
        (with_rows(1, b"shop/cart", mode=np.array([9])), "never counted"),
        (with_rows(1, b"shop/cart", covered_s=np.nan), "never counted"),
        (with_rows(1, b"shop/cart", sums=np.full((len(COLUMNS) + 2, 1), -1.0)), "never counted"),
        (with_rows(1, b"shop/cart", sums=np.zeros((3, 1))), "3 sums"),
    ],
)
def test_a_damaged_file_is_set_aside_and_said_once_and_others_are_read(
    store: Store, folder: Path, damage: bytes, why: str
) -> None:
    for hour in range(3):
        store.write(an_hour(DAY + hour * HOUR_S))
    (folder / "2026-03-02T01.hour").write_bytes(damage)
    read = store.table(store.entries())
    assert read is not None
    assert read.covered_s == 2 * 1800.0
    assert "2026-03-02T01.hour.damaged" in names(folder)
    assert len(store.faults) == 1
    assert why in store.faults[0]
    store.table(store.entries())
    assert len(store.faults) == 1


def test_a_file_that_is_cut_short_anywhere_is_damaged(store: Store, folder: Path) -> None:
    store.write(an_hour(DAY))
    path = folder / "2026-03-02T00.hour"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert store.hour(DAY) is None
        assert len(store.faults) == 1
        store.faults.clear()


def test_the_hour_that_goes_on_begins_anew_where_it_is_damaged(store: Store, folder: Path) -> None:
    counted = Counted(at_s=DAY, service=np.array([5]), sums=np.ones((len(COLUMNS), 1)))
    store.write_going_on(an_hour(DAY), counted)
    read = store.going_on()
    assert read is not None
    assert (read[0].services, read[1].service.tolist()) == (("shop/cart",), [5])
    (folder / "going-on").write_bytes(packed(bytes(GOING_ON.largest)))
    assert store.going_on() is None
    assert names(folder) == ["going-on.damaged"]
    assert "set aside as going-on.damaged" in store.faults[0]


def test_faults_that_nobody_asks_for_do_not_pile_up(store: Store, folder: Path) -> None:
    for hour in range(24):
        store.write(an_hour(DAY + hour * HOUR_S))
        (folder / f"2026-03-02T{hour:02d}.hour").write_bytes(b"")
    store.table(store.entries())
    assert len(store.faults) == 10
