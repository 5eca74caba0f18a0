"""Dependencies over REST, on a page, and in metrics."""

from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.api.words import UNKNOWN
from autoscaler.clock import SimulatedClock
from autoscaler.core.control import Reported
from autoscaler.core.prediction.advice import no_advice
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active, Mode
from autoscaler.refusals import Refusals
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.api.conftest import ask
from tests.autoscaler.api.known_edges import SEEN_S, edges, in_no_order
from tests.autoscaler.core.upstreams import paths


@pytest.fixture
def model(controller: Controller) -> ReadModel:
    controller.model.put_edges(edges())
    return controller.model


def pairs(client: httpx.Client, **asked: object) -> list[tuple[str, str]]:
    answer = client.get("/v1/dependencies", params={k: str(v) for k, v in asked.items()})
    assert answer.status_code == 200, answer.text
    return [(d["upstream"], d["downstream"]) for d in answer.json()["dependencies"]]


def test_lists_all_in_alphabetical_order(client: httpx.Client) -> None:
    assert pairs(client) == [
        ("shop/browse", "shop/cart"),
        ("shop/browse", "shop/pay"),
        ("shop/cart", "shop/pay"),
    ]


def test_says_all_that_is_known_of_an_edge_and_null_for_the_rest(client: httpx.Client) -> None:
    said, _, learned = client.get("/v1/dependencies").json()["dependencies"]
    assert learned == {
        "upstream": "shop/cart",
        "downstream": "shop/pay",
        "lag_s": 2.5,
        "gain": 1.2,
        "probability": 0.9,
        "confidence": 0.99,
        "evidence": 214.0,
        "seen_at": "2026-03-02T09:00:00Z",
        "direct": True,
        "together": False,
        "origin": "learned from starts",
        "not_acted_on": None,
        "withdrawn": False,
    }
    unknown = {name for name, value in said.items() if value is None}
    assert unknown == {"lag_s", "gain", "probability", "evidence", "seen_at", "not_acted_on"}
    assert (said["confidence"], said["origin"]) == (1.0, "annotation")


def test_a_service_has_both_its_upstreams_and_its_downstreams(client: httpx.Client) -> None:
    assert pairs(client, service="shop/cart") == [
        ("shop/browse", "shop/cart"),
        ("shop/cart", "shop/pay"),
    ]


def test_direct_ones_may_be_asked_for_alone(client: httpx.Client) -> None:
    assert ("shop/browse", "shop/pay") not in pairs(client, direct="true")
    assert pairs(client, direct="false") == [("shop/browse", "shop/pay")]


def test_comes_in_pages(client: httpx.Client) -> None:
    page = client.get("/v1/dependencies", params={"limit": 1, "offset": 1}).json()
    assert (page["total"], page["limit"], page["offset"]) == (3, 1, 1)
    assert [d["downstream"] for d in page["dependencies"]] == ["shop/pay"]
    assert pairs(client, offset=10**30) == []


def test_a_service_that_is_known_but_calls_nobody_has_none(client: httpx.Client) -> None:
    assert pairs(client, service="jobs/nightly") == []


def test_a_service_may_be_known_from_edges_alone(client: httpx.Client) -> None:
    assert len(pairs(client, service="shop/pay")) == 2


def test_an_unknown_service_is_a_problem_that_names_the_nearest(client: httpx.Client) -> None:
    answer = client.get("/v1/dependencies", params={"service": "shop/payy"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "'shop/payy' is unknown; nearest of 4 known: 'shop/pay'" in answer.json()["detail"]


@pytest.mark.parametrize("wrong", [{"limit": "0"}, {"direct": "perhaps"}, {"service": "x" * 508}])
def test_what_is_asked_wrongly_is_a_problem(client: httpx.Client, wrong: dict[str, str]) -> None:
    answer = client.get("/v1/dependencies", params=wrong)
    assert (answer.status_code, answer.json()["title"]) == (422, "Invalid request")


def test_an_empty_read_model_has_none(bare: httpx.Client) -> None:
    answer = bare.get("/v1/dependencies").json()
    assert (answer["total"], answer["dependencies"]) == (0, [])
    assert "<h2>Dependencies" not in bare.get("/").text


def test_the_overview_names_upstreams_and_downstreams_and_draws_them(client: httpx.Client) -> None:
    text = client.get("/").text
    row = text[text.rindex("/services/shop/cart") :]
    assert "<td>shop/browse</td><td>shop/pay</td>" in row
    assert text.count("<path class=") == 3


def test_the_overview_draws_no_more_than_can_be_read(
    client: httpx.Client, model: ReadModel
) -> None:
    model.put_edges(star(101))
    text = client.get("/").text
    assert "All 101 dependencies" in text
    assert "<svg" not in text


def star(n: int) -> Edges:
    """Cart calls n others."""
    one = edges().where(np.array([0] * n))
    services = ("shop/cart", *(f"shop/s{i}" for i in range(n)))
    zero = np.zeros(n, dtype=np.int64)
    return replace(one, services=services, upstream=zero, downstream=np.arange(n) + 1)


def test_counts_edges_by_origin(client: httpx.Client) -> None:
    seen = samples(client, "kn_ahead_dependencies")
    assert seen == {
        "annotation": 1,
        "istio": 0,
        "prometheus": 0,
        "learned from starts": 1,
        "learned from counts": 1,
    }


def samples(client: httpx.Client, name: str) -> dict[str, float]:
    """By the last label's value."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        s.labels.get("revision") or s.labels["origin"]: s.value
        for family in families
        for s in family.samples
        if s.name == name
    }


def anticipated(controller: Controller) -> None:
    """A call to browse, which calls cart; both slept."""
    spec = replace(KNATIVE_DEFAULTS, mode=Mode.OUTWARD, pod_capacity=1.0, lead_s=3.0)
    for name in ("shop/browse", "shop/cart"):
        controller.has(f"{name}-00009", spec=spec, active=Active.FALSE, initialized=True)
    fleet = controller.fleet
    fleet.memory.kpa[:] = 0
    fleet.services.calls.last_call_s[:] = controller.begin_s - 500
    known = paths((fleet.services.row("shop/browse"), fleet.services.row("shop/cart")))
    controller.advised(replace(no_advice(len(fleet), fleet.layout), paths=known))
    call = Reported(
        rows=np.array([fleet.row("shop/browse-00009")]),
        seconds=np.array([int(controller.begin_s)]),
        samples=np.ones((2, 1)),
        by_activator=True,
    )
    controller.takes(call, 0)


def test_anticipated_pods_stand_beside_the_other_candidates_and_the_upstream_is_named(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    controller = Controller(tmp_path, begin_s=SEEN_S)
    anticipated(controller)
    with ask(create_app(controller.model, clock, Refusals())) as client:
        (decision,) = client.get("/v1/decisions/shop/cart").json()["revisions"]
        assert decision["candidates"] == {
            "kpa": 0,
            "predicted": None,
            "anticipated": 1,
            "together": 1,
        }
        assert decision["reason"] == "UPSTREAM"
        assert "shop/browse rose to 1 rps 0 s ago" in decision["sentence"]
        assert samples(client, "kn_ahead_anticipated_pods") == {"cart-00009": 1.0}


def test_what_comes_together_is_one_relation_without_an_order(
    client: httpx.Client, model: ReadModel
) -> None:
    model.put_edges(in_no_order(), [""] * 4)
    assert pairs(client) == [("shop/browse", "shop/cart"), ("shop/cart", "shop/pay")]
    known = client.get("/v1/dependencies").json()
    assert known["total"] == 2
    assert [one["together"] for one in known["dependencies"]] == [False, True]


def test_the_overview_draws_a_line_without_a_tip_between_what_comes_together(
    client: httpx.Client, model: ReadModel
) -> None:
    model.put_edges(in_no_order(), [""] * 4)
    text = client.get("/").text
    row = text[text.rindex("/services/shop/cart") :]
    assert f"<td>shop/browse</td><td>{UNKNOWN}</td>\n<td>shop/pay</td>" in row
    assert (text.count("<path class="), text.count("marker-end=")) == (2, 1)
    assert "shop/cart \N{EN DASH} shop/pay: together" in text


def test_says_why_an_edge_is_not_acted_on(client: httpx.Client, model: ReadModel) -> None:
    model.put_edges(edges(), ["", "the upstream's namespace does not consent", ""])
    found = client.get("/v1/dependencies").json()["dependencies"]
    assert [d["not_acted_on"] for d in found] == [
        "the upstream's namespace does not consent",
        None,
        None,
    ]


def test_an_edge_that_lost_its_say_is_told_counted_and_dotted(
    client: httpx.Client, model: ReadModel
) -> None:
    model.put_edges(edges(), ["", "withdrawn since noon", ""], {("shop/browse", "shop/cart")})
    found = client.get("/v1/dependencies").json()["dependencies"]
    assert [(d["withdrawn"], d["not_acted_on"]) for d in found if d["withdrawn"]] == [
        (True, "withdrawn since noon")
    ]
    assert "\nkn_ahead_dependencies_withdrawn 1\n" in client.get("/metrics").text
    assert client.get("/").text.count('stroke-dasharray="1 5"') == 1


NEVER = [np.nan, np.inf, -np.inf, 1e300, -1.0, 1e12]


@pytest.mark.parametrize("column", ["lag_s", "gain", "probability", "confidence", "evidence"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_cannot_be_is_null(
    client: httpx.Client, model: ReadModel, column: str, value: float
) -> None:
    known = edges()
    getattr(known, column)[:] = value  # after the checks
    model.put_edges(known)
    answers = client.get("/v1/dependencies").json()["dependencies"]
    assert [one[column] for one in answers] == [None] * 3
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("value", NEVER)
def test_a_time_that_cannot_be_is_null(
    client: httpx.Client, model: ReadModel, value: float
) -> None:
    known = edges()
    known.seen_at_s[:] = value
    model.put_edges(known)
    answers = client.get("/v1/dependencies").json()["dependencies"]
    assert [one["seen_at"] for one in answers] == [None] * 3


@pytest.mark.parametrize("origin", [-5, 99, 2**31])
def test_an_origin_that_nobody_knows_is_called_so(
    client: httpx.Client, model: ReadModel, origin: int
) -> None:
    known = edges()
    known.origin[0] = origin
    model.put_edges(known)
    (one,) = [
        d
        for d in client.get("/v1/dependencies").json()["dependencies"]
        if (d["upstream"], d["downstream"]) == ("shop/cart", "shop/pay")
    ]
    assert one["origin"] == "unknown"
    assert samples(client, "kn_ahead_dependencies")["unknown"] == 1
    assert client.get("/").text.count("<path class=") == 3
