"""Laws of more: more demand, a higher price or a likelier forecast is never fewer pods."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.decider import decide
from autoscaler.core.prediction.advice import Advice
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.prediction.predictive import PodCosts, read_at_price
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray
from tests.autoscaler.core.stories import (
    LAW,
    Story,
    advices,
    answer,
    column,
    eighths,
    sample,
    stories,
    tell,
)


@LAW
@given(data=st.data(), story=stories(), more=eighths(60))
def test_more_demand_is_never_fewer_pods(data: st.DataObject, story: Story, more: float) -> None:
    advice = data.draw(advices(story))
    less_demand, more_demand = tell(story), tell(story)
    for fleet, load in ((less_demand, 0.0), (more_demand, more)):
        sample(fleet, [load] * len(fleet), int(story.now))
    less = decide(less_demand, advice, now=story.now).decision
    ours = decide(more_demand, advice, now=story.now).decision
    assert (ours.kpa >= less.kpa).all()
    assert (ours.desired >= less.desired).all()
    assert (ours.want >= less.want).all()


@LAW
@given(data=st.data(), story=stories(), more=st.floats(0.0, 60.0))
def test_more_forecast_is_never_fewer_pods(data: st.DataObject, story: Story, more: float) -> None:
    advice = data.draw(advices(story))
    raised = replace(
        advice,
        worth_starting=advice.worth_starting + more * data.draw(st.booleans()),
        worth_keeping=advice.worth_keeping + more,
    )
    less, ours = answer(story, advice), answer(story, raised)
    assert (ours.desired >= less.desired).all()
    assert (ours.want >= less.want).all()


@st.composite
def curves(draw: st.DrawFn, story: Story) -> ForecastBundle:
    """A bundle of one service per row, made at the story's end."""
    n, n_windows, n_cells = len(story.lives), 2, 4
    steps = st.lists(st.floats(0.0, 1.0), min_size=n_cells, max_size=n_cells)
    rows = [sorted(draw(steps), reverse=True) for _ in range(n * n_windows)]
    return ForecastBundle(
        services=tuple(f"shop/s{i}" for i in range(n)),
        made_at_s=story.now,
        fitted_at_s=story.now,
        window_edges_s=np.array([0.0, 60.0, 300.0]),
        demand_edges=np.tile([0.0, 1.0, 2.0, 5.0, 40.0], (n, 1)),
        exceedance=np.array(rows).reshape(n, n_windows, n_cells),
        model=("made",) * n,
        reason=("",) * n,
    )


def priced(story: Story, bundle: ForecastBundle, price: FloatArray) -> Advice:
    lead_s, drain_s = column(story, "lead_s"), column(story, "drain_s")
    costs = PodCosts(
        first_s=price,
        further_s=price / 2.0,
        lead_s=lead_s,
        drain_s=drain_s,
        capacity=column(story, "pod_capacity"),
    )
    return read_at_price(bundle, np.arange(len(bundle.services)), costs, layout=1)


@LAW
@given(data=st.data(), story=stories(mode=Mode.OUTWARD), dearer=st.floats(0.0, 5000.0))
def test_a_higher_price_is_never_fewer_pods(
    data: st.DataObject, story: Story, dearer: float
) -> None:
    bundle, price = data.draw(curves(story)), column(story, "cold_price_s")
    less = answer(story, priced(story, bundle, price))
    ours = answer(story, priced(story, bundle, np.array([p + dearer for p in price])))
    assert (ours.predicted >= less.predicted).all()
    assert (ours.want >= less.want).all()


@LAW
@given(data=st.data(), story=stories(), likelier=st.floats(0.0, 1.0))
def test_a_higher_exceedance_is_never_fewer_pods(
    data: st.DataObject, story: Story, likelier: float
) -> None:
    bundle, price = data.draw(curves(story)), column(story, "cold_price_s")
    raised = replace(bundle, exceedance=np.minimum(bundle.exceedance + likelier, 1.0))
    less, ours = (answer(story, priced(story, b, price)) for b in (bundle, raised))
    assert (ours.predicted >= less.predicted).all()
    assert (ours.want >= less.want).all()
