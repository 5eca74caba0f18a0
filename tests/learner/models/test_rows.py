"""Rows are drawn as they could have been asked at the time, and answered by what came."""

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from learner.models.levels import cells_in_reach
from learner.models.rows import LevelRows, draw_rows, needed_within, rows_in_reach


def rows_at(origin: int, n_cells: int) -> LevelRows:
    return LevelRows(
        service=np.zeros(n_cells, dtype=np.int64),
        cell=np.arange(n_cells),
        origin=np.full(n_cells, origin),
    )


NEED = np.array([[0.0, 1.0, 3.0, np.nan, 2.0, 0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("origin", "begin", "end", "needed", "unknown"),
    [
        (0, 0, 1, [False, False, False], [False, False, False]),
        (0, 1, 2, [True, False, False], [False, False, False]),
        (0, 1, 3, [True, True, True], [False, False, False]),
        (3, 0, 2, [True, True, False], [False, False, True]),
        (5, 0, 2, [False, False, False], [False, False, False]),
        (6, 1, 5, [True, False, False], [False, True, True]),
    ],
)
def test_a_level_is_needed_if_any_step_of_the_window_needed_it(
    origin: int, begin: int, end: int, needed: list[bool], unknown: list[bool]
) -> None:
    answer = needed_within(NEED, begin, end, rows_at(origin, 3))
    assert [each.tolist() for each in answer] == [needed, unknown]


def test_reach_follows_what_was_seen_before() -> None:
    assert cells_in_reach(NEED).tolist() == [[1, 1, 2, 4, 4, 4, 4, 4, 4]]


def test_every_row_in_reach_is_asked_once() -> None:
    reach = np.array([[1, 2], [3, 0]])
    asked = [
        (int(service), int(origin), int(cell))
        for rows, _ in rows_in_reach(reach, np.array([5, 9]), 10)
        for service, origin, cell in zip(rows.service, rows.origin, rows.cell, strict=True)
    ]
    assert sorted(asked) == [(0, 5, 0), (0, 9, 0), (0, 9, 1), (1, 5, 0), (1, 5, 1), (1, 5, 2)]


def test_all_rows_are_drawn_once_where_they_fit() -> None:
    drawn = draw_rows(NEED, (0, 1), max_rows=1000)
    keys = {
        (int(origin), int(cell))
        for origin, cell in zip(drawn.rows.origin, drawn.rows.cell, strict=True)
    }
    # The gap at step 3 hides whether levels 1 and 2 (of 4 in reach) were needed.
    assert len(keys) == len(drawn.rows) == cells_in_reach(NEED)[:, :-1].sum() - 4
    assert drawn.offset == 0


def sparse(services: int, share: float) -> FloatArray:
    return (np.random.default_rng(0).random((services, 2000)) < share).astype(np.float64)


def test_each_window_keeps_to_its_budget() -> None:
    drawn = draw_rows(sparse(20, 0.1), (0, 1, 5), max_rows=5000)
    for outcome in drawn.outcome.T:
        assert (outcome >= 0).sum() == pytest.approx(5000, rel=0.05)


def test_rare_outcomes_are_all_kept_and_the_offset_restores_their_share() -> None:
    need = sparse(20, 0.01)
    everything = draw_rows(need, (0, 1), max_rows=10**6)
    drawn = draw_rows(need, (0, 1), max_rows=4000)
    assert (drawn.outcome == 1).sum() == (everything.outcome == 1).sum()
    odds = (drawn.outcome == 1).sum() / (drawn.outcome == 0).sum()
    true_odds = (everything.outcome == 1).sum() / (everything.outcome == 0).sum()
    assert odds / np.exp(drawn.offset[0]) == pytest.approx(true_odds, rel=0.05)
