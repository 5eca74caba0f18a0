"""What a min-scale buys and costs, by replays whose outcome can be told."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from benchmarks.policies.policies import KPA, revision
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.scores.score import PolicyScore
from benchmarks.simulator.settings import Configured
from benchmarks.traces.trace import Trace
from benchmarks.whatif.cluster import OwnSettings
from benchmarks.whatif.floor_answer import PREDICTS, FloorAnswer
from benchmarks.whatif.floors import Floor, Outcome, Plan, changed, floors_of
from benchmarks.whatif.money import Money
from benchmarks.whatif.prices import EXAMPLE, Prices
from learner.settings import LearnerSettings

STEPS, LEARNED = 240, 120
SERVICES = ("shop/cart", "shop/login", "shop/silent", "shop/none")
FLOORS = (4, 1, 1, 0)
PREFIX = "autoscaling.knative.dev/"


@pytest.fixture(scope="module")
def replay() -> Replay:
    """A call every four minutes, or every half hour; one that stopped before; one without floor."""
    counts = np.zeros((4, STEPS))
    counts[0, ::4] = 1
    counts[1, 15::30] = 1
    counts[2, : LEARNED - 30 : 10] = 1
    counts[3, ::20] = 1
    base = replace(revision(0, 5.0, 30.0), retention_s=60.0)
    revisions = [replace(base, min_scale=floor) for floor in FLOORS]
    made = Replay(
        Trace(
            services=SERVICES, start_s=86_400.0, step_s=60.0, counts=counts,
            duration_s=np.full((4, STEPS), 0.5), kind="counts",
        ),
        ReplaySettings(
            fit_until_s=86_400.0 + LEARNED * 60.0,
            learner=LearnerSettings(max_rows=1000, rounds=5, windows=(0, 1, 2)),
        ),
        Configured.of(revisions, [0] * 4),
    )  # fmt: skip
    made.fit()
    return made


@pytest.fixture(scope="module")
def scores(replay: Replay) -> Sequence[PolicyScore]:
    """Of the replay itself."""
    return replay.run()


@pytest.fixture(scope="module")
def floors(replay: Replay) -> dict[str, Floor]:
    return {floor.service: floor for floor in floors_of(replay, lambda *_: None)}


def test_services_with_a_min_scale_are_answered_and_no_others(floors: dict[str, Floor]) -> None:
    assert {name: floor.min_scale for name, floor in floors.items()} == dict(
        zip(SERVICES[:3], FLOORS, strict=False)
    )


def test_a_min_scale_spares_the_cold_requests_that_there_would_be(floors: dict[str, Floor]) -> None:
    cart = floors["shop/cart"]
    hours = (STEPS - LEARNED - 10) / 60  # less ten minutes of warm-up
    assert cart.now.cold == 0
    assert cart.without.cold == cart.spared == cart.requests > 20
    assert cart.now.pod_s / 3600 == pytest.approx(4 * hours)
    assert cart.cost_s == cart.now.pod_s - cart.without.pod_s > 0


def test_as_it_is_a_service_fares_as_in_the_replay_itself(
    scores: Sequence[PolicyScore], floors: dict[str, Floor]
) -> None:
    knative = next(score for score in scores if score.policy == KPA)
    for score in knative.services[:3]:
        floor = floors[score.service]
        assert floor.now == Outcome(cold=score.cold_requests, pod_s=score.allocated_pod_s)
        assert floor.requests == score.requests


def test_the_cheapest_plan_that_is_as_warm_is_found(floors: dict[str, Floor]) -> None:
    """Who is called every four minutes needs one pod, for which min-scale and a retention do."""
    better = floors["shop/cart"].better
    assert better is not None
    assert better.outcome.cold == 0
    assert better.outcome.pod_s <= floors["shop/cart"].now.pod_s / 3.9
    assert better.annotations


def test_nothing_is_said_of_who_was_not_called(floors: dict[str, Floor]) -> None:
    assert floors["shop/silent"].better is None
    assert floors["shop/silent"].now.pod_s > 0


@pytest.mark.parametrize(
    ("changes", "annotations"),
    [
        ({}, {}),
        ({"min_scale": 1}, {f"{PREFIX}min-scale": "1"}),
        (
            {"min_scale": 0, "retention_s": 600.0},
            {
                f"{PREFIX}min-scale": "0",
                f"{PREFIX}scale-to-zero-pod-retention-period": "600s",
            },
        ),
        (
            {"mode": Mode.FULL, "cold_price_s": 6_000_000.0},
            {"kn-ahead.dev/mode": "full", "kn-ahead.dev/cold-price": "6000000s"},
        ),
        (
            {"mode": Mode.FULL, "cold_price_s": 20 / 3},
            {"kn-ahead.dev/mode": "full", "kn-ahead.dev/cold-price": "6.667s"},
        ),
    ],
)
def test_annotations_say_what_differs_and_nothing_else(
    changes: dict[str, object], annotations: dict[str, str]
) -> None:
    before = replace(KNATIVE_DEFAULTS, min_scale=2, mode=Mode.OFF)
    assert changed(before, replace(before, **changes)) == annotations  # type: ignore[arg-type]


def test_a_kubeconfig_that_was_named_is_named_to_kubectl() -> None:
    own = replace(OWN, kubeconfig=Path("/etc/my config"))
    (_, command), *_ = replace(answer(FLOOR), own=own).commands()
    assert command.startswith("kubectl --kubeconfig '/etc/my config' --context prod --namespace ")


# --- in words -------------------------------------------------------------------------------------

PLAN = Plan(
    name="min-scale 1",
    annotations={f"{PREFIX}min-scale": "1"},
    outcome=Outcome(cold=3, pod_s=7200.0),
    forecasts=False,
)
FLOOR = Floor(
    service="shop/cart",
    row=1,
    min_scale=2,
    requests=100,
    now=Outcome(cold=3, pod_s=36_000.0),
    without=Outcome(cold=50, pod_s=3600.0),
    better=PLAN,
)
OWN = OwnSettings(
    context="prod",
    kubeconfig=None,
    configured=Configured(revision=revision(0, 5.0, 30.0), concurrency=0),
    cpu=np.array([np.nan, 0.1]),
    memory_gib=np.array([np.nan, 0.0]),
    said=(),
    uncalled={},
)
PREDICTED = replace(PLAN, name="kn-ahead", forecasts=True)


def answer(*floors: Floor, money: Money | None = None) -> FloorAnswer:
    return FloorAnswer(floors=floors, own=OWN, days=2.0, money=money)


def money() -> Money:
    """0.1 EUR for a pod of the second service; of the first it is not known."""
    return Money.of(Prices(cpu_hour=1.0, gib_hour=1.0, currency="EUR"), OWN, days=2.0)


def test_the_answer_says_what_is_spared_and_what_would_be_as_warm_for_less() -> None:
    assert answer(FLOOR, replace(FLOOR, better=None)).said() == [
        "2 services have a min-scale. In 2.0 days that spares 94 cold requests, for 18.0 pod-hours"
        " more than without.",
        "1 of them would have had no more cold requests for 8.0 pod-hours less. That held in these"
        " 2.0 days: watch the first days after a change.",
    ]
    assert answer(FLOOR, money=money()).table().rows == (
        ("shop/cart", "2", "47", "9.0", "min-scale 1", "3", "3", "10.0", "2.0", "12.00"),
    )


@pytest.mark.parametrize(
    ("found", "part"),
    [
        (answer(), "No service that was called has a min-scale."),
        (answer(replace(FLOOR, better=None)), "Nothing that was tried is as warm for less."),
        (answer(replace(FLOOR, better=PREDICTED)), PREDICTS),
        (answer(FLOOR, money=money()), "8.0 pod-hours less, 12.00 EUR a month."),
    ],
)
def test_what_the_answer_depends_on_is_said(found: FloorAnswer, part: str) -> None:
    assert any(part in line for line in found.said())


def test_services_that_nobody_called_are_named_with_their_min_scale() -> None:
    uncalled = {"shop/old": 2, **{f"shop/{i}": 1 for i in range(10)}}
    found = FloorAnswer(floors=(), own=replace(OWN, uncalled=uncalled), days=0.0, money=None)
    none, others = found.said()
    assert none == "No service that was called has a min-scale."
    assert others.startswith(
        "A min-scale, and not one request in all the time that was read: shop/old (2), shop/0 (1), "
    )
    assert others.endswith("shop/8 (1) and 1 more.")
    assert found.as_json()["not_called"][0] == {"service": "shop/old", "min_scale": 2}


def test_the_command_sets_annotations_of_the_service_s_template() -> None:
    ((service, command),) = answer(FLOOR, replace(FLOOR, better=None)).commands()
    *words, patch = shlex.split(command)
    assert service == "shop/cart"
    assert words == shlex.split(
        "kubectl --context prod --namespace shop patch services.serving.knative.dev cart"
        " --type merge --patch"
    )
    assert json.loads(patch) == {
        "spec": {"template": {"metadata": {"annotations": {f"{PREFIX}min-scale": "1"}}}}
    }


def test_programs_get_plain_values() -> None:
    found = answer(FLOOR, replace(FLOOR, row=0), replace(FLOOR, better=None), money=money())
    one, unknown, none = json.loads(json.dumps(found.as_json()))["services"]
    assert one["better"]["pod_hours"] == 2.0
    assert one["better"]["saved_a_month"] == pytest.approx(8.0 * 0.1 * 15)
    assert unknown["better"]["saved_a_month"] == 0.0
    assert none["better"] is None
    assert (none["cold"], none["cold_without"], none["pod_hours_without"]) == (3, 50, 1.0)


def test_policies_cost_what_their_pods_request_and_what_is_not_known_is_said(
    scores: Sequence[PolicyScore],
) -> None:
    cpu, memory = np.array([1.0, 0.0, np.nan, 2.0]), np.array([0.0, 0.0, np.nan, 1.0])
    prices = Prices(cpu_hour=0.5, gib_hour=0.25, currency="EUR")
    costs = Money.of(prices, replace(OWN, cpu=cpu, memory_gib=memory), days=3.0)
    knative = next(score for score in scores if score.policy == KPA)
    hours = [each.allocated_pod_s / 3600 for each in knative.services]
    expected = 0.5 * hours[0] + 1.25 * hours[3]
    name, cold, cost, a_month, against = costs.section(scores).rows[0]
    assert (name, cold, against) == (KPA, f"{knative.total.cold_requests:,}", "+0%")
    assert (cost, a_month) == (f"{expected:,.2f}", f"{10 * expected:,.2f}")
    assert costs.said() == (
        "Pods cost 0.5 EUR an hour for each core that they request, and 0.25 for each GiB; what"
        " pods request is not known of 1 of 4 services, which are not counted; pods of 1 of 4"
        " services request nothing that costs."
    )
    assert costs.as_json(scores)["policies"][KPA] == pytest.approx(expected)


def test_example_prices_are_called_so_wherever_they_are_used(
    scores: Sequence[PolicyScore],
) -> None:
    costs = Money.of(EXAMPLE, replace(OWN, cpu=np.ones(4), memory_gib=np.ones(4)), days=2.0)
    assert costs.said().startswith("Example prices (set your own with --prices FILE): pods cost ")
    assert costs.section(scores).title == "Cost in USD at example prices"
    assert costs.as_json(scores)["example"]
    found = answer(FLOOR, money=costs)
    assert "USD a month at example prices" in "\n".join(found.said())
    assert found.as_json()["prices"]["example"]
