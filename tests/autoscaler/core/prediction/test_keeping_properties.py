"""Laws of starting and keeping: pods follow from what each choice costs, and do not flap."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.prediction.advice import Advice
from autoscaler.core.prediction.forecasts import ForecastBundle, demand_at
from autoscaler.core.prediction.predictive import TICK_S, PodCosts, pods_ahead, read_at_price
from autoscaler.core.state.fleet import ALL, Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from autoscaler.core.types import FloatArray
from tests.autoscaler.core.stories import AT_WORK, LAW, answer, one

NOW_S = 1_700_000_000.0
LASTS_S = 60.0  # of a window in which a need is sure
EDGES_S = np.array([0.0, 20.0, 60.0, 360.0])
seconds = st.sampled_from([0.0, 1.0, 5.0, 30.0, 90.0])
prices = st.sampled_from([0.0, 20.0, 600.0]) | st.floats(0.0, 5000.0)


def bundle(exceedance: FloatArray, *, made_at_s: float = NOW_S) -> ForecastBundle:
    """One service; a pod takes one request, and cell k is the k-th pod. (n_windows, n_cells)."""
    n_windows, n_cells = exceedance.shape
    return ForecastBundle(
        services=("shop/cart",),
        made_at_s=made_at_s,
        fitted_at_s=made_at_s,
        window_edges_s=EDGES_S[: n_windows + 1],
        demand_edges=np.arange(n_cells + 1, dtype=np.float64)[None],
        exceedance=exceedance[None],
        model=("made",),
        reason=("",),
    )


@st.composite
def curves(draw: st.DrawFn) -> FloatArray:
    """(3, 4) falling in each window."""
    steps = st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4)
    return -np.sort(-np.array([draw(steps) for _ in range(3)]), axis=1)


def costs_of(spec: dict[str, float]) -> PodCosts:
    return PodCosts(
        first_s=np.array([spec["cold_price_s"]]),
        further_s=np.array([spec["cold_price_s"]]),
        capacity=np.ones(1),
        lead_s=np.array([spec["lead_s"]]),
        drain_s=np.array([spec["drain_s"]]),
    )


def pods(exceedance: FloatArray, *, standing: int, after_s: float = 0.0, **spec: float) -> int:
    fleet, settings = Fleet(), {"pod_capacity": 1.0} | spec
    fleet.add({"shop/cart": replace(KNATIVE_DEFAULTS, **settings)}, now=NOW_S)  # type: ignore[arg-type]
    advice = read_at_price(bundle(exceedance), np.array([0]), costs_of(spec), layout=1)
    now, replicas = np.array([NOW_S + after_s]), np.array([standing])
    return int(pods_ahead(advice, ALL, fleet.spec, replicas, now)[0])


revisions = st.fixed_dictionaries({"cold_price_s": prices, "lead_s": seconds, "drain_s": seconds})


@LAW
@given(exceedance=curves(), spec=revisions)
def test_what_is_worth_starting_is_worth_keeping(
    exceedance: FloatArray, spec: dict[str, float]
) -> None:
    advice = read_at_price(bundle(exceedance), np.array([0]), costs_of(spec), layout=1)
    assert (advice.worth_keeping >= advice.worth_starting).all()


@LAW
@given(exceedance=curves(), spec=revisions, standing=st.integers(0, 5), after_s=st.floats(0, 359))
def test_pods_lie_between_those_of_none_and_of_all_standing(
    exceedance: FloatArray, spec: dict[str, float], standing: int, after_s: float
) -> None:
    none, some, more = (
        pods(exceedance, standing=n, after_s=after_s, **spec) for n in (0, standing, standing + 1)
    )
    assert none <= some <= max(none, standing)
    assert some <= more


@LAW
@given(exceedance=curves(), spec=revisions, standing=st.integers(0, 5), after_s=st.floats(0, 350))
def test_what_was_started_is_kept_at_the_next_tick(
    exceedance: FloatArray, spec: dict[str, float], standing: int, after_s: float
) -> None:
    first = pods(exceedance, standing=standing, after_s=after_s, **spec)
    same_window = not ((after_s < EDGES_S) & (after_s + TICK_S >= EDGES_S)).any()
    again = pods(exceedance, standing=first, after_s=after_s + TICK_S, **spec)
    assert again >= first or not same_window


@LAW
@given(exceedance=curves(), price_s=prices, standing=st.integers(0, 5), after_s=st.floats(0, 359))
def test_without_lead_and_drain_it_is_the_newsvendor_quantile(
    exceedance: FloatArray, price_s: float, standing: int, after_s: float
) -> None:
    hold_s, made = np.diff(EDGES_S), bundle(exceedance)
    demand = demand_at(made.exceedance, made.demand_edges, hold_s / (hold_s + price_s))[0]
    due = (EDGES_S[:-1] < after_s + TICK_S) & (EDGES_S[1:] > after_s)
    ends = {"lead_s": 0.0, "drain_s": 0.0}
    ours = pods(exceedance, standing=standing, after_s=after_s, cold_price_s=price_s, **ends)
    assert ours == demand[due].max()


@LAW
@given(p=st.floats(0.0, 1.0), spec=revisions, hold_s=st.sampled_from([20.0, 60.0]))
def test_the_cheapest_choice_is_taken(p: float, spec: dict[str, float], hold_s: float) -> None:
    """For the window in force: the three costs, written down as they are."""
    missing_s, lead_s, drain_s = (spec[name] for name in ("cold_price_s", "lead_s", "drain_s"))
    made = replace(bundle(np.array([[p]])), window_edges_s=np.array([0.0, hold_s]))
    advice = read_at_price(made, np.array([0]), costs_of(spec), layout=1)
    on_request = p * (missing_s + lead_s + drain_s)
    start, keep = lead_s + (1 - p) * hold_s + drain_s, (1 - p) * hold_s + drain_s
    if abs(start - on_request) > 1e-9:
        assert advice.worth_starting[0, 0] == (start < on_request)
    if abs(keep - (on_request + drain_s)) > 1e-9:
        assert advice.worth_keeping[0, 0] == (keep < on_request + drain_s)


def sure_need(*, in_s: float) -> Advice:
    """One pod will be needed, for certain, in a window so many s after the tick looked at."""
    story = one()
    made = replace(
        bundle(np.array([[0.0], [1.0]]), made_at_s=story.now - 10.0),
        window_edges_s=np.array([0.0, 10.0 + in_s, 10.0 + in_s + LASTS_S]),
    )
    costs = costs_of({"cold_price_s": 600.0, "lead_s": 0.0, "drain_s": 0.0})
    return read_at_price(made, np.array([0]), costs, layout=1)


@LAW
@given(in_s=st.integers(1, 200).map(float), lead_s=seconds, drain_s=seconds, stands=st.booleans())
def test_a_sure_need_keeps_a_pod_until_lead_and_drain_are_over(
    in_s: float, lead_s: float, drain_s: float, stands: bool
) -> None:
    costs: dict[str, Any] = {"lead_s": lead_s, "drain_s": drain_s, "cold_price_s": 600.0}
    revision = replace(KNATIVE_DEFAULTS, mode=Mode.FULL, pod_capacity=1.0, **costs)
    observed = replace(AT_WORK, ready=int(stands), replicas=int(stands))
    story = one(revision, demand=(0.0,), observed=observed)
    decision = answer(story, sure_need(in_s=in_s))
    due = in_s < lead_s + TICK_S
    assert decision.kpa[0] == 0
    assert decision.desired[0] == (due or (stands and in_s + LASTS_S / 2 < lead_s + drain_s))
