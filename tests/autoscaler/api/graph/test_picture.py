"""What the picture of the dependency graph shows."""

from xml.etree import ElementTree

import numpy as np
import pytest

from autoscaler.api.graph.picture import svg
from autoscaler.core.prediction.dependencies import Edges
from tests.autoscaler.api.graph.edges import CHAIN, edges, random_edges

SVG = "{http://www.w3.org/2000/svg}"


def drawn(chosen: Edges) -> ElementTree.Element:
    return ElementTree.fromstring(svg(chosen))


def arrows(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [p for p in root.iter(f"{SVG}path") if p.get("class") == "arrow"]


def test_draws_a_box_a_service_and_an_arrow_an_edge() -> None:
    root = drawn(CHAIN)
    boxes = [t.text for t in root.iter(f"{SVG}text") if t.get("class") is None]
    assert boxes == ["a", "b", "c", "d", "x", "y"]
    assert len(arrows(root)) == 5
    assert [t.text for t in root.iter(f"{SVG}text") if t.get("class")] == ["2 s"] * 5


def test_what_is_not_direct_is_dashed() -> None:
    dashed = [p for p in arrows(drawn(CHAIN)) if p.get("stroke-dasharray")]
    assert [p.findtext(f"{SVG}title", "")[:5] for p in dashed] == ["a → c"]


def test_what_is_withdrawn_is_dotted_and_says_so() -> None:
    root = ElementTree.fromstring(svg(CHAIN, {("a", "b")}))
    (dotted,) = [p for p in arrows(root) if p.get("stroke-dasharray") == "1 5"]
    said = dotted.findtext(f"{SVG}title", "")
    assert said.startswith("a → b")
    assert said.endswith("withdrawn")


def test_more_gain_is_thicker_and_less_confidence_fainter() -> None:
    def look(gain: float = 1.0, confidence: float = 1.0) -> tuple[float, float]:
        (arrow,) = arrows(drawn(edges(("a", "b"), gain=gain, confidence=confidence)))
        return float(arrow.get("stroke-width", 0)), float(arrow.get("stroke-opacity", 0))

    assert look(gain=np.nan) < look(gain=1.0) < look(gain=8.0)
    assert look(gain=1e9)[0] < 10
    assert look(confidence=0.2)[1] < look(confidence=0.9)[1]


def test_names_cannot_break_out_of_the_picture() -> None:
    root = drawn(edges(("<script>alert(1)</script>", 'a"&b')))
    assert not list(root.iter(f"{SVG}script"))


@pytest.mark.parametrize(("n", "m"), [(2, 1), (40, 60), (400, 2000)])
def test_any_size_is_drawn_with_every_box_on_the_page(n: int, m: int) -> None:
    root = drawn(random_edges(n, m))
    width, height = (float(root.get(side, 0)) for side in ("width", "height"))
    for box in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.get(k, -1)) for k in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
    assert len(arrows(root)) == m
