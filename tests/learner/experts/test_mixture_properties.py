"""Laws of the mixture: what a model that goes wrong may cost, and how soon it loses its say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learner.experts.mixture import HALF_LIFE_S, Mixture
from learner.models import Forecast
from tests.examples import examples
from tests.learner.state.oracle import demand_of

LAW = settings(max_examples=examples(30, many=1000), derandomize=True, deadline=None)
WINDOWS = (0, 1, 5)
STEP_S = 1800.0
HALF_LIFE = int(HALF_LIFE_S / STEP_S)  # steps
SERVICE = "shop/service-000"
Model = float  # says the same of every window


def said(mixture: Mixture, need: list[float], models: list[Model]) -> float:
    """What is mixed of the first window after so many steps."""
    demand = demand_of(np.array([need]), step_s=STEP_S)
    forecasts = [
        Forecast(
            demand_edges=np.array([[0.0, 1.0]]),
            exceedance=np.full((1, 1, len(WINDOWS) - 1, 1), model, dtype=np.float32),
            reason=("",),
        )
        for model in models
    ]
    return float(mixture.mixed(demand, np.array([len(need)]), forecasts).exceedance[0, 0, 0, 0])


@LAW
@given(
    models=st.lists(st.floats(0.001, 0.999), min_size=2, max_size=4),
    data=st.data(),
)
def test_it_never_loses_more_than_the_experts_do_as_much_as_each_counts(
    models: list[Model], data: st.DataObject
) -> None:
    """In log loss, whatever comes: an expert costs at most its own loss, times its weight."""
    gain = data.draw(st.lists(st.floats(-9, 9), min_size=len(models), max_size=len(models)))
    mixture = Mixture(len(models), WINDOWS)
    known = np.repeat(np.array(gain, dtype=np.float32)[:, None, None], len(WINDOWS) - 1, axis=2)
    mixture.resume(mixture.arrays() | {"weighed_services": np.array([SERVICE]), "gain": known})
    weight = mixture.weights((SERVICE,))[:, 0, 0]
    mixed = said(mixture, [1.0], models)
    for given_, each in ((mixed, np.array(models)), (1 - mixed, 1 - np.array(models))):
        assert -np.log(given_) <= (weight * -np.log(each)).sum() + 1e-3


def until_half(mixture: Mixture, need: list[float], came: float, model: int) -> int:
    """Steps of the same outcome until a model counts for less than half; ``need`` grows."""
    for steps in range(10 * HALF_LIFE):
        if mixture.weights((SERVICE,))[model, 0, 0] < 0.5:
            return steps
        need.append(came)
        said(mixture, need, [0.9, 0.1])
    raise AssertionError("it never loses its say")


@pytest.mark.parametrize("right_for", [HALF_LIFE, 20 * HALF_LIFE])
def test_a_model_loses_its_say_in_half_a_day_however_long_it_was_right(right_for: int) -> None:
    """And comes back as soon, once it is right again and the other one is wrong."""
    mixture, need = Mixture(2, WINDOWS), list[float]()
    for _ in range(right_for):
        need.append(1.0)
        said(mixture, need, [0.9, 0.1])
    assert mixture.weights((SERVICE,))[0, 0, 0] > 0.99
    assert until_half(mixture, need, 0.0, model=0) <= 1.1 * HALF_LIFE
    for _ in range(HALF_LIFE):
        need.append(0.0)
        said(mixture, need, [0.9, 0.1])
    assert mixture.weights((SERVICE,))[0, 0, 0] < 0.01
    assert until_half(mixture, need, 1.0, model=1) <= 1.1 * HALF_LIFE
