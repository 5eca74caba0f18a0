"""`kn-ahead graph`: what is chosen, and what the terminal shows."""

import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from autoscaler.api.words import UNKNOWN
from autoscaler.cli.graph import picture, shown
from autoscaler.core.prediction.dependencies import Edges, Pair
from autoscaler.errors import PermanentError
from tests.autoscaler.api.graph.edges import CHAIN, edges, names


def choose(direct: bool = False, least: float = 0.0, service: str = "") -> list[str]:
    return names(shown(CHAIN, direct=direct, least=least, service=service))


# --- which are shown ------------------------------------------------------------------------------


def test_shows_all_in_alphabetical_order() -> None:
    assert choose() == ["ab", "ac", "bc", "cd", "xy"]


def test_leaves_out_what_others_in_between_explain() -> None:
    assert choose(direct=True) == ["ab", "bc", "cd", "xy"]


def test_a_service_is_shown_with_all_that_leads_to_it_and_from_it() -> None:
    assert choose(service="b") == ["ab", "bc", "cd"]
    assert choose(service="x") == ["xy"]


def test_a_service_in_a_circle_is_shown_with_the_circle() -> None:
    circle = edges(("a", "b"), ("b", "a"), ("x", "y"))
    assert names(shown(circle, direct=True, least=0, service="a")) == ["ab", "ba"]


def test_what_comes_together_is_one_line_without_an_arrow() -> None:
    pair = replace(edges(("a", "b"), ("b", "a")), lag_s=np.zeros(2))
    chosen = shown(pair, direct=True, least=0, service="")
    text = printed(chosen, pair)
    assert "1 dependency between 2 services." in text
    assert "together" in text
    assert "▶" not in text


def test_a_service_without_edges_is_refused_with_those_that_have_some() -> None:
    with pytest.raises(PermanentError, match=r"'z' has no dependency; .* one of 6: a, b, c, d, x"):
        choose(service="z")


def test_the_least_confidence_leaves_out_the_less_sure_and_the_unsaid() -> None:
    assert choose(least=0.8) == choose()
    assert choose(least=0.81) == []
    unsaid = edges(("a", "b"), confidence=np.nan)
    assert len(shown(unsaid, direct=False, least=0.0, service="")) == 1
    assert len(shown(unsaid, direct=False, least=0.01, service="")) == 0


# --- in a terminal --------------------------------------------------------------------------------


def printed(
    chosen: Edges, of: Edges, withdrawn: dict[Pair, str] | None = None, width: int = 100
) -> str:
    console = Console(width=width, record=True, file=None, quiet=False, color_system=None)
    with console.capture() as capture:
        console.print(picture(chosen, of=of, withdrawn=withdrawn or {}))
    return capture.get()


def test_the_terminal_names_each_upstream_once() -> None:
    lines = printed(shown(CHAIN, direct=False, least=0.0, service=""), CHAIN).splitlines()
    row = r"a +──▶ +b +2 s +1 +90 % +80 % +learned from starts"
    assert re.fullmatch(row, lines[1].strip())
    assert lines[2].split()[:2] == ["╌╌▶", "c"]
    assert lines[-1] == "5 dependencies between 6 services."


def test_the_terminal_says_how_many_are_left_out() -> None:
    some = shown(CHAIN, direct=True, least=0.0, service="")
    assert "4 dependencies between 6 services shown, of 5 known, 1 of them not direct" in printed(
        some, CHAIN
    )


def test_the_terminal_shows_what_is_not_known_as_a_dash() -> None:
    unsaid = edges(("a", "b"), lag_s=np.nan, gain=np.nan, probability=np.nan)
    assert printed(unsaid, unsaid).count(UNKNOWN) == 3


def test_the_terminal_dots_what_is_withdrawn_and_says_why() -> None:
    some = shown(CHAIN, direct=True, least=0.0, service="")
    lines = printed(
        some, CHAIN, {("b", "c"): "withdrawn since noon", ("a", "c"): "far"}
    ).splitlines()
    (dotted,) = [line for line in lines if "┈┈▶" in line]
    assert re.fullmatch(r"b +┈┈▶ +c .* learned from starts, withdrawn", dotted.strip())
    assert lines[-2] == "b to c is not acted on: withdrawn since noon"
    assert "far" not in "".join(lines)


def test_on_eighty_columns_no_word_is_cut() -> None:
    shop = edges(("shop/browse", "shop/cart"), ("shop/checkout", "shop/mailer"))
    text = printed(shop, shop, {("shop/browse", "shop/cart"): "withdrawn"}, width=80)
    assert {"shop/checkout", "learned", "from", "starts,", "withdrawn"} <= set(text.split())


def test_names_are_not_taken_for_markup() -> None:
    odd = edges(("[red]a", "[/b]"))
    assert "[red]a" in printed(odd, odd)
    assert "[/b]" in printed(odd, odd)
