import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.state.delay import DelayWindow
from tests.autoscaler.core.stories import LAW

ROW = np.array([0])


def window(delay_s: float) -> DelayWindow:
    made = DelayWindow()
    made.append(np.array([delay_s]))
    return made


def tick(delay: DelayWindow, now: float, desired: int, row: int = 0) -> int:
    """One tick: ask, then remember."""
    rows, at, pods = np.array([row]), np.array([now]), np.array([desired])
    greatest = int(delay.greatest(rows, at, pods)[0])
    delay.record(rows, at, pods)
    return greatest


def test_the_greatest_of_the_delay_is_kept() -> None:
    delay = window(10.0)
    assert [tick(delay, t, n) for t, n in [(100.0, 5), (102.0, 2), (104.0, 3)]] == [5, 5, 5]


def test_what_is_older_than_the_delay_is_forgotten() -> None:
    delay = window(4.0)
    assert [tick(delay, t, n) for t, n in [(100.0, 5), (102.0, 2), (104.0, 1)]] == [5, 5, 2]


def test_growing_is_never_delayed() -> None:
    delay = window(10.0)
    tick(delay, 100.0, 5)
    assert tick(delay, 102.0, 9) == 9


def test_two_ticks_in_one_slot_keep_the_larger() -> None:
    delay = window(4.0)
    assert [tick(delay, t, n) for t, n in [(100.0, 5), (101.9, 1), (102.0, 0)]] == [5, 5, 5]


def test_an_odd_delay_is_rounded_up_to_whole_slots() -> None:
    delay = window(3.0)
    assert [tick(delay, t, n) for t, n in [(100.0, 5), (102.0, 1)]] == [5, 5]


def test_asking_remembers_nothing() -> None:
    delay = window(10.0)
    delay.greatest(ROW, np.array([100.0]), np.array([9]))
    assert tick(delay, 102.0, 1) == 1


def test_a_row_without_delay_has_no_slots() -> None:
    delay = DelayWindow()
    delay.append(np.array([0.0, 2.0]))
    assert delay.delayed(slice(None)).tolist() == [False, True]


def test_the_last_row_takes_the_place_of_a_removed_one() -> None:
    delay = DelayWindow()
    delay.append(np.array([2.0, 0.0, 10.0]))
    tick(delay, 100.0, 7, row=2)
    delay.remove(0)
    assert tick(delay, 102.0, 1) == 7


def test_what_is_remembered_survives_compaction() -> None:
    delay = window(10.0)
    tick(delay, 100.0, 7)
    delay.append(np.full(4, 2000.0))
    for _ in range(4):
        delay.remove(1)
    assert delay.nbytes < 20_000
    assert tick(delay, 102.0, 1) == 7


@LAW
@given(
    delay_s=st.integers(1, 20),
    ticks=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30),
)
def test_it_is_the_greatest_of_all_slots_within_the_delay(
    delay_s: int, ticks: list[tuple[int, int]]
) -> None:
    delay, now, seen = window(float(delay_s)), 1000, []
    for wait, desired in ticks:
        now += wait
        seen.append((now // 2, desired))
        recent = [n for slot, n in seen if slot > now // 2 - (delay_s + 1) // 2]
        assert tick(delay, float(now), desired) == max(recent)
