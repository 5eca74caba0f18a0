import re
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from httpx import Client
from pydantic import TypeAdapter

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.answer import ApiAnswer
from autoscaler.api.app import create_app
from autoscaler.api.pages import Front
from autoscaler.api.problems import Problem
from autoscaler.clock import SimulatedClock
from autoscaler.refusals import Refusals
from tests.autoscaler.api.conftest import ask


@pytest.fixture
def schema(client: Client) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def contents(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (media_type, content)
        for methods in schema["paths"].values()
        for operation in methods.values()
        for response in operation["responses"].values()
        for media_type, content in response["content"].items()
    ]


def test_every_path_is_documented(schema: dict[str, Any]) -> None:
    assert set(schema["paths"]) == {
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/services",
        "/v1/dependencies",
        "/v1/ledger",
        "/v1/ledger/{namespace}/{service}",
        "/v1/forecasts/{namespace}/{service}",
        "/v1/decisions/{namespace}/{service}",
        "/v1/history/{namespace}/{service}",
    }


def test_a_client_made_of_it_has_names_for_people_and_one_class_of_problems(
    schema: dict[str, Any],
) -> None:
    names = [one["operationId"] for each in schema["paths"].values() for one in each.values()]
    assert len(set(names)) == len(names)
    assert {"services", "forecast", "decisions", "dependencies", "ledger"} <= set(names)
    assert "Problem" in schema["components"]["schemas"]
    problems = [shown for kind, shown in contents(schema) if kind == "application/problem+json"]
    assert problems
    assert {one["schema"]["$ref"] for one in problems} == {"#/components/schemas/Problem"}


def test_every_answer_has_an_example_of_its_own_shape(schema: dict[str, Any]) -> None:
    for media_type, content in contents(schema):
        example = content["example"]
        if media_type == "application/problem+json":
            Problem.model_validate(example)
        elif media_type == "application/json":
            shape = content["schema"]["$ref"].rpartition("/")[2]
            (kind,) = (one for one in ApiAnswer.__subclasses__() if one.__name__ == shape)
            TypeAdapter(kind).validate_python(example)
        else:
            assert example.startswith("# HELP kn_ahead_")


def test_every_error_is_a_problem(schema: dict[str, Any]) -> None:
    for methods in schema["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status.startswith("4"):
                    assert list(response["content"]) == ["application/problem+json"]


@pytest.mark.parametrize("page", ["/", "/docs", "/services/shop/cart"])
def test_a_page_loads_nothing(client: Client, page: str) -> None:
    answer = client.get(page)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    before, icon, after = re.split(
        r'<link rel="icon" href="data:image/svg\+xml,([^"]*)">', answer.text
    )
    assert ElementTree.fromstring(unquote(icon)).tag.endswith("svg")
    assert not re.findall(r"<(?:link|img|iframe)|src=|url\(|https?://", before + after)


def test_the_documentation_shows_every_path_and_a_null(client: Client) -> None:
    text = client.get("/docs").text
    assert "GET /v1/forecasts/{namespace}/{service}" in text
    assert "&#34;reason&#34;: null" in text


def test_the_overview_shows_each_decision_with_its_sentence(client: Client) -> None:
    text = client.get("/").text
    assert "3 services" in text
    assert "4 pods: the forecast finds 4 pods worth having (Knative alone: 2 pods)." in text
    assert 'href="/services/shop/cart"' in text


def test_the_overview_of_an_empty_board_says_so_and_what_to_do(bare: Client) -> None:
    text = bare.get("/").text
    assert "No decision was made yet." in text
    assert "No forecasts yet: deciding as Knative alone would." in text
    assert "kubectl get podautoscalers --all-namespaces" in text
    assert "kubectl apply --filename knative/manifests/learner.yaml" in text


@pytest.mark.parametrize("page", ["/", "/services/shop/cart"])
def test_a_page_renews_its_parts_in_place_and_itself_only_without_scripts(
    client: Client, page: str
) -> None:
    text = client.get(page).text
    assert re.findall('http-equiv="refresh"', re.sub("<noscript>.*?</noscript>", "", text)) == []
    assert text.count('<noscript><meta http-equiv="refresh" content="10"></noscript>') == 1
    renewed = re.findall('<div id="([a-z]+)" data-renewed>', text)
    assert "decisions" in renewed
    assert len(set(renewed)) == len(renewed)


@pytest.mark.parametrize("page", ["/", "/docs", "/services/shop/cart"])
def test_what_scrolls_is_reached_by_the_keyboard_and_has_a_name_of_its_own(
    client: Client, page: str
) -> None:
    text = client.get(page).text
    names = re.findall('tabindex="0" role="region" aria-label="([^"]+)"', text)
    assert len(names) == text.count('class="scroll"') + text.count("<pre")
    assert len(set(names)) == len(names)
    assert "<main>" in text


def test_a_service_has_a_page_for_people(client: Client) -> None:
    text = " ".join(client.get("/services/shop/cart").text.split())
    assert "4 pods: the forecast finds 4 pods worth having (Knative alone: 2 pods)." in text
    assert "<dd>140 requests in flight over the stable window, 140 over the panic window" in text
    assert '<td>09:00:00</td><td>09:01:00</td><td class="n">98 %</td>' in text
    assert 'href="/v1/decisions/shop/cart"' in text


def test_a_service_without_a_forecast_says_why(client: Client) -> None:
    text = client.get("/services/jobs/nightly").text
    assert "None is in force: too short: 40 steps of history; 120 needed." in text


def test_an_unknown_service_has_no_page(client: Client) -> None:
    assert client.get("/services/shop/nobody").status_code == 404


def test_a_notice_stands_above_the_decisions(model: ReadModel, clock: SimulatedClock) -> None:
    front = Front(notice=lambda: "<p>A notice.</p>", refresh_s=2.0)
    with ask(create_app(model, clock, Refusals(), front=front)) as client:
        text = client.get("/").text
    assert text.index("<p>A notice.</p>") < text.index("<h1>3 services</h1>")
    assert "This page renews itself every 2 s." in text
