"""`kn-ahead explain`: one service, with all that its number of pods comes from."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.advisor.read_model import ReadModel
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.api.graph.edges import edges
from tests.autoscaler.cli.conftest import Asked


def test_says_why_with_what_competed_the_mode_and_the_price(ask: Asked) -> None:
    said = ask("explain", "shop/cart").stdout
    assert "cart-00001  4 pods: the forecast finds 4 pods worth having (Knative alone: 2" in said
    heads, numbers = said.splitlines()[3:5]
    assert heads.split() == ["KNATIVE", "FORECAST", "UPSTREAM", "TOGETHER", "WANTED", "READY"]
    assert numbers.split() == ["pods", "2", "4", "-", "4", "4", "2"]
    assert "mode outward: the forecast may add pods to Knative's" in said
    assert "a cold request is worth 600 s of idle pod" in said


def test_draws_the_forecast_window_by_window(ask: Asked) -> None:
    said = ask("explain", "cart").stdout
    assert "█ P50  ▓ P90  ░ P99" in said
    (first,) = (line.split() for line in said.splitlines() if line.startswith("      0-1  "))
    assert first == ["0-1", "█" * 16 + "▓" * 8 + "░" * 8, "200", "300", "400", "98", "%"]


def test_names_its_neighbours_on_both_sides(ask: Asked) -> None:
    said = ask("explain", "cart").stdout
    row = "lag 2 s  gain 1  80 % sure  learned from starts"
    assert f"Called by\n  shop/browse  {row}" in said
    assert f"Calls\n  shop/purchase  {row}" in said


def test_services_that_are_called_together_have_no_side(ask: Asked, model: ReadModel) -> None:
    pair = edges(("shop/cart", "shop/browse"), ("shop/browse", "shop/cart"))
    model.put_edges(replace(pair, lag_s=np.zeros(2)))
    said = ask("explain", "cart").stdout
    assert "Called together with\n  shop/browse" in said
    assert "Called by" not in said


def test_says_what_changed_and_what_there_is_none_of(ask: Asked, model: ReadModel) -> None:
    assert "- to 4  4 pods: the forecast finds" in ask("explain", "cart").stdout
    model.put_edges(edges())
    said = ask("explain", "nightly").stdout
    assert "No forecast is in force: too short: 40 steps of history; 120 needed." in said
    assert "No dependency of it is known." in said


def test_a_name_of_several_namespaces_is_not_guessed(ask: Asked, controller: Controller) -> None:
    controller.has("test/cart-00001")
    controller.ticks(5)
    controller.shows(5)
    result = ask("explain", "cart")
    assert result.exit_code == 2
    assert "'cart' is in several namespaces; allowed: one of shop/cart, test/cart" in result.stderr
    assert ask("explain", "cart", "-n", "test").stdout.startswith("test/cart\n")


@pytest.mark.parametrize("name", ["shop/crat", "crat"])
def test_a_mistyped_name_is_answered_with_the_nearest(ask: Asked, name: str) -> None:
    result = ask("explain", name)
    assert result.exit_code == 2
    assert result.stderr == f"kn-ahead: no service {name!r}; did you mean shop/cart?\n"


def test_says_what_was_promised(ask: Asked, model: ReadModel) -> None:
    model.promises.begin({"shop/cart": 0.005}, 0.0)
    model.promises.settle()
    said = ask("explain", "shop/cart").stdout
    assert "Of 100 requests 0.5 are promised to be cold at most; none was counted yet." in said


def test_says_what_its_bill_allows_and_came_to(ask: Asked, controller: Controller) -> None:
    assert "bill" not in ask("explain", "shop/cart").stdout.lower()
    controller.fleet.spec.max_extra[controller.row("shop/cart-00001")] = 0.2
    controller.shows(60.0)
    said = ask("explain", "shop/cart").stdout
    assert "Bill: at most 1.2 times what Knative wants, and an allowance; in real pods" in said
    assert "bill: at most 1.2 times what Knative wants; credit: " in said
