"""`kn-ahead get`: what kubectl's users expect of its table, its formats and its messages."""

import json
import re
from collections.abc import Sequence

import httpx
import pytest
import yaml
from typer.testing import CliRunner, Result

from autoscaler.cli.commands import KINDS
from autoscaler.cli.main import app as command_line
from autoscaler.cli.resources import RESOURCES
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.cli.conftest import Asked


def rows(result: Result) -> list[list[str]]:
    """Cells of what was printed; two spaces or more part them."""
    assert result.exit_code == 0, result.output
    return [re.split(r" {2,}", line) for line in result.stdout.splitlines()]


def column(result: Result, head: str) -> list[str]:
    heads, *others = rows(result)
    return [row[heads.index(head)] for row in others]


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("kn-ahead: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("kn-ahead: ").rstrip()


# --- tables ---------------------------------------------------------------------------------------


def test_services_show_pods_beside_knative_s_answer_and_why(ask: Asked) -> None:
    heads, *_, cart = rows(ask("get", "services"))
    assert heads == [
        *("NAMESPACE", "NAME", "READY", "WANTED", "KNATIVE", "MODE", "REASON", "FORECAST"),
    ]
    assert cart[:-1] == ["shop", "cart", "2", "4", "2", "outward", "FORECAST"]
    assert re.fullmatch(r"\d+[smhdy]", cart[-1])


def test_what_is_not_known_is_a_dash(ask: Asked) -> None:
    assert column(ask("get", "services", "nightly"), "WANTED") == ["-"]
    assert column(ask("get", "forecasts", "browse"), "P99(req)") == ["-"]


def test_forecasts_show_the_present_window_and_the_peak_ahead(ask: Asked) -> None:
    heads, cart = rows(ask("get", "forecasts", "shop/cart"))
    assert heads[2:7] == ["ANY(%)", "P50(req)", "P90(req)", "P99(req)", "PEAK(req)"]
    assert cart[2:7] == ["99", "200", "400", "400", "400"]  # long over, so of the last window


def test_decisions_show_each_revision_with_what_competed(ask: Asked) -> None:
    heads, cart = rows(ask("get", "decisions", "cart"))
    assert heads[1:] == [
        *("REVISION", "READY", "WANTED", "KNATIVE", "FORECAST", "UPSTREAM", "REASON", "AGE"),
    ]
    assert cart[1:8] == ["cart-00001", "2", "4", "2", "4", "-", "FORECAST"]


def test_dependencies_are_those_of_either_side(ask: Asked) -> None:
    both = rows(ask("get", "dependencies", "shop/cart"))
    assert [row[:2] for row in both[1:]] == [
        ["shop/browse", "shop/cart"],
        ["shop/cart", "shop/purchase"],
    ]
    (_, one) = rows(ask("get", "dependencies", "shop/purchase"))
    assert one == ["shop/cart", "shop/purchase", "2", "1", "90", "80", "learned from starts"]


def test_a_wide_table_says_more(ask: Asked) -> None:
    sentence = "4 pods: the forecast finds 4 pods worth having (Knative alone: 2 pods)."
    assert column(ask("get", "decisions", "cart", "-o", "wide"), "WHY") == [sentence]
    assert column(ask("get", "decisions", "cart", "-o", "wide"), "PRICE(s)") == ["600"]
    assert column(ask("get", "services", "cart", "-o", "wide"), "REVISIONS") == ["1"]


@pytest.mark.parametrize("name", ["service", "svc", "ksvc", "SERVICES"])
def test_short_names_are_taken(ask: Asked, name: str) -> None:
    assert ask("get", name).stdout == ask("get", "services").stdout


def test_a_namespace_leaves_out_the_others_and_its_own_column(ask: Asked) -> None:
    heads, *shop = rows(ask("get", "services", "-n", "shop"))
    assert heads[0] == "NAME"
    assert [row[0] for row in shop] == ["browse", "cart"]


def test_all_namespaces_overrule_one(ask: Asked) -> None:
    assert ask("get", "services", "-A", "-n", "shop").stdout == ask("get", "services").stdout


def test_rows_alone_where_no_headers_are_wanted(ask: Asked) -> None:
    whole = rows(ask("get", "services"))
    assert rows(ask("get", "services", "--no-headers")) == whole[1:]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("name", ["browse", "cart", "nightly"]),
        ("-name", ["nightly", "cart", "browse"]),
        ("WANTED", ["browse", "cart", "nightly"]),
        ("-wanted", ["cart", "browse", "nightly"]),
    ],
)
def test_rows_are_sorted_by_a_column_and_what_is_not_known_comes_last(
    ask: Asked, by: str, names: Sequence[str]
) -> None:
    assert column(ask("get", "services", "--sort-by", by), "NAME") == names


def test_lines_end_where_their_text_ends(ask: Asked) -> None:
    for kind in ("services", "decisions", "dependencies"):
        lines = ask("get", kind, "-o", "wide").stdout.splitlines()
        assert lines == [line.rstrip() for line in lines]


def test_what_a_terminal_would_obey_is_not_passed_on(ask: Asked, controller: Controller) -> None:
    controller.has("shop/x\x1b[2J-00001")
    controller.ticks(5)
    controller.shows(5)
    assert "\x1b" not in ask("get", "services").stdout


# --- objects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("services", "/v1/services"),
        ("dependencies", "/v1/dependencies"),
    ],
)
def test_a_list_is_of_the_api_s_own_objects(ask: Asked, url: str, kind: str, path: str) -> None:
    theirs = httpx.get(url + path).json()[kind]
    assert json.loads(ask("get", kind, "-o", "json").stdout) == theirs
    assert yaml.safe_load(ask("get", kind, "-o", "yaml").stdout) == theirs


@pytest.mark.parametrize("kind", ["forecasts", "decisions"])
def test_one_that_is_named_is_an_object_and_no_list(ask: Asked, url: str, kind: str) -> None:
    theirs = httpx.get(f"{url}/v1/{kind}/shop/cart").json()
    assert json.loads(ask("get", kind, "cart", "-o", "json").stdout) == theirs
    listed = json.loads(ask("get", kind, "-o", "json").stdout)
    assert [one["service"] for one in listed] == ["nightly", "browse", "cart"]
    assert theirs in listed


def test_dependencies_of_one_service_are_a_list_however_many(ask: Asked) -> None:
    assert len(json.loads(ask("get", "deps", "shop/purchase", "-o", "json").stdout)) == 1
    assert len(json.loads(ask("get", "deps", "shop/cart", "-o", "json").stdout)) == 2


def test_names_can_be_given_back(ask: Asked) -> None:
    names = ask("get", "services", "-o", "name").stdout.splitlines()
    assert names == ["jobs/nightly", "shop/browse", "shop/cart"]
    assert ask("get", "services", *names).stdout == ask("get", "services").stdout


# --- nothing, and what is mistyped ----------------------------------------------------------------


def test_nothing_is_said_beside_the_output_and_is_no_error(ask: Asked) -> None:
    result = ask("get", "services", "-n", "sohp")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "No services found in namespace sohp.\n"
    assert ask("get", "services", "-n", "sohp", "-o", "json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["service", "shop/crat"], "no service 'shop/crat'; did you mean shop/cart?"),
        (["decisions", "crat"], "no service 'crat'; did you mean shop/cart?"),
        (["fc", "-n", "shop", "nightly"], "no service 'shop/nightly'; did you mean jobs/nightly?"),
        (["svc", "-n", "jobs", "shop/cart"], "service 'shop/cart' is not in namespace 'jobs'"),
        (["svc", "zzz"], "no service 'zzz'; 3 others are known"),
        (["deps", "shop/prchase"], "no service 'shop/prchase'; did you mean shop/purchase?"),
        (["servces"], "no resource 'servces'; did you mean services? allowed: services, forecasts"),
        ([], "no resource is given; allowed: services, forecasts, decisions, dependencies"),
        (["pods"], "no resource 'pods'; allowed: services, forecasts, decisions, dependencies"),
        (["svc", "--sort-by", "cost"], "no column 'cost' to sort by; allowed: namespace, name"),
    ],
)
def test_what_there_is_not_is_named_with_what_there_is(
    ask: Asked, args: list[str], said: str
) -> None:
    assert said in refused(ask("get", *args))


def completed(typed: str) -> list[str]:
    """What a shell is offered for the last word."""
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1)}
    asked |= {"_KN_AHEAD_COMPLETE": "complete_bash"}
    result = CliRunner().invoke(command_line, [], prog_name="kn-ahead", env=asked)
    return result.stdout.split()


@pytest.mark.usefixtures("ask")
def test_resources_and_services_are_completed() -> None:
    assert tuple(one.name for one in RESOURCES) == KINDS
    assert completed("kn-ahead get de") == ["decisions", "dependencies"]
    assert completed("kn-ahead get services sh") == ["shop/browse", "shop/cart"]
    assert completed("kn-ahead explain jobs/") == ["jobs/nightly"]


def test_nothing_is_completed_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KN_AHEAD_URL", "http://127.0.0.1:1")
    assert completed("kn-ahead explain sh") == []


def test_a_format_that_there_is_not_is_refused(ask: Asked) -> None:
    result = ask("get", "services", "-o", "xml")
    assert result.exit_code == 2
    assert "'table', 'wide', 'json', 'yaml', 'name'" in " ".join(result.stderr.split())


# --- in a terminal --------------------------------------------------------------------------------


@pytest.fixture
def in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 80 columns."""
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "80", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)


LONG = "-".join(["checkout"] * 7)


@pytest.mark.usefixtures("in_a_terminal")
def test_a_table_fits_a_terminal_and_cuts_no_name(ask: Asked, controller: Controller) -> None:
    controller.has(f"shop/{LONG}-00001")
    controller.ticks(5)
    controller.shows(5)
    for kind in ("services", "decisions"):
        lines = re.sub(r"\x1b\[[\d;]*m", "", ask("get", kind).stdout).splitlines()
        assert max(map(len, lines)) <= 80
        names = "".join(line[11:].partition(" ")[0] for line in lines)
        assert LONG in names


@pytest.mark.usefixtures("in_a_terminal")
def test_colours_are_left_out_where_nobody_wants_them(
    ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[33m     4\x1b[0m" in ask("get", "services").stdout  # fewer pods than are wanted
    monkeypatch.setenv("NO_COLOR", "1")
    for command in (["get", "services"], ["explain", "cart"], ["graph"]):
        assert "\x1b" not in ask(*command).stdout


def test_nothing_is_cut_in_a_pipe(ask: Asked, controller: Controller) -> None:
    controller.has(f"shop/{LONG}-00001")
    controller.ticks(5)
    controller.shows(5)
    result = ask("get", "services")
    assert "\x1b" not in result.stdout
    assert LONG in column(result, "NAME")
