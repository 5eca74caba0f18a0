"""`kn-ahead graph` as a command: a bundle or a running autoscaler, files, and bad sources."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from typer.testing import CliRunner, Result

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.bundle.file import save_bundle
from autoscaler.cli.graph import NONE_YET
from autoscaler.cli.graph_source import read_edges
from autoscaler.cli.main import app
from autoscaler.cli.rest import RestApi
from autoscaler.clock import SimulatedClock
from autoscaler.core.prediction.dependencies import Edges, no_edges
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.health import Health
from autoscaler.refusals import Refusals
from tests.autoscaler.api.graph.edges import CHAIN, edges, names, random_edges


def invoke(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["graph", *map(str, args)])


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("kn-ahead: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def saved(folder: Path, known: Edges) -> Path:
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
        edges=known,
    )
    spaced = tuple(name if "/" in name else f"shop/{name}" for name in known.services)
    bundle = replace(bundle, edges=replace(known, services=spaced))
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
        edges, withdrawn = read_edges(RestApi(url))
    assert sorted(names(edges)) == sorted(names(there))
    assert not withdrawn


def test_what_a_running_autoscaler_has_withdrawn_is_dotted_everywhere(tmp_path: Path) -> None:
    model, page = ReadModel(Health()), tmp_path / "graph.html"
    why = ["", "withdrawn since noon", "", "", ""]
    model.put_edges(CHAIN, why, {("b", "c")})
    with serving(create_app(model, SimulatedClock(), Refusals())) as url:
        result = invoke("--url", url, "--output", page)
    assert "b to c is not acted on: withdrawn since noon" in result.stdout
    text = page.read_text()
    assert text.count('stroke-dasharray="1 5"') == 1
    assert text.count("<td>learned from starts, withdrawn</td>") == 1
    assert "Dotted: withdrawn" in " ".join(text.split())


def test_a_pair_that_comes_together_is_withdrawn_whichever_way_it_is_shown() -> None:
    pair = replace(edges(("a", "b"), ("b", "a")), lag_s=np.zeros(2), direct=np.array([False, True]))
    model = ReadModel(Health())
    model.put_edges(pair, ["", "withdrawn since noon"], {("b", "a")})
    with serving(create_app(model, SimulatedClock(), Refusals())) as url:
        text = invoke("--url", url).stdout
    assert "┈┈┈" in text
    assert "is not acted on: withdrawn since noon" in text


REACHED_BY_KEYBOARD = 'class="scroll" tabindex="0" role="region" aria-label="[^"]+"'


def test_a_page_stands_alone_and_holds_picture_and_table(tmp_path: Path) -> None:
    page = tmp_path / "graph.html"
    result = invoke("--bundle", saved(tmp_path, CHAIN), "--output", page, "--all")
    assert result.exit_code == 0, result.output
    assert f"Picture: {page}" in result.stdout.replace("\n", "")
    text = page.read_text()
    assert text.count('<path class="arrow"') == text.count("<tr><td") == 5
    assert not re.findall(r"<(?:script|link|img|iframe)|src=|url\((?!#)|href=", text)
    assert "<main>" in text
    assert text.count('class="scroll"') == len(re.findall(REACHED_BY_KEYBOARD, text)) == 2


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


def test_with_both_sources_it_says_so(tmp_path: Path) -> None:
    for other in ("--url", "--context", "--kubeconfig", "--token-file"):
        said = refused(invoke(other, "http://x", "--bundle", tmp_path))
        assert f"graph got --bundle and {other}; allowed: one of both" in said


def test_a_bundle_is_read_whatever_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KN_AHEAD_URL", "http://127.0.0.1:1")
    assert "5 known" in invoke("--bundle", saved(tmp_path, CHAIN)).stdout


def test_without_a_source_it_asks_the_default_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(app_over(CHAIN)) as url:
        monkeypatch.setattr("autoscaler.cli.source.DEFAULT_URL", url)
        assert "5 known" in invoke().stdout


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
        assert len(read_edges(RestApi(url))[0]) == 1
    assert asked == [0, 1]
