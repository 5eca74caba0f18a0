"""The learner forecasts every service, and gives a reason where it does not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import pytest

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import IntArray
from learner.demand import Demand, Steps
from learner.engine import NOTHING_SEEN, Learner, mixed, pooled
from learner.models import RECENT_STEPS, Forecast, Model
from learner.models.known_rows import KnownRows, known_rows
from learner.settings import LearnerSettings

WINDOWS = (0, 1, 2, 5)
SETTINGS = LearnerSettings(windows=WINDOWS, max_rows=20_000, rounds=15)
QUICK = LearnerSettings(
    windows=(0, 1), max_rows=2_000, rounds=3
)  # where forecasts need not be good
N_STEPS = 800


def demand_of(peak: Steps) -> Demand:
    return Demand(
        services=tuple(f"shop/service-{row}" for row in range(len(peak))),
        start_s=1_700_000_000.0,
        step_s=60.0,
        arrivals=peak,
        peak=peak,
        capacity=np.ones(len(peak)),
    )


def shop() -> Demand:
    """A timer that only its period gives away, two random callers, one that is never called."""
    random = np.random.default_rng(11)
    step = np.arange(N_STEPS)
    timer = (step % 37 == 5) * 3.0
    return demand_of(
        np.stack(
            [
                timer,
                (random.random(N_STEPS) < 0.1) * 1.0,
                random.poisson(2.0, N_STEPS) * 1.0,
                np.zeros(N_STEPS),
            ]
        )
    )


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner(SETTINGS).fit(shop())


def test_pods_of_a_timer_are_expected_when_it_is_due_and_not_before(learner: Learner) -> None:
    due = 5 + 37 * 20
    exceedance = learner.predict(shop(), np.array([due - 3, due])).exceedance[0, :, 0]
    assert (exceedance[1, :3] > 0.5).all()
    assert exceedance[0, 0] < 0.2


def test_a_service_never_seen_gets_an_answer_from_the_pool(learner: Learner) -> None:
    unseen = replace(shop().until(30), services=("new/a", "new/b", "new/c", "new/d"))
    bundle = learner.bundle(unseen)
    assert set(bundle.model) == {"pooled 70 %, recency 30 %"}
    assert set(bundle.reason) == {""}
    assert not np.isnan(bundle.exceedance).any()


def test_the_bundle_stands_at_the_end_of_the_demand(learner: Learner) -> None:
    later = shop()
    bundle = learner.bundle(later)
    assert bundle.made_at_s == later.end_s == bundle.fitted_at_s
    assert bundle.window_edges_s.tolist() == [0, 60, 120, 300]
    assert bundle.demand_edges.shape[1] == bundle.exceedance.shape[2] + 1
    assert (np.diff(bundle.exceedance, axis=2) <= 0).all()


def test_the_bundle_holds_what_predict_returns(learner: Learner) -> None:
    forecast = learner.predict(shop(), np.array([N_STEPS]))
    bundle = learner.bundle(shop())
    np.testing.assert_array_equal(bundle.exceedance, forecast.exceedance[:, 0])


def test_what_comes_after_the_origin_changes_nothing(learner: Learner) -> None:
    changed = shop().peak.copy()
    changed[:, 600:] = 1.0
    then = learner.predict(shop(), np.array([600])).exceedance
    now = learner.predict(demand_of(changed), np.array([600])).exceedance
    width = min(then.shape[3], now.shape[3])
    np.testing.assert_array_equal(then[..., :width], now[..., :width])


@pytest.mark.parametrize("n_steps", [1, 2, 40])
def test_a_short_past_is_enough_for_a_forecast(n_steps: int) -> None:
    short = shop().until(n_steps)
    bundle = Learner(SETTINGS).fit(short).bundle(short)
    assert bundle.reason == ("",) * 4
    assert not np.isnan(bundle.exceedance).any()


@pytest.mark.parametrize("n_steps", [0, 300])
def test_a_past_of_gaps_only_is_a_reason_and_no_error(n_steps: int) -> None:
    blank = demand_of(np.full((2, n_steps), np.nan))
    bundle = Learner(SETTINGS).fit(blank).bundle(blank)
    assert bundle.reason == (NOTHING_SEEN,) * 2
    assert bundle.model == ("",) * 2
    assert np.isnan(bundle.exceedance).all()


def test_a_search_for_dependencies_that_fails_costs_no_forecast(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(demand: Demand) -> Edges:
        raise ZeroDivisionError

    monkeypatch.setattr("learner.engine.edges_in_counts", fail)
    learner = Learner(QUICK).fit(shop())
    assert learner.edges_ is None
    assert set(learner.bundle(shop()).reason) == {""}
    assert "the search for dependencies in counts failed" in caplog.text


def test_progress_ends_at_one_and_never_turns_back() -> None:
    reported: list[tuple[str, float]] = []
    Learner(QUICK).fit(
        shop().until(200), progress=lambda what, share: reported.append((what, share))
    )
    shares = [share for _, share in reported]
    assert shares == sorted(shares)
    assert reported[-1] == ("fitted", 1.0)


class Frail:
    """A model that fails with the services given, and otherwise answers as another does."""

    def __init__(self, model: Model, when: str, *services: str) -> None:
        self.name, self.windows = model.name, model.windows
        self.model, self.when, self.services = model, when, services

    def fail(self, when: str, demand: Demand) -> None:
        for service in self.services:
            if when == self.when and service in demand.services:
                raise ZeroDivisionError("frail")

    def fit(self, demand: Demand, edges: Edges | None = None) -> Self:
        self.fail("fit", demand)
        self.model.fit(demand, edges)
        return self

    def predict(
        self, demand: Demand, origins: IntArray, known: KnownRows | None = None
    ) -> Forecast:
        self.fail("predict", demand)
        return self.model.predict(demand, origins, known)

    def followed(self, services: Sequence[str]) -> set[str]:
        return self.model.followed(services)


def frail(when: str, *services: str) -> Callable[[LearnerSettings], Model]:
    """The model, but frail."""
    return lambda settings: Frail(pooled(settings), when, *services)


BAD = "shop/service-2"


@pytest.mark.parametrize("when", ["fit", "predict"])
def test_a_service_that_makes_the_model_fail_is_published_with_a_reason(
    when: str, caplog: pytest.LogCaptureFixture
) -> None:
    learner = Learner(QUICK, frail(when, BAD)).fit(shop())
    bundle = learner.bundle(shop())
    assert bundle.services == shop().services
    assert bundle.reason == ("", "", "quarantined: ZeroDivisionError('frail')", "")
    assert bundle.model[2] == ""
    assert np.isnan(bundle.exceedance[2]).all()
    assert not np.isnan(bundle.exceedance[[0, 1, 3]]).any()
    left_out = [record for record in caplog.records if "left out" in record.message]
    assert [record.message for record in left_out] == [f"service left out service={BAD}"]
    assert left_out[0].exc_info
    learner.bundle(shop())  # not searched for again until the models are fitted anew
    assert len([record for record in caplog.records if "left out" in record.message]) == 1


def test_an_excluded_service_is_tried_again_when_models_are_fitted_anew() -> None:
    learner = Learner(QUICK, frail("predict", BAD)).fit(shop())
    assert learner.bundle(shop()).reason[2]
    renamed = replace(shop(), services=("shop/a", "shop/b", "shop/c", "shop/d"))
    assert set(learner.fit(renamed).bundle(renamed).reason) == {""}


def test_what_fails_with_all_services_is_raised() -> None:
    with pytest.raises(ZeroDivisionError, match="frail"):
        Learner(QUICK, frail("fit", *shop().services)).fit(shop())
    learner = Learner(QUICK, frail("predict", *shop().services)).fit(shop())
    with pytest.raises(ZeroDivisionError, match="frail"):
        learner.bundle(shop())


def test_where_rows_are_known_models_are_asked_of_the_last_steps_and_say_the_same() -> None:
    origin, asked = np.array([N_STEPS]), []

    class Watched(Frail):
        def predict(
            self, demand: Demand, origins: IntArray, known: KnownRows | None = None
        ) -> Forecast:
            asked.append(demand.n_steps)
            return super().predict(demand, origins, known)

    learner = Learner(QUICK, lambda settings: Watched(mixed(settings), "predict", BAD)).fit(shop())
    of_all = learner.predict(shop(), origin)
    known = known_rows(shop(), origin, QUICK.windows)
    found = learner.predict(shop(), origin, known)
    np.testing.assert_array_equal(found.exceedance, of_all.exceedance)
    assert found.reason == of_all.reason == ("", "", "quarantined: ZeroDivisionError('frail')", "")
    assert asked[-1] == RECENT_STEPS < asked[0] == N_STEPS
