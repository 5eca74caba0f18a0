import re
from typing import Any

import pytest
from httpx import Client
from pydantic import TypeAdapter

from autoscaler.api import answers
from autoscaler.api.problems import Problem


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
        "/v1/forecasts/{namespace}/{service}",
        "/v1/decisions/{namespace}/{service}",
    }


def test_every_answer_has_an_example_of_its_own_shape(schema: dict[str, Any]) -> None:
    for media_type, content in contents(schema):
        example = content["example"]
        if media_type == "application/problem+json":
            Problem.model_validate(example)
        elif media_type == "application/json":
            shape = content["schema"]["$ref"].rpartition("/")[2]
            TypeAdapter(getattr(answers, shape)).validate_python(example)
        else:
            assert example.startswith("# HELP kn_ahead_")


def test_every_error_is_a_problem(schema: dict[str, Any]) -> None:
    for methods in schema["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status.startswith("4"):
                    assert list(response["content"]) == ["application/problem+json"]


@pytest.mark.parametrize("page", ["/", "/docs"])
def test_a_page_loads_nothing(client: Client, page: str) -> None:
    answer = client.get(page)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.findall(r"<(?:script|link|img|iframe)|src=|url\(|https?://", answer.text)


def test_the_documentation_shows_every_path_and_a_null(client: Client) -> None:
    text = client.get("/docs").text
    assert "GET /v1/forecasts/{namespace}/{service}" in text
    assert "&#34;reason&#34;: null" in text


def test_the_overview_shows_each_decision_with_its_sentence(client: Client) -> None:
    text = client.get("/").text
    assert "3 services" in text
    assert "4 pods: the forecast finds 4 pods worth having (Knative alone: 2 pods)." in text
    assert 'href="/v1/decisions/shop/cart"' in text


def test_the_overview_of_an_empty_board_says_so(bare: Client) -> None:
    text = bare.get("/").text
    assert "No decision was made yet." in text
    assert "No forecasts yet: deciding as Knative alone would." in text
