"""What is remembered and what is new make the demand that reading all of it gives."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoscaler.errors import TransientError
from autoscaler.limits import HISTORY, SERVICE_PODS
from autoscaler.refusals import LimitError
from learner.demand import Demand, ExternalSeries, UnknownPastError
from learner.models.levels import pods_needed
from learner.sources.remembered import OVERLAP_STEPS, PIECE_STEPS, SPARE_STEPS, Remembered
from tests.learner.publishing.restarts import Later

STEP_S = 60.0
WINDOW = 40
N_STEPS = 2 * SPARE_STEPS
LONG = 4 * PIECE_STEPS + 100
ALL = ("a/late", "b/always", "c/new", "d/gone")


class Recording:
    """A source that knows a service as long as it has samples in what is asked for."""

    def __init__(self, seed: int = 0, n_steps: int = N_STEPS) -> None:
        rng = np.random.default_rng(seed)
        self.values = rng.poisson(2.0, (4, n_steps)).astype(float)
        self.values[rng.random((4, n_steps)) < 0.2] = np.nan
        self.values[2, : n_steps // 3] = np.nan
        self.values[3, n_steps // 4 :] = np.nan
        self.external = rng.poisson(1.0, (1, n_steps)).astype(float)
        self.asked: list[int] = []  # steps
        self.fails: Exception | None = None
        self.quarantined: dict[str, str] = {}
        self.capacity = 1.0

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        if self.fails:
            raise self.fails
        begin, end = round(start_s / step_s), round(end_s / step_s)
        self.asked.append(end - begin)
        values = self.values[:, begin:end]
        rows = np.flatnonzero(~np.isnan(values).all(axis=1))
        if not len(rows):
            raise UnknownPastError("no series")
        return Demand(
            services=tuple(ALL[row] for row in rows),
            start_s=start_s,
            step_s=step_s,
            arrivals=10 * values[rows],
            peak=values[rows],
            capacity=np.full(len(rows), self.capacity),
            external=ExternalSeries(
                names=("prometheus/1",), followers=ALL[:1], values=self.external[:, begin:end]
            ),
            quarantined=self.quarantined,
        )


def read(source: Recording | Remembered, end: int) -> Demand:
    start_s, end_s = (end - WINDOW) * STEP_S, end * STEP_S
    return source.read(start_s=start_s, end_s=end_s, step_s=STEP_S)


def known(demand: Demand) -> Demand:
    """Of services that are known."""
    return demand.only(np.flatnonzero(demand.known.any(axis=1)))


def same(found: Demand, expected: Demand) -> None:
    found = known(found)
    assert found.services == expected.services
    assert (found.start_s, found.end_s) == (expected.start_s, expected.end_s)
    np.testing.assert_array_equal(found.arrivals, expected.arrivals)
    np.testing.assert_array_equal(found.peak, expected.peak)
    assert found.external
    assert expected.external
    np.testing.assert_array_equal(found.external.values, expected.external.values)


@given(
    st.integers(0, 20),
    st.lists(st.integers(0, WINDOW + 5), min_size=1, max_size=25),
)
def test_it_is_as_if_all_were_read(seed: int, strides: list[int]) -> None:
    source, end = Recording(seed), WINDOW
    remembered = Remembered(source)
    for stride in strides:
        end = min(end + stride, N_STEPS)
        late = slice(end - OVERLAP_STEPS, end)
        whole = source.values[0, late].copy()
        source.values[0, late] = np.nan  # they come at the next reading
        read(remembered, end)
        source.values[0, late] = whole
        same(read(remembered, end), read(source, end))


def test_only_what_is_new_is_asked_for_and_arrays_move_now_and_then() -> None:
    source = Recording()
    remembered = Remembered(source)
    for end in range(WINDOW, WINDOW + SPARE_STEPS + 20):
        found = read(remembered, end)
    assert set(source.asked[1:]) == {OVERLAP_STEPS + 2}
    same(found, read(source, end))
    assert ALL[3] not in found.services  # which has been gone for longer than the window


def test_where_little_has_nothing_to_say_all_is_read() -> None:
    source = Recording()
    source.values[:, 100:] = np.nan
    remembered = Remembered(source)
    read(remembered, 112)
    same(read(remembered, 120), read(source, 120))
    assert source.asked[:3] == [WINDOW, 8 + OVERLAP_STEPS + 1, WINDOW]


def test_an_outage_is_raised_and_nothing_is_lost() -> None:
    source = Recording()
    remembered = Remembered(source)
    read(remembered, 60)
    source.fails = TransientError("gone")
    with pytest.raises(TransientError):
        read(remembered, 61)
    source.fails = None
    same(read(remembered, 63), read(source, 63))
    assert source.asked == [WINDOW, OVERLAP_STEPS + 4, WINDOW]


@pytest.mark.parametrize("step_s", [30.0, 120.0])
def test_other_steps_are_read_anew(step_s: float) -> None:
    source = Recording()
    remembered = Remembered(source)
    read(remembered, 60)
    remembered.read(start_s=0.0, end_s=60 * step_s, step_s=step_s)
    assert source.asked == [WINDOW, 60]


def test_what_was_wrong_is_said_as_long_as_it_is_in_the_window() -> None:
    source = Recording()
    remembered = Remembered(source)
    source.quarantined = {ALL[1]: "samples that cannot be: 1"}
    read(remembered, 60)
    source.quarantined = {}
    for end in range(60, 60 + WINDOW):
        assert read(remembered, end).quarantined == {ALL[1]: "samples that cannot be: 1"}
    assert read(remembered, 60 + WINDOW).quarantined == {}


def test_pods_of_another_capacity_count_for_all_of_the_past() -> None:
    source = Recording()
    remembered = Remembered(source)
    read(remembered, 50)
    source.capacity = 5.0
    assert set(read(remembered, 51).capacity) == {5.0}


def test_a_past_that_smaller_pods_could_not_have_taken_is_a_gap() -> None:
    source = Recording()
    source.values[1, 34:37] = [2.0, 7e4, 2.0]
    remembered = Remembered(source)
    read(remembered, 50)
    source.capacity = 0.1
    demand = known(read(remembered, 60))
    row, before = demand.services.index("b/always"), 34 - (60 - WINDOW)
    for values in (demand.peak, demand.arrivals):
        gaps = np.isnan(values[row, before : before + 3])
        assert gaps.tolist() == [False, True, False]


def test_capacities_wait_for_the_past_that_they_are_to_count_for() -> None:
    source, beside = Recording(), Later()
    remembered = Remembered(source, begin=beside.begin)
    remembered.resume(read(source, 50).last(20))
    source.capacity = 5.0
    assert set(known(read(remembered, 51)).capacity) == {1.0}
    beside.waiting[0]()
    assert set(known(read(remembered, 52)).capacity) == {5.0}


def whole(source: Recording | Remembered, n_steps: int = LONG) -> Demand:
    return source.read(start_s=0.0, end_s=n_steps * STEP_S, step_s=STEP_S)


@given(st.integers(0, 20), st.integers(0, LONG), st.integers(0, LONG))
def test_a_long_past_read_piece_by_piece_is_as_if_it_were_read_at_once(
    seed: int, first: int, last: int
) -> None:
    source = Recording(seed, LONG)
    source.values[:, first:last] = source.external[:, first:last] = np.nan
    if np.isnan(source.values).all():
        with pytest.raises(UnknownPastError):
            whole(Remembered(source))
        return
    same(whole(Remembered(source)), whole(source))
    assert max(source.asked[:-1]) <= PIECE_STEPS + OVERLAP_STEPS + 1


def test_what_cannot_be_read_of_a_long_past_is_no_gap() -> None:
    source = Recording(0, LONG)
    remembered, read_a_piece = Remembered(source), source.read

    def break_off(*, start_s: float, end_s: float, step_s: float) -> Demand:
        if start_s > 2 * PIECE_STEPS * STEP_S:
            raise TransientError("gone")
        return read_a_piece(start_s=start_s, end_s=end_s, step_s=step_s)

    source.read = break_off  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        whole(remembered)
    source.read = read_a_piece  # type: ignore[method-assign]
    same(whole(remembered), whole(source))


def test_a_past_of_more_than_is_held_is_refused_after_its_first_piece() -> None:
    source = Recording()
    n_steps = int(HISTORY.most)
    with pytest.raises(LimitError, match="the past of 4 services"):
        whole(Remembered(source), n_steps)
    assert source.asked == [PIECE_STEPS]


@given(st.floats(0.01, 1e5), st.integers(0, int(SERVICE_PODS.most) - 1))
@example(0.7, 123_415)  # of which double precision makes a pod more, too
def test_what_pods_can_take_they_can_take_in_single_precision(capacity: float, pods: int) -> None:
    source = Recording()
    source.values[1, 10] = pods * capacity
    source.capacity = capacity
    demand = read(Remembered(source), 10 + WINDOW)
    needed = pods_needed(demand)[demand.services.index("b/always"), 0]
    assert pods <= needed <= np.ceil(pods * capacity / capacity)
