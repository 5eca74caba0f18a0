"""What a restart cannot go on from: it is said why, and begun anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learner.state.stepping import MOST_LEFT_OUT
from tests.learner.publishing.restarts import HISTORY, Process, clock_at


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def a_page(path: Path) -> None:
    path.write_text("<html>")


def changed(**arrays: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with np.load(path) as archive:
            held: dict[str, Any] = dict(archive)
        np.savez(path, **held | arrays)

    return change


def with_numbers(**numbers: float) -> Callable[[Path], None]:
    return changed(**{name: np.array(number) for name, number in numbers.items()})


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (cut, "damaged"),
    (flipped, "damaged"),
    (empty, "no npz"),
    (a_page, "no npz"),
    (changed(magic="kn-ahead forecast bundle"), "magic is kn-ahead forecast bundle"),
    (changed(version=77), "version is 77"),
    (changed(meaning="something"), "meaning is something"),
    (with_numbers(step_s=30.0), "step_s is 30.0"),
]
OF_MODELS: list[tuple[Callable[[Path], None], str]] = [
    (with_numbers(fitted_at_s=1.0), "age is"),
    (with_numbers(fitted_at_s=9e9), "age is"),
    (with_numbers(fitted_at_s=np.nan), "fitted_at_s is nan"),
    (changed(windows=np.array([0, 1, 2, 6])), "asks for the column"),
    (changed(windows=np.array([0, 1])), "asks for the column"),
    (changed(lawless=np.full(3, np.inf)), "no log odds"),
    (changed(columns=np.array(["one"])), "asks for the column one"),
    (changed(trees=np.zeros(9, dtype=np.uint8)), "tree_bytes"),
    (changed(line=np.zeros((2, 9))), "line is float64"),
    (changed(model_outcomes=np.zeros(3)), "model_outcomes is float64"),
    (changed(lag=np.zeros(2, dtype=np.int64)), "lag is int64 of shape"),
    (changed(gain=np.zeros((2, 3, 3), dtype=np.int64)), "gain is int64 of shape (2, 3, 3)"),
    (changed(gain=np.zeros((2, 3))), "gain is float64 of shape (2, 3)"),
    (changed(gain=np.zeros((2, 4, 3))), "gain is float64 of shape (2, 4, 3)"),
    (changed(gain=np.full((2, 3, 3), np.nan)), "gain is float64 of shape (2, 3, 3)"),
    (changed(weighed_until=np.array(-1)), "weighed_until is -1"),
    (with_numbers(weighed_until=1.0), "weighed_until is 1.0"),
    (changed(shares=np.zeros((4, 1, 7, 3), dtype=np.int64)), "shares is int64 of shape"),
    (changed(shares=np.zeros((3, 1, 7, 3))), "shares is float64 of shape (3, 1, 7, 3)"),
    (changed(shares=np.full((4, 1, 7, 3), np.nan)), "shares holds a number that cannot be"),
    (changed(shares=np.full((4, 1, 7, 3), -0.1)), "shares holds a number that cannot be"),
    (changed(shares=np.full((4, 1, 7, 3), 1.1)), "shares holds a number that cannot be"),
]


@pytest.mark.parametrize(
    ("what", "damage", "why"),
    [(what, *each) for what in ("state", "model") for each in DAMAGES]
    + [("model", *each) for each in OF_MODELS],
)
def test_what_cannot_be_used_is_said_and_begun_anew(
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    what: str,
    damage: Callable[[Path], None],
    why: str,
) -> None:
    path = folder / f"forecasts.{what}.npz"
    damage(path)
    process = Process(folder, clock_at(20))
    process.publish()
    assert process.fits == (what == "model")
    assert (HISTORY in process.calls.asked) == (what == "state" or process.fits == 1)
    (said,) = [r.message for r in caplog.records if "begins anew" in r.message]
    assert str(path) in said
    assert why in said
    assert "\n" not in said


def assert_state_not_used(process: Process, caplog: pytest.LogCaptureFixture, why: str) -> None:
    process.publish()
    said = [r.message for r in caplog.records if "begins anew" in r.message]
    assert any(why in each and "forecasts.state.npz" in each for each in said)
    assert process.calls.asked[0] == HISTORY


def test_a_state_that_is_too_old_is_not_used(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert_state_not_used(Process(folder, clock_at(20 + MOST_LEFT_OUT + 5)), caplog, "age is")


def test_a_state_of_a_longer_past_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Process(tmp_path, clock_at(0), history=5_000).publish()
    assert_state_not_used(Process(tmp_path, clock_at(1)), caplog, "steps kept")


def test_windows_of_another_kind_are_fitted_anew(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = Process(folder, clock_at(20), windows=(0, 1))
    process.publish()
    assert process.fits == 1
    assert "windows is (0, 1, 2, 5); allowed: (0, 1)" in caplog.text


@pytest.mark.parametrize("name", ["weighed_until", "counted_until"])
def test_a_file_that_counted_up_to_a_time_to_come_is_counted_on_from_now(
    folder: Path, name: str
) -> None:
    with_numbers(**{name: 10**12})(folder / "forecasts.model.npz")
    process = Process(folder, clock_at(20))
    process.publish(8)
    assert process.fits == 0
