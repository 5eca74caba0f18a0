import httpx
import pytest

from autoscaler.limits import REST_HEAD_BYTES, REST_URL_BYTES
from autoscaler.refusals import Refusals

URL, HEAD = int(REST_URL_BYTES.most), int(REST_HEAD_BYTES.most)


def test_a_url_that_is_too_long_is_a_problem(client: httpx.Client, refusals: Refusals) -> None:
    answer = client.get("/v1/forecasts/shop/" + "a" * URL)
    assert answer.status_code == 414
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "more than 8192 bytes of a URL; allowed: up to those"
    assert len(answer.content) < URL
    assert refusals.counts["rest_url_bytes"] == 1


@pytest.mark.parametrize("path", ["/v1/services", "/healthz"])
def test_headers_that_are_too_long_are_a_problem(
    client: httpx.Client, refusals: Refusals, path: str
) -> None:
    answer = client.get(path, headers={"X": "x" * HEAD})
    assert (answer.status_code, answer.json()["status"]) == (431, 431)
    assert refusals.counts["rest_head_bytes"] == 1


def test_the_longest_names_that_there_are_pass(client: httpx.Client, refusals: Refusals) -> None:
    longest = "%F0%9F%90%88" * 253
    assert len(longest) * 2 < URL
    assert client.get(f"/v1/forecasts/{longest}/{longest}").status_code == 404
    assert client.get("/v1/services", headers={"Authorization": "Bearer " + "x" * 8192}).is_success
    assert not refusals.counts
