"""Every answer says why: one sentence for each reason."""

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.state.decision import Reason, explain, reason_of, row_of
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active, Mode
from tests.autoscaler.core.stories import AT_WORK, BASE_S, answer, forecast, one

CALM = (30.0,) * 20
JUMP = (30.0,) * 20 + (900.0,) * 6
IDLE = (0.0,) * 20


def told(
    demand: tuple[float | None, ...],
    *,
    expected: float | None = None,
    seen: dict[str, Any] | None = None,
    **spec: Any,
) -> tuple[Reason, str]:
    """The reason and the sentence for a revision after such demand, with such a forecast."""
    revision = replace(KNATIVE_DEFAULTS, **{"mode": Mode.OUTWARD} | spec)
    story = one(revision, demand=demand, observed=replace(AT_WORK, **seen or {}))
    advice = None if expected is None else forecast([expected], now=story.now)
    decision = row_of(answer(story, advice), 0)
    return reason_of(decision), explain(decision)


def test_stable() -> None:
    assert told(CALM) == (
        Reason.STABLE,
        "1 pod: demand over the stable window averages 30 requests in flight.",
    )


def test_small_demand_is_rounded_and_has_its_unit() -> None:
    decision = row_of(answer(one(KNATIVE_DEFAULTS, demand=(0.0,) * 19 + (0.5,))), 0)
    for rps, said in ((False, "0.025 requests in flight"), (True, "0.025 requests a second")):
        assert f"stable window averages {said}." in explain(decision, rps=rps)


def test_panic() -> None:
    reason, sentence = told(JUMP)
    assert reason == Reason.PANIC
    assert (
        sentence
        == "13 pods: panicking, as demand over the panic window averages 900 requests in flight."
    )


def test_no_data() -> None:
    assert told(()) == (
        Reason.NO_DATA,
        "no decision: there is no statistic yet, so what is there stays.",
    )


def test_no_data_while_activating() -> None:
    reason, _ = told((), seen={"active": Active.UNKNOWN, "active_since_s": BASE_S - 5.0})
    assert reason == Reason.NO_DATA


def test_forecast() -> None:
    assert told(CALM, expected=450.0) == (
        Reason.FORECAST,
        "5 pods: the forecast finds 5 pods worth having (Knative alone: 1 pod).",
    )


def test_a_forecast_where_knative_holds() -> None:
    assert told((), expected=100.0) == (
        Reason.FORECAST,
        "1 pod: the forecast finds 1 pod worth having (Knative alone: no decision).",
    )


def test_delay() -> None:
    slow: dict[str, Any] = {
        "scale_down_delay_s": 60.0,
        "stable_window_s": 6,
        "panic_threshold": 10.0,
    }
    assert told((200.0,) * 10 + (0.0,) * 20, **slow) == (
        Reason.DELAY,
        "3 pods: scale-down delay keeps 3 pods.",
    )


def test_min_scale() -> None:
    assert told(CALM, min_scale=4) == (
        Reason.MIN_SCALE,
        "4 pods: the lower bound (min-scale or initial-scale) holds it up.",
    )


def test_max_scale() -> None:
    assert told(JUMP, max_scale=6) == (
        Reason.MAX_SCALE,
        "6 pods: max-scale holds it down from 13.",
    )


def test_max_scale_below_a_forecast() -> None:
    assert told(CALM, expected=900.0, max_scale=6) == (
        Reason.MAX_SCALE,
        "6 pods: max-scale holds it down from 9; the forecast would have 9 pods.",
    )


def test_last_pod() -> None:
    assert told(IDLE, seen={"active_since_s": BASE_S}) == (
        Reason.LAST_POD,
        "1 pod: the last pod stays until it is safe to go to zero.",
    )


def test_zero() -> None:
    assert told(IDLE) == (Reason.ZERO, "0 pods: no demand is seen.")


def test_zero_with_a_forecast_of_nothing() -> None:
    assert told(IDLE, expected=0.0) == (Reason.ZERO, "0 pods: no demand is seen and none forecast.")


def test_early() -> None:
    reason, sentence = told(CALM + (900.0,) * 8 + (30.0,) * 6, expected=100.0, mode=Mode.FULL)
    assert reason == Reason.EARLY
    assert sentence == "1 pod: the forecast expects no need for more (Knative alone: 13 pods)."


@pytest.mark.parametrize(("demand", "said"), [(0.008333, "0.0083"), (1.25, "1.2"), (123.4, "123")])
def test_demand_is_told_in_no_more_digits_than_say_something(demand: float, said: str) -> None:
    assert told((demand,) * 60)[1].endswith(f"averages {said} requests in flight.")


def test_a_shadowed_forecast_is_told_beside_the_answer() -> None:
    assert told(CALM, expected=450.0, mode=Mode.SHADOW) == (
        Reason.STABLE,
        "1 pod: demand over the stable window averages 30 requests in flight; the forecast would "
        "have 5 pods.",
    )


TIGHT: dict[str, Any] = {"max_extra": 0.2, "extra_allowance_s": 90.0}


def test_bill() -> None:
    assert told(CALM, expected=450.0, **TIGHT) == (
        Reason.BILL,
        "3 pods: the bill allows 2 of 4 pods ahead: 20 % of pods that Knative wants, credit 90 s, "
        "one more costs 37 s (Knative alone: 1 pod).",
    )


def test_a_bill_that_keeps_the_only_pod_from_starting_says_what_it_would_cost() -> None:
    assert told(IDLE, expected=50.0, **TIGHT | {"extra_allowance_s": 60.0}) == (
        Reason.BILL,
        "0 pods: the bill allows 0 of 1 pod ahead: 20 % of pods that Knative wants, credit 60 s, "
        "one more costs 127 s (Knative alone: 0 pods).",
    )


def test_a_bill_that_pays_for_all_is_no_reason() -> None:
    assert told(CALM, expected=450.0, max_extra=0.2)[0] == Reason.FORECAST


def test_in_shadow_the_bill_cuts_what_the_forecast_would_have() -> None:
    assert told(CALM, expected=450.0, mode=Mode.SHADOW, **TIGHT) == (
        Reason.STABLE,
        "1 pod: demand over the stable window averages 30 requests in flight; the forecast would "
        "have 5 pods, but the bill allows 2 of 4 pods ahead: 20 % of pods that Knative wants, "
        "credit 90 s, one more costs 37 s.",
    )
