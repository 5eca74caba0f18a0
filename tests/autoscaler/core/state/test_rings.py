import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.state.rings import Rings, grown, span
from tests.autoscaler.core.stories import LAW


def rings(*sizes: int) -> Rings:
    made = Rings()
    made.append(np.array(sizes))
    return made


def owned(made: Rings) -> list[list[int]]:
    pairs = zip(made.start.tolist(), made.size.tolist(), strict=True)
    return [list(range(start, start + size)) for start, size in pairs]


def test_rings_lie_end_to_end() -> None:
    assert owned(rings(2, 0, 3)) == [[0, 1], [], [2, 3, 4]]


def test_each_time_index_has_its_slot_and_returns_to_it() -> None:
    made = rings(2, 3)
    rows = np.array([0, 1, 1, 1])
    assert made.slots(rows, np.array([7, 7, 8, 10])).tolist() == [1, 3, 4, 3]


def test_a_run_goes_from_newest_to_oldest_row_by_row() -> None:
    made = rings(2, 3)
    runs = made.runs(np.array([1, 0]), np.array([7, 7]), np.array([3, 1]))
    assert runs.tolist() == [3, 2, 4, 1]


def test_a_resized_row_gets_a_ring_of_its_own() -> None:
    made = rings(2, 3)
    made.resize(0, 4)
    assert owned(made) == [[5, 6, 7, 8], [2, 3, 4]]


def test_the_last_row_takes_the_place_of_a_removed_one() -> None:
    made = rings(1, 2, 3)
    made.remove(0)
    assert owned(made) == [[3, 4, 5], [1, 2]]


def test_a_few_lost_slots_are_not_worth_the_copying_but_many_are() -> None:
    made = rings(10, 600)
    made.resize(1, 600)
    assert not made.wasteful()
    made.resize(1, 10)
    made.resize(0, 10)
    assert made.wasteful()


def test_compaction_says_which_old_slot_belongs_where() -> None:
    made = rings(2, 3)
    made.resize(0, 1)
    assert made.compact().tolist() == [5, 2, 3, 4]
    assert owned(made) == [[0], [1, 2, 3]]
    assert made.end == 4


def test_span_counts_on_from_each_start() -> None:
    assert span(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]


def test_grown_values_are_zeros_behind_the_old_ones() -> None:
    assert grown(np.array([1, 2]), 3).tolist() == [1, 2, 0, 0]


def test_values_with_room_stay_where_they_are() -> None:
    values = np.array([1, 2])
    assert grown(values, 2) is values


change = st.tuples(st.sampled_from(["append", "resize", "remove"]), st.integers(0, 9))


@LAW
@given(changes=st.lists(change, max_size=30))
def test_no_two_rows_ever_share_a_slot(changes: list[tuple[str, int]]) -> None:
    made = rings(3, 1)
    for what, n in changes:
        if what == "append" or not len(made.size):
            made.append(np.array([n, n + 1]))
        elif what == "resize":
            made.resize(n % len(made.size), n + 1)
        else:
            made.remove(n % len(made.size))
    lists = owned(made)
    slots = [slot for row in lists for slot in row]
    assert len(set(slots)) == len(slots)
    assert all(slot < made.end for slot in slots)
    assert made.compact().tolist() == slots
    assert [len(row) for row in owned(made)] == [len(row) for row in lists]
