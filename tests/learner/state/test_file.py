"""The state on disk: the same to the bit, or a reason to begin anew."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from learner.demand import ExternalSeries
from learner.models import RECENT_STEPS
from learner.state.file import load_state, save_state
from learner.state.fill import fill
from learner.state.level_state import LevelState
from learner.state.stepping import advance
from tests.learner.state.oracle import demand_of, mixed_need, values_of

DEMAND = demand_of(mixed_need(400, seed=6))
Arrays = dict[str, Any]


def filled(n_steps: int) -> LevelState:
    state = fill([DEMAND.until(n_steps)])
    assert state is not None
    return state


def save(n_steps: int, path: Path) -> None:
    save_state(filled(n_steps), DEMAND.until(n_steps), path)


def test_a_restart_goes_on_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    save(300, path)
    one, other = advance(load_state(path).state, DEMAND), advance(filled(300), DEMAND)
    assert one.services == other.services
    np.testing.assert_array_equal(values_of(one), values_of(other))
    assert list(tmp_path.iterdir()) == [path]


def test_the_later_of_two_learners_wins_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    for n_steps in (300, 200):
        save(n_steps, path)
    assert load_state(path).state.steps == 200


def test_the_newest_demand_comes_along_with_external_series(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    external = ExternalSeries(
        names=("prometheus/1",), followers=DEMAND.services[:1], values=np.ones((1, 400))
    )
    demand = replace(DEMAND, external=external)
    save_state(filled(400), demand, path)
    recent, newest = load_state(path).recent, demand.last(RECENT_STEPS)
    assert (recent.services, recent.start_s) == (newest.services, newest.start_s)
    np.testing.assert_array_equal(recent.peak, newest.peak)
    assert recent.external
    assert recent.external.names == external.names
    assert recent.external.values.shape == (1, RECENT_STEPS)


def test_a_state_that_was_stepped_on_too_far_while_it_was_written_is_not_kept(
    tmp_path: Path,
) -> None:
    state, path = filled(300), tmp_path / "state.npz"
    advance(state, DEMAND)
    with pytest.raises(PermanentError, match="100 steps came while the state was written"):
        save_state(state, DEMAND, path)
    assert not list(tmp_path.iterdir())


def changed(arrays: Arrays, name: str, value: object) -> Arrays:
    return arrays | {name: value}


def first_set(arrays: Arrays, name: str, value: float) -> Arrays:
    array = arrays[name].copy()
    array.flat[0] = value
    return arrays | {name: array}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda a: changed(a, "magic", "something"), "magic is something"),
        (lambda a: changed(a, "version", 1), "version is 1; allowed: .* of version 2"),
        (lambda a: changed(a, "meaning", "129 runs"), "meaning is 129 runs"),
        (lambda a: {k: v for k, v in a.items() if k != "smooth"}, "smooth"),
        (lambda a: changed(a, "number", a["number"][1:]), "number is int32 of shape"),
        (lambda a: changed(a, "need", a["need"][:, :40]), "need holds 24 steps"),
        (lambda a: changed(a, "recent_peak", a["recent_peak"][:, 1:]), "do not fit recent demand"),
        (lambda a: first_set(a, "recent_peak", -1.0), "peak holds a negative"),
        (lambda a: changed(a, "recent_services", a["recent_services"][:0]), "capacity is"),
        (lambda a: changed(a, "recent_names", np.array(["a"])), "do not fit recent demand"),
        (lambda a: {k: v for k, v in a.items() if k != "recent_start_s"}, "start_s"),
        (lambda a: changed(a, "need", a["need"].astype(np.int64)), "need is int64"),
        (lambda a: changed(a, "services", a["services"][::-1]), "not names in order"),
        (lambda a: changed(a, "services", np.arange(3)), "no list of names"),
        (lambda a: changed(a, "steps", -1), "no time and no number of steps"),
        (lambda a: changed(a, "spread", 0), "spread over no step"),
        (lambda a: changed(a, "step_s", np.nan), "no time and no number of steps"),
        (lambda a: first_set(a, "last_call", 300), "last_call holds .* to 300"),
        (lambda a: first_set(a, "smooth", np.nan), "smooth holds nan"),
        (lambda a: first_set(a, "greatest", 500), "number is int32 of shape"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, change: Callable[[Arrays], Arrays], why: str
) -> None:
    path = tmp_path / "state.npz"
    save(300, path)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **change(arrays))
    with pytest.raises(PermanentError, match=why) as refused:
        load_state(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "state.npz"
    save(300, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PermanentError, match="allowed: a kn-ahead learner state of version 2"):
        load_state(path)


def test_a_bit_that_has_flipped_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    save(300, path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(PermanentError, match="damaged"):
        load_state(path)


def test_a_missing_file_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="cannot be read"):
        load_state(tmp_path / "none.npz")
