"""A prior on disk: the same to the bit, or a line that says what is wrong with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from autoscaler.errors import PermanentError
from learner.demand import Demand
from learner.models.boosting_arrays import column_names
from learner.models.pooled import Pooled
from learner.prior.file import ANY_STEP, NAME, SHIPPED, Prior, load_prior, save_prior
from learner.prior.fitting import fit_prior
from learner.settings import WINDOWS, LearnerSettings

SETTINGS = LearnerSettings(windows=(0, 1, 5), max_rows=1_000, rounds=5, seeds=(0, 1))


def demand(step_s: float = 60.0, n_steps: int = 300) -> Demand:
    calls = np.random.default_rng(0).poisson([[0.1], [2.0]], (2, n_steps)).astype(np.float64)
    return Demand(
        services=("shop/a", "shop/b"),
        start_s=0.0,
        step_s=step_s,
        arrivals=calls,
        peak=calls,
        capacity=np.ones(2),
    )


@pytest.fixture(scope="module")
def prior() -> Prior:
    return fit_prior([demand()], SETTINGS)


@pytest.fixture
def path(prior: Prior, tmp_path: Path) -> Path:
    save_prior(prior, tmp_path / "prior.npz")
    return tmp_path / "prior.npz"


def test_it_answers_as_before_to_the_bit(prior: Prior, path: Path) -> None:
    origins = np.array([0, 1, 150, 300])
    one, other = (
        each.model(windows=SETTINGS.windows, step_s=60.0).predict(demand(), origins)
        for each in (prior, load_prior(path))
    )
    np.testing.assert_array_equal(one.exceedance, other.exceedance)
    assert not np.isnan(one.exceedance).any()


def test_rows_of_other_clusters_come_along_and_are_learned_beside_the_own(path: Path) -> None:
    (kept,) = load_prior(path).rows
    assert kept.features.names == load_prior(path).boosting.columns_
    assert 0 < len(kept.features) == len(kept.drawn.outcome)
    own = demand(n_steps=40)
    alone, beside = (
        Pooled(windows=SETTINGS.windows, seeds=(0,), max_rows=400, rounds=5, others=others)
        .fit(own)
        .predict(own, np.array([40]))
        .exceedance
        for others in ((), (kept,))
    )
    assert (alone != beside).any()


def test_the_same_is_fitted_of_the_same(path: Path, tmp_path: Path) -> None:
    save_prior(fit_prior([demand()], SETTINGS), tmp_path / "again.npz")
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_it_knows_nothing_that_holds_in_one_cluster_alone(prior: Prior) -> None:
    known = set(prior.boosting.columns_)
    assert {"lag_1", "idle_age", "need_1", "period"} <= known
    assert not known & {"history", "share_ever", "idle_number", "idle_at_risk", "clock_86400"}
    assert not any(name.startswith("upstream") for name in known)


def test_of_made_services_alone_it_holds_at_any_step() -> None:
    made = fit_prior([], SETTINGS)
    assert made.step_s == ANY_STEP
    assert made.model(windows=SETTINGS.windows, step_s=2.0).name == NAME


def test_demands_of_two_steps_are_refused() -> None:
    with pytest.raises(PermanentError, match=r"steps of \[10.0, 60.0\] s; allowed: one step"):
        fit_prior([demand(10.0), demand()], SETTINGS)


@pytest.mark.parametrize(
    ("windows", "step_s", "why"),
    [((0, 1), 60.0, r"windows \(0, 1, 5\); allowed: \(0, 1\)"), ((0, 1, 5), 10.0, "steps of 60 s")],
)
def test_other_windows_and_steps_are_refused(
    prior: Prior, windows: tuple[int, ...], step_s: float, why: str
) -> None:
    with pytest.raises(PermanentError, match=why):
        prior.model(windows=windows, step_s=step_s)


def with_tree(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """A change of the first tree, as whoever wants to have other memory read would make it."""

    def changed(arrays: dict[str, Any]) -> None:
        size = int(arrays["tree_bytes"][0, 0])
        booster = xgboost.Booster()
        booster.load_model(bytearray(arrays["trees"][:size].tobytes()))
        model = json.loads(bytes(booster.save_raw("json")))
        change(model["learner"])
        raw = np.frombuffer(json.dumps(model, separators=(",", ":")).encode(), dtype=np.uint8)
        arrays["trees"] = np.concatenate([raw, arrays["trees"][size:]])
        arrays["tree_bytes"] = arrays["tree_bytes"].copy()
        arrays["tree_bytes"][0, 0] = len(raw)

    return changed


def first_tree(learner: dict[str, Any]) -> dict[str, Any]:
    return learner["gradient_booster"]["model"]["trees"][0]  # type: ignore[no-any-return]


def far_child(learner: dict[str, Any]) -> None:
    first_tree(learner)["left_children"][0] = 10_000_000


def circle(learner: dict[str, Any]) -> None:
    first_tree(learner)["right_children"][0] = 0


def far_column(learner: dict[str, Any]) -> None:
    first_tree(learner)["split_indices"][0] = 1_000_000


def other_objective(learner: dict[str, Any]) -> None:
    learner["objective"] = {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda a: a.update(magic="something"), "magic is something"),
        (lambda a: a.update(version=0), "version is 0; allowed: a kn-ahead prior of version 1"),
        (lambda a: a.pop("trees"), "trees"),
        (lambda a: a.update(offset_0=a["offset_0"][1:]), "rows 0 do not fit"),
        (lambda a: a.update(outcome_0=a["outcome_0"].astype(np.int64)), "rows 0 are of other"),
        (lambda a: a.update(values_0=np.full_like(a["values_0"], np.inf)), "rows 0 hold a number"),
        (lambda a: a.update(step_s=np.array(-1.0)), "step_s is -1.0"),
        (lambda a: a.update(columns=a["columns"][:-1]), "trees ask for other columns"),
        (lambda a: a.update(columns=np.char.add(a["columns"], "x")), "asks for the column"),
        (lambda a: a.update(windows=np.array([1, 2, 5])), "expected ascending from 0"),
        (lambda a: a.update(trees=a["trees"][:-5]), "tree_bytes tells of"),
        (lambda a: a.update(trees=a["trees"][::-1].copy()), "not in XGBoost's format"),
        (with_tree(far_child), "a tree leads out of itself"),
        (with_tree(circle), "a tree leads out of itself"),
        (with_tree(far_column), "a tree leads out of itself"),
        (with_tree(other_objective), "reg:squarederror"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    path: Path, change: Callable[[dict[str, Any]], None], why: str
) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)
    with pytest.raises(PermanentError, match=why) as refused:
        load_prior(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_a_file_cut_short_is_refused(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(PermanentError, match="allowed: a kn-ahead prior of version 1"):
        load_prior(path)


def test_what_ships_is_small_described_and_answers_with_the_default_settings() -> None:
    assert SHIPPED.stat().st_size < 5 * 2**20
    assert SHIPPED.with_name("PRIOR.md").read_text().count("CC-BY 4.0")
    shipped = load_prior()
    assert set(shipped.boosting.columns_) <= set(column_names(WINDOWS))
    forecast = shipped.model(windows=WINDOWS, step_s=60.0).predict(demand(), np.array([0, 300]))
    assert not np.isnan(forecast.exceedance).any()
