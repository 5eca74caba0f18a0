import re
from pathlib import Path

import pytest
from httpx import Client
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.metrics.page import EXAMPLE, Metrics, takes_gzip
from autoscaler.api.metrics.text import CONTENT_TYPE
from tests.autoscaler.advisor.controller import Controller


def test_is_packed_for_whom_takes_gzip_and_says_the_same(client: Client) -> None:
    packed = client.get("/metrics", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert plain.headers["content-type"] == CONTENT_TYPE


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("br, identity", False),
    ],
)
def test_gzip_is_for_whom_asks_for_it(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) == takes


def test_every_family_is_named_once_and_every_series_has_one_sample(client: Client) -> None:
    text = client.get("/metrics").text
    heads = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.MULTILINE))
    assert len(heads) == text.count("# TYPE ") == text.count("# HELP ")
    counters = {name for name, kind in heads.items() if kind == "counter"}
    assert counters == {name for name in heads if name.endswith("_total")}
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))


def test_every_family_has_a_kind_and_is_explained(client: Client) -> None:
    for family in text_string_to_metric_families(client.get("/metrics").text):
        assert family.documentation
        assert family.type in {"gauge", "counter", "histogram", "summary"}


def test_the_example_is_a_part_of_such_a_page(client: Client) -> None:
    assert "\n".join(EXAMPLE.splitlines()[:2]) in client.get("/metrics").text


def test_labels_are_made_once_while_revisions_stay(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    controller.has("shop/cart-1")
    metrics = Metrics(controller.model)
    made = []
    for second in (2, 4):
        controller.ticks(second, 1.0)
        list(metrics.families())
        made.append(metrics.labels)
    controller.has("shop/till-1")
    controller.ticks(6, 1.0, 1.0)
    list(metrics.families())
    assert made[0] is made[1] is not metrics.labels


def test_one_services_many_names_do_not_mix(client: Client) -> None:
    labels = [
        s.labels
        for family in text_string_to_metric_families(client.get("/metrics").text)
        if family.name == "kn_ahead_desired_pods"
        for s in family.samples
    ]
    assert [sorted(one) for one in labels] == [["namespace", "revision", "service"]] * len(labels)
