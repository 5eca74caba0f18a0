"""The benchmark of the dependency search: its scores, and its commands end to end."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from autoscaler.core.prediction.dependencies import Edges, no_edges
from autoscaler.core.types import FloatArray
from benchmarks.dependencies.counts_quality import planted
from benchmarks.dependencies.found_edges import CALL_GRAPHS, RECORDED, app
from benchmarks.scores.edge_score import score_edges, starts_with_idle_downstream
from benchmarks.scores.warning_score import warnings_along
from benchmarks.traces.synthetic_calls import SyntheticCalls
from learner.dependencies.busy_periods import BusyPeriods, busy_periods_of

NAMES = ("a", "b", "c")


def edges(*found: tuple[int, int, float]) -> Edges:
    m = len(found)
    return Edges(
        services=NAMES,
        upstream=np.array([a for a, _, _ in found], dtype=np.int64),
        downstream=np.array([b for _, b, _ in found], dtype=np.int64),
        gain=np.array([p for _, _, p in found]),
        lag_s=np.full(m, 2.0),
        probability=np.array([p for _, _, p in found]),
        confidence=np.ones(m),
        evidence=np.ones(m),
        seen_at_s=np.zeros(m),
        direct=np.ones(m, dtype=np.bool_),
        origin=np.full(m, 3),
    )


def test_a_score_counts_pairs_that_were_tried_often_enough() -> None:
    truth = np.array([[0.0, 0.9, 0.9], [0.1, 0.0, 0.3], [0.0, 0.0, 0.0]])
    trials = np.array([[0.0, 50.0, 2.0], [50.0, 0.0, 50.0], [50.0, 50.0, 0.0]])
    score = score_edges(
        edges((0, 1, 0.8), (1, 0, 0.5), (0, 2, 0.9), (2, 0, 0.1)), truth, trials, 0.2
    )
    assert (score.n_true, score.n_not_scored, score.n_found, score.n_correct) == (2, 1, 2, 1)
    assert (score.precision, score.recall, score.f1) == (0.5, 0.5, 0.5)


def test_nothing_found_where_nothing_is_true_is_a_perfect_score() -> None:
    score = score_edges(no_edges(NAMES), np.zeros((3, 3)), np.full((3, 3), 9.0), 0.2)
    assert (score.precision, score.recall) == (1.0, 1.0)


def test_starts_count_that_found_the_other_idle_and_called_it_themselves() -> None:
    """a calls b in its first and third request; in the second another one calls b just before."""
    calls = [
        (0, 0, 100.0), (0, 1, 102.0), (1, 1, 490.0), (2, 0, 500.0), (2, 1, 502.0),
        (3, 0, 900.0), (4, 1, 905.0), (5, 0, 2000.0), (5, 1, 2001.0),
    ]  # fmt: skip
    request, service, at_s = (np.array(column) for column in zip(*calls, strict=True))
    nothing, none = np.zeros(3), np.zeros((3, 3))
    made = SyntheticCalls(
        services=NAMES, service=service, at_s=at_s, by_service=service > 0, request=request,
        n_requests=6, requests=nothing, after=none, cold_requests=nothing, cold_after=none,
        cold_lag_s=none, direct=none > 0,
    )  # fmt: skip
    with_idle, called = starts_with_idle_downstream(made, 1000.0)
    assert (with_idle[0, 1], called[0, 1]) == (2, 1)
    assert (with_idle[0, 2], called[0, 2]) == (3, 0)
    assert (with_idle[1, 0], called[1, 0]) == (1, 0)


def three(calls: dict[int, list[float]]) -> BusyPeriods:
    at = np.concatenate([np.array(t) for t in calls.values()])
    who = np.repeat(list(calls), [len(t) for t in calls.values()])
    return busy_periods_of(NAMES, who, at, since_s=0.0, until_s=2000.0)


def caused(busy: BusyPeriods, service: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(busy.service == service)


def test_a_warning_is_in_time_if_it_leaves_a_whole_start_up() -> None:
    busy = three({0: [100.0, 500.0, 900.0], 1: [102.5, 500.5, 1400.0]})
    made = warnings_along(edges((0, 1, 0.8)), busy, caused(busy, 1)).at(0.5)
    assert (made.starts, made.warnings) == (3, 3)
    assert made.before == pytest.approx(2 / 3)
    assert made.in_time == pytest.approx(1 / 3)
    assert made.vain == pytest.approx(1 / 3)


def test_a_service_in_use_is_not_warned() -> None:
    busy = three({0: [100.0, 500.0], 1: [95.0, 130.0, 502.0]})
    made = warnings_along(edges((0, 1, 0.8)), busy, caused(busy, 1)).at(0.5)
    assert (made.warnings, made.vain) == (1, 0.0)


def test_improbable_edges_do_not_warn() -> None:
    busy = three({0: [100.0], 1: [102.0]})
    made = warnings_along(edges((0, 1, 0.4)), busy, caused(busy, 1)).at(0.5)
    assert (made.warnings, made.before) == (0, 0.0)


def test_the_figure_is_that_of_the_lowest_threshold_with_so_many_warnings_in_vain() -> None:
    busy = three({0: [100.0, 500.0], 1: [102.0, 502.0], 2: [102.0]})
    warnings = warnings_along(edges((0, 1, 0.8), (0, 2, 0.5)), busy, busy.service > 0)
    assert warnings.with_vain(0.25).threshold == 0.5
    assert warnings.with_vain(0.25).in_time == 1.0
    assert warnings.with_vain(0.2).threshold == 0.8
    assert warnings.with_vain(0.2).in_time == pytest.approx(2 / 3)
    nothing = warnings_along(no_edges(NAMES), busy, busy.service > 0)
    assert (nothing.with_vain(0.2).warnings, nothing.with_vain(0.2).in_time) == (0, 0.0)


def test_planted_demand_returns_what_was_planted() -> None:
    demand, lag, gain = planted(24, 1, np.random.default_rng(0))
    assert demand.arrivals.shape == (24, 1440)
    assert (lag > 0).sum() == (gain > 0).sum() == 6 * 3


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    """A folder as of the public traces: two graphs, three recordings."""
    front = [["0", "USER", "A", "http", 0, 9], ["0.1", "A", "B", "rpc", 1, 3]]
    lines = [{"service": s, "edges": front} for s in ("one", "two")]
    with gzip.open(tmp_path / CALL_GRAPHS, "wt") as file:
        file.write("\n".join(json.dumps(line) for line in lines))
    rng = np.random.default_rng(0)
    ops: FloatArray = rng.poisson(20.0, (3, 900)).astype(np.float64)
    ops[1] += ops[0]
    for name in RECORDED:
        ids = np.array(NAMES)
        step_s = np.array(60)
        np.savez(tmp_path / name, ids=ids, counts=ops, step_s=step_s, edges=np.array(["a>b"]))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["starts", "--seed", "7", "--entries", "2", "--days", "1"], "Edges from starts"),
        (["warnings", "--seed", "7", "--entries", "2", "--days", "1"], "Starts warned of"),
        (["recorded"], "Recorded series"),
    ],
)
def test_commands_print_their_tables(traces: Path, arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(app, [*arguments, "--traces", str(traces)])
    assert result.exit_code == 0, result.output
    assert expected in result.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["counts", "--seed", "7", "--services", "16", "--days", "1"], "planted chains"),
        (["warnings", "--seed", "7", "--entries", "9", "--days", "1"], "Starts warned of"),
        (["scale", "--services", "16", "--days", "1"], "GiB"),
    ],
)
def test_synthetic_workloads_need_no_traces(arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert expected in result.output


@pytest.mark.parametrize("command", ["warnings", "starts", "recorded"])
def test_a_folder_without_traces_is_one_line_and_exit_code_2(tmp_path: Path, command: str) -> None:
    result = CliRunner().invoke(app, [command, "--traces", str(tmp_path)])
    assert result.exit_code == 2
    assert "cannot be read" in result.output
