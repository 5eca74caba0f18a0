from typing import Any

import pytest
from fastapi import FastAPI
from httpx import Client, Response

from autoscaler.api.problems import UnknownServiceError


def problem(answer: Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "instance"}
    assert body["status"] == status
    return body


@pytest.mark.parametrize("what", ["forecasts", "decisions"])
def test_an_unknown_service_is_named_with_its_nearest(client: Client, what: str) -> None:
    body = problem(client.get(f"/v1/{what}/shop/crat"), 404)
    assert body["detail"].startswith("service 'shop/crat' is unknown; nearest of 3 known:")
    assert "'shop/cart'" in body["detail"]
    assert body["instance"] == f"/v1/{what}/shop/crat"


def test_a_service_like_no_other_is_told_how_many_there_are(client: Client) -> None:
    body = problem(client.get("/v1/forecasts/xxxxxxxx/zzzzzzzzzzzz"), 404)
    assert body["detail"] == "service 'xxxxxxxx/zzzzzzzzzzzz' is unknown; known are 3"


def test_the_nearest_are_found_among_many() -> None:
    known = sorted(f"shop/service-{i:05d}" for i in range(20_000))
    assert "'shop/service-01234'" in str(UnknownServiceError("shop/service-01234x", known))


def test_an_invalid_parameter_is_named_with_its_value(client: Client) -> None:
    answer = client.get("/v1/services", params={"limit": 0, "offset": "x"})
    detail = problem(answer, 422)["detail"]
    assert "query.limit is '0': Input should be greater than or equal to 1" in detail
    assert "query.offset is 'x'" in detail


def test_a_name_longer_than_kubernetes_allows_is_invalid(client: Client) -> None:
    problem(client.get(f"/v1/forecasts/shop/{'a' * 254}"), 422)


def test_an_unknown_path_points_to_the_documentation(client: Client) -> None:
    assert problem(client.get("/v2/forecast"), 404)["detail"] == (
        "path '/v2/forecast' is unknown; /docs lists those there are"
    )


def test_a_wrong_method_is_told_which_is_allowed(client: Client) -> None:
    answer = client.post("/v1/services")
    assert problem(answer, 405)["detail"] == "method 'POST' is not for this path; allowed: GET"
    assert answer.headers["allow"] == "GET"


def test_a_fault_of_ours_shows_no_traceback(app: FastAPI, client: Client) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret")

    app.add_api_route("/broken", broken)
    body = problem(client.get("/broken"), 500)
    assert body["detail"] == "ZeroDivisionError; the log of the autoscaler has it"
