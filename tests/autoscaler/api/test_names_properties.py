from urllib.parse import quote

import pytest
from httpx import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

# A client resolves dots itself: the server never sees them.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300).filter(
    lambda name: name not in {".", ".."}
)
# The app is the same for all examples: asking changes nothing.
GENTLY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PATHS = ("/v1/forecasts/{}/{}", "/v1/decisions/{}/{}", "/{}/{}")


@pytest.mark.parametrize("path", PATHS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(namespace=NAMES, service=NAMES)
@example(namespace="0", service="0/")
def test_no_name_breaks_the_server(client: Client, path: str, namespace: str, service: str) -> None:
    answer = client.get(path.format(quote(namespace, safe=""), quote(service, safe="")))
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(limit=st.integers() | st.text(max_size=20), offset=st.integers() | st.text(max_size=20))
def test_no_page_breaks_the_server(client: Client, limit: int | str, offset: int | str) -> None:
    answer = client.get("/v1/services", params={"limit": limit, "offset": offset})
    assert answer.status_code in {200, 422}
    assert client.get("/", params={"offset": offset}).status_code in {200, 422}
