"""`kn-ahead graph`: what is chosen, what the terminal and the picture show, and bad sources."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner, Result

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.api.graph.layout import layout
from autoscaler.api.graph.picture import svg
from autoscaler.api.words import UNKNOWN, percent
from autoscaler.bundle.file import save_bundle
from autoscaler.cli.graph import NONE_YET, picture, shown
from autoscaler.cli.graph_source import read_edges
from autoscaler.cli.main import app
from autoscaler.clock import SimulatedClock
from autoscaler.core.prediction.dependencies import Edges, Origin, no_edges
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.errors import PermanentError
from autoscaler.health import Health
from autoscaler.refusals import Refusals

SVG = "{http://www.w3.org/2000/svg}"


def edges(*pairs: tuple[str, str], indirect: str = "", **values: float) -> Edges:
    """Learned edges between services of these names; one of them not direct."""
    services = tuple(sorted({name for pair in pairs for name in pair}))
    m, ends = len(pairs), np.array([[services.index(n) for n in pair] for pair in pairs])
    said = {
        "lag_s": 2.0,
        "gain": 1.0,
        "probability": 0.9,
        "confidence": 0.8,
        "evidence": 9.0,
    } | values
    return Edges(
        services=services,
        upstream=ends.reshape(m, 2)[:, 0].astype(np.int64),
        downstream=ends.reshape(m, 2)[:, 1].astype(np.int64),
        seen_at_s=np.full(m, 1.77e9),
        direct=np.array(["".join(pair) != indirect for pair in pairs], dtype=np.bool_),
        origin=np.full(m, int(Origin.LEARNED_STARTS)),
        **{name: np.full(m, value) for name, value in said.items()},
    )


CHAIN = edges(("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("x", "y"), indirect="ac")


def names(chosen: Edges) -> list[str]:
    ends = zip(chosen.upstream.tolist(), chosen.downstream.tolist(), strict=True)
    return [f"{chosen.services[u]}{chosen.services[d]}" for u, d in ends]


def choose(direct: bool = False, least: float = 0.0, service: str = "") -> list[str]:
    return names(shown(CHAIN, direct=direct, least=least, service=service))


def random_edges(n: int, m: int) -> Edges:
    rng = np.random.default_rng(0)
    up, down = np.divmod(rng.permutation(n * n)[: 2 * m], n)
    ends = np.stack([up, down])[:, up != down][:, :m].T.tolist()
    return edges(*((f"shop/s{u}", f"shop/s{d}") for u, d in ends))


# --- which are shown ------------------------------------------------------------------------------


def test_shows_all_in_alphabetical_order() -> None:
    assert choose() == ["ab", "ac", "bc", "cd", "xy"]


def test_leaves_out_what_others_in_between_explain() -> None:
    assert choose(direct=True) == ["ab", "bc", "cd", "xy"]


def test_a_service_is_shown_with_all_that_leads_to_it_and_from_it() -> None:
    assert choose(service="b") == ["ab", "bc", "cd"]
    assert choose(service="x") == ["xy"]


def test_a_service_in_a_circle_is_shown_with_the_circle() -> None:
    circle = edges(("a", "b"), ("b", "a"), ("x", "y"))
    assert names(shown(circle, direct=True, least=0, service="a")) == ["ab", "ba"]


def test_a_service_without_edges_is_refused_with_those_that_have_some() -> None:
    with pytest.raises(PermanentError, match=r"'z' has no dependency; .* one of 6: a, b, c, d, x"):
        choose(service="z")


def test_the_least_confidence_leaves_out_the_less_sure_and_the_unsaid() -> None:
    assert choose(least=0.8) == choose()
    assert choose(least=0.81) == []
    unsaid = edges(("a", "b"), confidence=np.nan)
    assert len(shown(unsaid, direct=False, least=0.0, service="")) == 1
    assert len(shown(unsaid, direct=False, least=0.01, service="")) == 0


# --- in a terminal --------------------------------------------------------------------------------


def printed(chosen: Edges, of: Edges, width: int = 100) -> str:
    console = Console(width=width, record=True, file=None, quiet=False, color_system=None)
    with console.capture() as capture:
        console.print(picture(chosen, of=of))
    return capture.get()


def test_the_terminal_names_each_upstream_once() -> None:
    lines = printed(shown(CHAIN, direct=False, least=0.0, service=""), CHAIN).splitlines()
    row = r"a +──▶ +b +2 s +1 +90 % +80 % +learned from starts"
    assert re.fullmatch(row, lines[1].strip())
    assert lines[2].split()[:2] == ["╌╌▶", "c"]
    assert lines[-1] == "5 dependencies between 6 services."


def test_the_terminal_says_how_many_are_left_out() -> None:
    some = shown(CHAIN, direct=True, least=0.0, service="")
    assert "4 dependencies between 6 services shown, of 5 known, 1 of them not direct" in printed(
        some, CHAIN
    )


def test_the_terminal_shows_what_is_not_known_as_a_dash() -> None:
    unsaid = edges(("a", "b"), lag_s=np.nan, gain=np.nan, probability=np.nan)
    assert printed(unsaid, unsaid).count(UNKNOWN) == 3


@pytest.mark.parametrize(
    ("value", "said"), [(1.0, "100 %"), (0.9999, "99.9 %"), (0.29, "29 %"), (0.0, "0 %")]
)
def test_what_is_nearly_sure_is_not_called_sure(value: float, said: str) -> None:
    assert percent(value) == said


def test_names_are_not_taken_for_markup() -> None:
    odd = edges(("[red]a", "[/b]"))
    assert "[red]a" in printed(odd, odd)
    assert "[/b]" in printed(odd, odd)


# --- places ---------------------------------------------------------------------------------------

PAIRS = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda p: p[0] != p[1]),
    min_size=1,
    max_size=40,
    unique=True,
)
LAW = settings(max_examples=60, derandomize=True, deadline=None)


def ends_of(pairs: list[tuple[int, int]]) -> tuple[int, np.ndarray, np.ndarray]:
    kept, index = np.unique(np.array(pairs), return_inverse=True)
    index = index.reshape(-1, 2)
    return len(kept), index[:, 0], index[:, 1]


@LAW
@given(PAIRS)
def test_no_two_services_touch_and_none_is_off_the_page(pairs: list[tuple[int, int]]) -> None:
    places = layout(*ends_of(pairs))
    assert places.column.min() == 0
    assert places.line.min() >= 0
    for column in np.unique(places.column):
        lines = np.sort(places.line[places.column == column])
        assert (np.diff(lines) >= 1 - 1e-9).all()


@LAW
@given(PAIRS)
def test_without_circles_every_call_leads_to_the_right(pairs: list[tuple[int, int]]) -> None:
    n, up, down = ends_of([(min(p), max(p)) for p in pairs])
    places = layout(n, up, down)
    assert (places.column[up] < places.column[down]).all()


@LAW
@given(PAIRS)
def test_the_same_edges_give_the_same_places(pairs: list[tuple[int, int]]) -> None:
    n, up, down = ends_of(pairs)
    one, other = layout(n, up, down), layout(n, up[::-1], down[::-1])
    np.testing.assert_array_equal(one.column, other.column)
    np.testing.assert_allclose(one.line, other.line, atol=1e-6)


@LAW
@given(PAIRS)
def test_an_arrow_passes_every_column_on_its_way_beside_the_services(
    pairs: list[tuple[int, int]],
) -> None:
    n, up, down = ends_of(pairs)
    places = layout(n, up, down)
    for begin, end, bends in zip(places.column[up], places.column[down], places.bends, strict=True):
        way = 1 if end >= begin else -1
        assert [column for column, _ in bends] == list(range(begin + way, end, way))
        for column, line in bends:
            there = places.line[places.column == column]
            assert (np.abs(there - line) > 0.7).all()


def test_a_chain_is_a_straight_line() -> None:
    places = layout(4, np.array([2, 0, 1]), np.array([0, 1, 3]))
    assert places.column.tolist() == [1, 2, 0, 3]
    assert np.ptp(places.line) == 0


# --- the picture ----------------------------------------------------------------------------------


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


# --- the command ----------------------------------------------------------------------------------


def invoke(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["graph", *map(str, args)])


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("kn-ahead: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def saved(folder: Path, pulls: Edges) -> Path:
    """A bundle without a service that is forecast."""
    bundle = ForecastBundle(
        services=("shop/a",),
        made_at_s=1.77e9,
        fitted_at_s=1.77e9,
        window_edges_s=np.array([0.0, 60.0]),
        demand_edges=np.array([[0.0, 1.0, 2.0]]),
        exceedance=np.full((1, 1, 2), np.nan),
        model=("",),
        reason=("too short",),
        edges=pulls,
    )
    spaced = tuple(name if "/" in name else f"shop/{name}" for name in pulls.services)
    bundle = replace(bundle, edges=replace(pulls, services=spaced))
    save_bundle(bundle, folder / "bundle.npz")
    return folder / "bundle.npz"


@contextmanager
def serving(what: FastAPI) -> Iterator[str]:
    """A real server in a thread; its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # here: whoever asks before the server accepts has to wait, not to fail
        server = uvicorn.Server(uvicorn.Config(what, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def app_over(known: Edges) -> FastAPI:
    model = ReadModel(Health())
    model.put_edges(known)
    return create_app(model, SimulatedClock(), Refusals())


def test_reads_all_pages_of_a_running_autoscaler() -> None:
    there = random_edges(60, 2100)
    with serving(app_over(there)) as url:
        assert sorted(names(read_edges(url))) == sorted(names(there))


def test_a_page_stands_alone_and_holds_picture_and_table(tmp_path: Path) -> None:
    page = tmp_path / "graph.html"
    result = invoke("--bundle", saved(tmp_path, CHAIN), "--output", page, "--all")
    assert result.exit_code == 0, result.output
    assert f"Picture: {page}" in result.stdout.replace("\n", "")
    text = page.read_text()
    assert text.count('<path class="arrow"') == text.count("<tr><td") == 5
    assert not re.findall(r"<(?:script|link|img|iframe)|src=|url\((?!#)|href=", text)


def test_only_direct_ones_unless_all_are_asked_for(tmp_path: Path) -> None:
    bundle = saved(tmp_path, CHAIN)
    assert "╌╌▶" not in invoke("--bundle", bundle).stdout
    assert "╌╌▶" in invoke("--bundle", bundle, "--all").stdout


def test_the_same_bundle_gives_the_same_file(tmp_path: Path) -> None:
    bundle = saved(tmp_path, random_edges(40, 60))
    files = [tmp_path / "one.svg", tmp_path / "other.svg"]
    for file in files:
        assert invoke("--bundle", bundle, "--output", file).exit_code == 0
    assert all(a.read_bytes() == b.read_bytes() for a, b in pairwise(files))


def test_a_picture_of_too_many_comes_with_a_word_of_advice(tmp_path: Path) -> None:
    bundle, page = saved(tmp_path, random_edges(80, 2000)), tmp_path / "graph.html"
    said = invoke("--bundle", bundle, "--output", page).stdout
    assert "2,000 arrows in one picture are hard to follow: --service NAME or --least" in said
    assert page.read_text().count('<path class="arrow"') == 2000


def test_no_dependency_yet_is_said_and_nothing_is_drawn(tmp_path: Path) -> None:
    page = tmp_path / "graph.html"
    result = invoke("--bundle", saved(tmp_path, no_edges(())), "--output", page)
    assert result.exit_code == 0
    assert " ".join(result.stdout.split()).startswith(NONE_YET)
    assert not page.exists()


def test_without_a_source_or_with_both_it_says_so(tmp_path: Path) -> None:
    assert "neither of --url and --bundle; allowed: one" in refused(invoke())
    both = invoke("--url", "http://x", "--bundle", tmp_path)
    assert "both of --url and --bundle" in refused(both)


def test_another_suffix_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    said = refused(invoke("--bundle", tmp_path / "none", "--output", tmp_path / "graph.png"))
    assert "ends in .svg or .html" in said


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bundle.npz").write_text("no bundle")
    said = refused(invoke("--bundle", tmp_path / "bundle.npz"))
    assert "bundle.npz is no npz archive" in said


def test_where_nobody_answers_it_says_what_to_do() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        said = refused(invoke("--url", f"http://127.0.0.1:{closed.getsockname()[1]}"))
    assert "Connection refused" in said
    assert "kubectl -n knative-serving port-forward" in said


@pytest.mark.parametrize("url", ["shop", "ftp://x", "http://", "http://[", "http://a b:x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    assert f"no answer from {url} " in refused(invoke("--url", url))


def elsewhere(text: str, status: int = 200) -> FastAPI:
    other = FastAPI()

    @other.get("/v1/dependencies")
    def answer() -> PlainTextResponse:
        return PlainTextResponse(text, status)

    return other


ONE = (
    '{"upstream": "a", "downstream": "b", "lag_s": null, "gain": %s, "probability": null, '
    '"confidence": 1, "evidence": null, "seen_at": null, "direct": true, "origin": "annotation", '
    '"not_acted_on": null}'
)
PAGE = '{"total": %d, "limit": 1000, "offset": 0, "dependencies": [%s]}'


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("hello", 200, "is no list of dependencies"),
        ("{}", 200, "is no list of dependencies"),
        ("gone", 404, "answers 404"),
        (PAGE % (1, ONE % "-3"), 200, "answers with what cannot be: gain of an edge is -3"),
    ],
)
def test_whoever_else_answers_is_named(text: str, status: int, said: str) -> None:
    with serving(elsewhere(text, status)) as url:
        assert said in refused(invoke("--url", url))


def test_a_server_that_promises_more_than_it_gives_does_not_hold_us() -> None:
    asked = []
    other = FastAPI()

    @other.get("/v1/dependencies")
    def answer(offset: int) -> PlainTextResponse:
        asked.append(offset)
        return PlainTextResponse(PAGE % (5, "" if offset else ONE % "1"))

    with serving(other) as url:
        assert len(read_edges(url)) == 1
    assert asked == [0, 1]
