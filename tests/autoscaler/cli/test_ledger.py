"""`kn-ahead ledger`: a table that shows losers, a total, and the API's objects."""

import json

import pytest
import yaml

from autoscaler.clock import SimulatedClock
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.api.ledger.test_routes import counted  # noqa: F401  # a fixture
from tests.autoscaler.cli.conftest import Asked
from tests.autoscaler.cli.test_get import refused, rows

pytestmark = pytest.mark.usefixtures("counted")


def table(ask: Asked, *args: str) -> tuple[str, list[list[str]]]:
    """The sentence above it, and its rows."""
    result = ask("ledger", *args)
    sentence, empty, *lines = rows(result)
    assert empty == [""]
    return " ".join(sentence), lines


def test_services_are_listed_by_what_they_saved_with_a_total(ask: Asked) -> None:
    sentence, (heads, *services) = table(ask)
    assert "there were 12 more cold requests" in sentence
    assert heads == [
        *("NAMESPACE", "NAME", "MODE", "REQUESTS", "KNATIVE(cold)", "AHEAD(cold)", "SAVED"),
        *("95%", "MORE(pod h)"),
    ]
    assert services == [
        ["shop", "browse", "shadow", "900", "360", "180", "180", "-24 to 384", "0.6"],
        ["shop", "cart", "outward", "1800", "0", "12", "-12", "-36 to 12", "0.0"],
        ["", "TOTAL", "-", "2700", "360", "192", "168", "-37 to 373", "0.6"],
    ]


def test_losers_come_first_where_asked_for_and_the_total_stays_last(ask: Asked) -> None:
    _, (_, *services) = table(ask, "--sort-by", "saved")
    assert [row[1] for row in services] == ["cart", "browse", "TOTAL"]


def test_one_service_is_listed_by_day(ask: Asked) -> None:
    _, found = table(ask, "cart")
    assert found[0][:2] == ["DAY", "KNOWN(%)"]
    assert [row[:3] for row in found[1:]] == [["2026-03-02", "100", "1800"], ["TOTAL", "-", "1800"]]


def test_a_wide_table_has_waits_pods_and_starts(ask: Asked) -> None:
    _, (heads, browse, *_) = table(ask, "-o", "wide", "-n", "shop")
    assert heads[0] == "NAME"
    more = dict(zip(heads[8:], browse[8:], strict=True))
    assert more == {
        "KNATIVE-COLD(s)": "1485", "AHEAD-COLD(s)": "0", "KNATIVE-PODS(h)": "3.0",
        "AHEAD-PODS(h)": "3.6", "PODS(x)": "1.20", "KNATIVE-STARTS": "360", "AHEAD-STARTS": "0",
    }  # fmt: skip


def test_objects_are_the_api_s_own(ask: Asked) -> None:
    whole = json.loads(ask("ledger", "-o", "json").stdout)
    assert [entry["service"] for entry in whole["services"]] == ["browse", "cart"]
    one = yaml.safe_load(ask("ledger", "shop/cart", "-o", "yaml").stdout)
    assert one["comparison"]["saved_cold_requests"]["value"] == -12.0
    assert ask("ledger", "-o", "name").stdout == "shop/browse\nshop/cart\n"


def test_rows_alone_have_neither_sentence_nor_total(ask: Asked) -> None:
    assert [row[1] for row in rows(ask("ledger", "--no-headers"))] == ["browse", "cart"]


def test_a_namespace_without_any_has_the_sentence_alone(ask: Asked) -> None:
    result = ask("ledger", "-n", "nobody")
    assert result.exit_code == 0
    assert result.stdout == "Since 2026-03-02 09:00 UTC, nothing came, and nothing was saved.\n\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["crat"], "no service 'crat'; did you mean shop/cart?"),
        (["--sort-by", "x"], "there is no column 'x' to sort by; allowed: namespace, name,"),
        (["--days", "0"], "Invalid value for '--days': '0'; allowed: whole numbers 1 to 400"),
    ],
)
def test_misuse_is_one_line(ask: Asked, args: list[str], said: str) -> None:
    result = ask("ledger", *args)
    assert result.exit_code == 2
    if args[0] != "--days":  # which the command line itself refuses
        assert refused(result).startswith(said)


def test_a_service_that_is_gone_is_found(
    ask: Asked, controller: Controller, clock: SimulatedClock
) -> None:
    controller.loses("shop/browse-00001")
    controller.shows(180 * 60 + 30)
    clock.advance(30.0)
    _, found = table(ask, "browse")
    assert found[-1][2] == "900"
