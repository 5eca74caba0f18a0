"""The law of isolation: whatever one service is or does, all others are decided as before.

Two controllers live through the same lives, over the whole path: events, decisions, snapshots, the
advisor's graph and advice, plans. In the second, one service (or all of a namespace) is another:
its statistics, pods, annotations of any text, forecast, edges. All that is decided and planned for
everybody else is the same, but along edges that both sides know: the downstream names its upstream,
and in another namespace the upstream consents.
"""

import tempfile
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autoscaler.annotations import COLD_PRICE, DOWNSTREAM_NAMESPACES, MAX_EXTRA, MODE, UPSTREAMS
from autoscaler.core.prediction.dependencies import Edges
from knative.mirror.annotation_names import CLASS, NAME_OF
from tests.autoscaler.advisor.graphs import edges_of
from tests.autoscaler.core.stories import LAW, eighths
from tests.examples import examples
from tests.knative.controller.tenants import Life, Lives, Pair, Turn, downstream_of, run

SERVICES = ("shop/a", "shop/b", "shop/c", "bank/x", "bank/y")
TURNS = 6
MANY = settings(LAW, max_examples=examples(25, many=1000))

# --- lives ----------------------------------------------------------------------------------------

words = st.sampled_from(["a", "b", "c", "x", "y", "shop/a", "shop/c", "bank/x", "bank/y", ""])
known = {
    MODE: st.sampled_from(["outward", "outward", "full", "shadow", "off"]),
    COLD_PRICE: st.sampled_from(["10m", "2h", "0s"]),
    MAX_EXTRA: st.sampled_from(["0%", "20%"]),
    UPSTREAMS: st.lists(words, max_size=2).map(",".join),
    DOWNSTREAM_NAMESPACES: st.sampled_from(["", "", "shop", "bank,shop", "*"]),
    "autoscaling.knative.dev/window": st.sampled_from(["6s", "30s", "2m"]),
    "autoscaling.knative.dev/min-scale": st.sampled_from(["0", "0", "2"]),
    "autoscaling.knative.dev/target-burst-capacity": st.sampled_from(["-1", "0", "200"]),
}
settings_of_one = st.fixed_dictionaries(
    {MODE: known.pop(MODE), UPSTREAMS: known.pop(UPSTREAMS)}, optional=known
)
turns = st.lists(
    st.builds(
        Turn,
        load=st.none() | eighths(30) | st.just(0.0),
        pods=st.integers(0, 4),
        there=st.sampled_from([True, True, True, False]),
    ),
    min_size=TURNS,
    max_size=TURNS,
)
curves = st.lists(st.floats(0, 1), min_size=4, max_size=4).map(lambda c: sorted(c, reverse=True))
ordinary = st.builds(
    Life,
    annotations=settings_of_one,
    exceedance=curves,
    turns=turns,
    concurrency=st.integers(0, 20),
)

texts = st.text(max_size=30) | st.sampled_from(
    ["99999999999999999999h", "nan", "-1", "1e30", "*", ",".join(SERVICES), "a/b/c", "a," * 500]
)
absurd_annotations = st.dictionaries(st.sampled_from(sorted({*NAME_OF.values()} - {CLASS})), texts)
absurd_turns = st.lists(
    st.builds(
        Turn,
        load=st.none() | st.sampled_from([0.0, 1e9, 1e10, -1.0, np.nan, np.inf]) | st.floats(),
        pods=st.integers(0, 4),
        there=st.booleans(),
    ),
    min_size=TURNS,
    max_size=TURNS,
)
numbers = st.lists(st.floats(), min_size=4, max_size=4)
absurd = st.builds(
    Life,
    annotations=absurd_annotations,
    demand=numbers | st.just((1.0, 2.0, 3.0, 1e30)),
    exceedance=numbers,
    turns=absurd_turns,
    concurrency=st.sampled_from([0, 1, 1000, 2**62]),
)
any_life = ordinary | absurd
all_lives = st.fixed_dictionaries(dict.fromkeys(SERVICES, ordinary))
pauses = st.lists(st.sampled_from([2.0, 2.0, 20.0, 70.0]), min_size=TURNS, max_size=TURNS)


def pairs(*, within: bool) -> st.SearchStrategy[list[Pair]]:
    """Edges that a learner finds: within shop, or with an end in the bank."""
    every = [pair for pair in permutations(SERVICES, 2) if within != ("bank" in "".join(pair))]
    return st.lists(st.sampled_from(every), max_size=4, unique=True)


def edges(found: Sequence[Pair]) -> Edges:
    ends = [(SERVICES.index(up), SERVICES.index(down)) for up, down in found]
    return edges_of(SERVICES, ends, probability=0.9, lag_s=30.0, gain=1.5, origin=3)


# --- the law --------------------------------------------------------------------------------------


def same_for_others(
    worlds: Sequence[tuple[Lives, Sequence[Pair]]],
    changed: set[str],
    pauses: Sequence[float],
    within: Sequence[Pair] = (),
) -> None:
    """Nobody who is not reached is decided or planned for otherwise in two worlds."""
    reached = [downstream_of(changed, lives, within) for lives, _ in worlds]
    untouched = set(SERVICES).difference(*reached)
    assume(untouched)
    with tempfile.TemporaryDirectory() as folder:
        before, after = (
            run(Path(folder) / str(i), lives, pauses, edges([*within, *more]))
            for i, (lives, more) in enumerate(worlds)
        )
    for service in untouched:
        assert after.done[service] == before.done[service]


@MANY
@given(lives=all_lives, changed=st.sampled_from(SERVICES), its=any_life, pauses=pauses)
def test_no_service_changes_decisions_or_plans_of_others(
    lives: Lives, changed: str, its: Life, pauses: Sequence[float]
) -> None:
    same_for_others([(lives, ()), ({**lives, changed: its}, ())], {changed}, pauses)


@MANY
@given(
    lives=all_lives,
    x=any_life,
    y=any_life,
    within=pairs(within=True),
    more=st.tuples(*[pairs(within=False)] * 2),
    pauses=pauses,
)
def test_no_namespace_changes_decisions_of_others(
    lives: Lives,
    x: Life,
    y: Life,
    within: Sequence[Pair],
    more: tuple[Sequence[Pair], Sequence[Pair]],
    pauses: Sequence[float],
) -> None:
    other = {**lives, "bank/x": x, "bank/y": y}
    worlds = [(lives, more[0]), (other, more[1])]
    same_for_others(worlds, {"bank/x", "bank/y"}, pauses, within)


# --- what the law would not see of a world in which nothing happens -------------------------------


def a_chain(consent: str) -> Lives:
    """Services that sleep: bank/x names shop/b, which names shop/a, which alone is called."""
    at_zero = [Turn(load=0.0)] * TURNS
    called = [Turn(load=0.0), *[Turn(load=1.0)] * (TURNS - 1)]
    outward = {MODE: "outward"}
    return {
        "shop/a": Life(annotations=outward, turns=called),
        "shop/b": Life(
            annotations=outward | {UPSTREAMS: "a", DOWNSTREAM_NAMESPACES: consent}, turns=at_zero
        ),
        "shop/c": Life(annotations=outward, turns=at_zero),
        "bank/x": Life(annotations=outward | {UPSTREAMS: "shop/b, shop/a"}, turns=at_zero),
        "bank/y": Life(annotations=outward, turns=at_zero),
    }


@pytest.mark.parametrize(
    ("consent", "woken"), [("bank", {"shop/a", "shop/b", "bank/x"}), ("", {"shop/a", "shop/b"})]
)
def test_a_call_starts_downstreams_along_edges_with_consent(
    tmp_path: Path, consent: str, woken: set[str]
) -> None:
    lives = a_chain(consent)
    tenants = run(tmp_path, lives, [2.0] * TURNS)
    scaled = {service for service, done in tenants.done.items() if "Scale(" in "".join(done)}
    assert scaled == woken
