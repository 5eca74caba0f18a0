"""FeMux's rules, on traces small enough to count by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.policies.femux import compare, load, main, score, sweep

NEED = np.array([[0.0, 2.0, 1.0, 0.0, 0.0, 3.0]])


def made_trace(n: int = 6, n_minutes: int = 240) -> np.ndarray:
    random = np.random.default_rng(3)
    minute = np.arange(n_minutes)
    timers = [(minute % (5 + 2 * row) == row) * (1 + row % 2) for row in range(n - 2)]
    noise = (random.random((2, n_minutes)) < 0.1) * 1
    return np.concatenate([timers, noise]).astype(np.float32)


def test_a_missing_container_is_cold_and_allocated_too() -> None:
    outcome = score(NEED, np.array([[1.0, 1.0, 1.0, 0.0, 1.0, 0.0]]))
    assert outcome.cold.tolist() == [4.0]
    assert outcome.allocated.tolist() == [8.0]


def test_perfect_foresight_has_no_cold_container_and_wastes_nothing() -> None:
    certain = (NEED[:, :, None] >= np.array([1, 2, 3])).astype(np.float64)
    curve = sweep(NEED, certain)
    assert not curve.cold.any()
    assert (curve.allocated == NEED.sum()).all()


def test_a_dearer_cold_start_never_means_more_of_them() -> None:
    exceedance = -np.sort(-np.random.default_rng(0).random((3, 50, 4)), axis=2)
    need = np.random.default_rng(1).integers(0, 5, (3, 50)).astype(np.float64)
    curve = sweep(need, exceedance)
    assert (np.diff(curve.cold, axis=0) <= 0).all()
    assert (np.diff(curve.allocated, axis=0) >= 0).all()


def test_between_two_prices_the_curve_is_a_line() -> None:
    exceedance = np.full((1, 6, 3), [0.9, 0.5, 0.1])
    curve = sweep(NEED, exceedance)
    levels = np.unique(curve.allocated.sum(axis=1))
    low, high = curve.at(levels[0]), curve.at(levels[1])
    middle = curve.at(float(levels[:2].mean()))
    assert middle.cold.sum() == pytest.approx((low.cold.sum() + high.cold.sum()) / 2)


def test_applications_are_counted_as_fewer_equal_or_more() -> None:
    need = np.repeat(NEED, 3, axis=0)
    certain = (need[:, :, None] >= np.array([1, 2, 3])).astype(np.float64)
    against_one_minute = compare(need, sweep(need, certain))[0]
    counted = against_one_minute.fewer, against_one_minute.equal, against_one_minute.more
    assert counted == (3, 0, 0)
    assert against_one_minute.change == -1.0


def test_folds_print_a_table_and_write_the_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, out = tmp_path / "trace.npz", tmp_path / "out.json"
    np.savez(trace, containers=made_trace(n_minutes=40))
    assert main(["--trace", str(trace), "--json", str(out), "--max-rows", "4000"]) == 0
    written = json.loads(out.read_text())
    assert written["needed"] == made_trace(n_minutes=40).sum()
    assert [each["keep_alive"] for each in written["keep_alives"]] == [1, 2, 5, 10, 20]
    assert len(written["curve"]) == 60
    assert "Perfect knowledge" in capsys.readouterr().out


def test_fits_on_one_file_and_scores_another_that_holds_counts(tmp_path: Path) -> None:
    fit, trace, out = tmp_path / "fit.npz", tmp_path / "trace.npz", tmp_path / "out.json"
    np.savez(fit, containers=made_trace(n_minutes=60))
    np.savez(trace, counts=made_trace(n=3) * 40)
    assert (
        main(["--fit", str(fit), "--trace", str(trace), "--json", str(out), "--max-rows", "4000"])
        == 0
    )
    written = json.loads(out.read_text())
    assert written["applications"] == 3
    assert written["needed"] == (made_trace(n=3) > 0).sum()


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"pods": np.ones((2, 3))}, "expected an array containers or counts"),
        ({"containers": np.ones(3)}, r"shape \(3,\)"),
        ({"containers": np.array([[1.0, -1.0]])}, "negative"),
        ({"counts": np.array([[1.0, np.nan]])}, "NaN"),
        ({"counts": np.array([["many", "few"]])}, "cannot be read"),
        ({"containers": np.zeros((0, 5))}, r"shape \(0, 5\)"),
    ],
)
def test_refuses_arrays_that_are_no_counts(
    tmp_path: Path, arrays: dict[str, np.ndarray], expected: str
) -> None:
    path = tmp_path / "trace.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(PermanentError, match=expected):
        load(path)


@pytest.mark.parametrize("content", [None, b"", b"no archive at all", b"PK\x03\x04 broken"])
def test_a_bad_file_gets_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path, out = tmp_path / "trace.npz", tmp_path / "out.json"
    if content is not None:
        path.write_bytes(content)
    assert main(["--trace", str(path), "--json", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert str(path) in captured.err
    assert not out.exists()


def test_too_few_applications_for_folds_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    np.savez(path, containers=np.ones((3, 50)))
    assert main(["--trace", str(path)]) == 2
